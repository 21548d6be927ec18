#!/bin/sh
# SPDX-License-Identifier: MIT
#
# What a verb refuses it refuses before anything is touched: exit code 2, and one line that says what to
# do instead.
. "$(dirname "$0")/common.sh"

mkdir -p tree/sub other/tree
echo a >tree/a
echo b >tree/sub/b
echo f >file
ln -s tree link
echo tree/a >list

# harmless NAME TEXT ARGUMENTS...: refused, and were it not, nothing would come of it: all is simulated.
harmless() {
	harmless_name=$1
	harmless_text=$2
	verb=$3
	shift 3
	refused "$harmless_name" "$harmless_text" "$verb" --executor=simulated --max-depth=1 "$@"
}

harmless "remove /" "/ is the root of the file system, and is never removed; name what is in it" remove /
harmless "remove / in other words" "is the root of the file system" remove //..//
harmless "remove / with a depth" "is the root of the file system" remove --min-depth=1 /
harmless "remove / behind another" "is the root of the file system" remove tree /
harmless "remove ." ". is not removed by that name; name what is in it, or add min_depth: 1 (--min-depth=1) to empty it" remove .
harmless "remove .." ".. is not removed by that name" remove tree ..
harmless "remove DIR/." "tree/. is not removed by that name" remove tree/.
harmless "remove DIR/.." "tree/sub/.. is not removed by that name" remove tree/sub/..
harmless "remove ./" "is not removed by that name" remove ./
harmless "remove of the current directory" "is the current directory or holds it; change to another one first" remove "$PWD"
harmless "remove of one that holds it" "is the current directory or holds it" remove "$work"
harmless "remove of a mount root" "/proc is the root of a mounted file system; name what is in it" remove /proc
harmless "remove of nothing" "a PATH is missing" remove
harmless "remove of an empty name" "a PATH is empty" remove tree ""
harmless "remove that follows" "processor.remove never follows a symbolic link" remove link --set items.walk.follow_root=yes
harmless "remove of directories first" "needs directories when what is in them is done" remove tree --set items.walk.directories=first
harmless "a dry run is refused, too" "is the root of the file system" remove --dry-run /
harmless "move /" "is the root of the file system" move / new
harmless "move ." ". is not removed by that name" move . "$work/new"

refused "copy to nowhere" "a SRC is missing" copy tree
refused "copy of nothing" "a destination is missing" copy
refused "copy of what is not there" "gone: No such file or directory" copy tree gone new
refused "copy into itself" "tree/new lies in tree, and would be put into itself; name a place outside of it" copy tree tree/new
refused "copy into itself as it is" "tree is tree itself" copy tree tree
refused "copy to where it is" ". would have tree put in its own place" copy tree .
refused "copy of a link's content into it" "lies in link/, and would be put into itself" copy link/ tree/new
refused "copy over what holds it" "other holds other/tree/, which could be written over" copy other/tree/ other
refused "copy of two over one of them" "would both become new/tree" copy tree other/tree new
refused "copy of a tree over a file" "file is there and is no directory" copy tree file
refused "copy of several to a file" "file is there and is no directory" copy tree/a tree/sub file
refused "copy into no directory" "the directory that it is to stand in must exist" copy tree gone/new
refused "move into itself" "tree/new lies in tree" move tree tree/new
refused "a word that there is not" '--existing: must be one of replace, skip, fail, not "maybe"' copy --existing=maybe tree new
refused "a list of words with one that there is not" '--preserve: must be a list of words from mode, owner, times, links, xattrs, acls, not "colour"' copy --preserve=mode,colour tree new
refused "a size that is none" "--max-size: must be a size such as 64KiB or 10kB, 0 or more, not big" copy --max-size=big tree new
refused "an age that is none" "--older-than: must be a time with its unit such as 7d (s, m, h, d, w), not 7" copy --older-than=7 tree new
refused "sizes that exclude each other" "--min-size: is larger than max_size" copy --min-size=2 --max-size=1 tree new
refused "ages that exclude each other" "is more than newer_than" copy --older-than=2d --newer-than=1d tree new
refused "no type at all" "must name at least one of file, directory, symlink, other" copy --types= tree new
refused "a batch of nothing" "--batch-size: must be 1 to 1048576, not 0" copy --batch-size=0 tree new
refused "a list and names" "with --files-from there is no other SRC" copy --files-from=list tree new
refused "a list and filters" "--files-from takes its names as they are" copy --files-from=list --include=a new
refused "--null without a list" "--null is for the names of --files-from" copy --null tree new
refused "--root without a list" "--root is for the names of --files-from" copy --root=tree tree new
refused "a list that is not there" "gone: No such file or directory" copy --files-from=gone new
refused "a result and a dry run" "--dry-run has no result to write" copy --dry-run --result=r tree new
refused "a dry run and a job" "one of the two" copy --dry-run --print-job tree new
refused "an option that there is not" "unrecognized option" copy --frobnicate tree new

refused "hash of nothing" "a PATH is missing" hash
refused "a manifest in no directory" "the directory that it is to stand in must exist" hash --manifest=gone/m tree
refused "verify of two" "one MANIFEST at a time is verified" verify list list
refused "verify of none" "one MANIFEST at a time is verified" verify
refused "compare of one" "two trees are compared, A and B" compare tree
refused "compare with what is not there" "gone: No such file or directory" compare tree gone
refused "rename to nothing" "--to is missing" rename tree/a
refused "rename of nothing" "a PATH is missing" rename --to=x
refused "write without a length" "--length is missing" write new
refused "write of nothing" "a PATH is missing" write --length=1
refused "write of many without an index" "with --count there is one PATH" write --length=1 --count=2 a b
refused "write of a length that O_DIRECT cannot" "must be a multiple of 4096 bytes" write --length=1 --direct new
refused "truncate without a length" "--length is missing" truncate file
refused "chmod without a mode" "a MODE is missing" chmod
refused "chmod of nothing" "a PATH is missing" chmod 0644
refused "chown without an owner" "an OWNER is missing" chown
refused "chown of no group" "a group is missing" chown root: file
refused "a list and --recursive" "a list of --files-from is taken as it is" chmod -r 0644 --files-from=list
done_testing
