#!/bin/sh
# SPDX-License-Identifier: MIT
#
# copy does what cp -a does, under the names that cp gives, and those of rsync with a trailing slash.
. "$(dirname "$0")/common.sh"
. "$(dirname "$0")/odd_tree.sh"

# scene DIRECTORY: something to be copied from and to.
scene() {
	mkdir -p "$1/d/sub" "$1/there" "$1/there/d"
	echo one >"$1/f"
	echo two >"$1/d/g"
	echo three >"$1/d/sub/h"
	echo old >"$1/there/f"
	echo kept >"$1/there/d/kept"
	ln -s d "$1/link"
	ln -s nowhere "$1/dangling"
	find "$1" -exec touch -h -d '2003-04-05 06:07:08.9' {} +
}

# as_cp ARGUMENTS...: in two equal scenes, copy leaves what cp -a does. Times of directories that were
# there already and got a new entry are those of now, and are put aside.
as_cp() {
	rm -rf by_cp by_iobatch
	scene by_cp
	scene by_iobatch
	(cd by_cp && cp -a -- "$@") 2>"$err"
	ok "cp -a $*"
	cd by_iobatch || exit
	exits "copy $*" 0 copy "$@"
	cd ..
	find by_cp by_iobatch -maxdepth 0 -exec touch -d '2004-01-01' {} +
	touch -d '2004-01-01' by_cp/there by_iobatch/there
	same "copy $*: as cp -a does" by_cp by_iobatch
}

as_cp f new
as_cp f there
as_cp f there/
as_cp f there/f
as_cp f there/other
as_cp d new
as_cp d there
as_cp d there/
as_cp d/. there/d
as_cp d/. new
as_cp f d there
as_cp link there
as_cp link new
as_cp dangling new
as_cp f dangling link there
as_cp ./f ./d there/.
as_cp d/sub .
cd by_iobatch/d || exit
exits "copy . of another directory" 0 copy . ../all
cd ../..
same "is its content" by_iobatch/d by_iobatch/all

# What rsync does of a trailing slash, and cp does not.
rm -rf by_iobatch
scene s
exits "SRC/ into a directory" 0 copy s/d/ s/there
is "is what is in it" "d f g sub" "$(ls s/there | tr '\n' ' ' | sed 's/ $//')"
exits "SRC/ to a new name" 0 copy s/d/ s/new
is "is what is in it, again" "g sub" "$(ls s/new | tr '\n' ' ' | sed 's/ $//')"
exits "a file to a new name with a slash" 0 copy s/f s/made/
is "makes the directory" one "$(cat s/made/f)"
exits "several to a new name" 0 copy s/f s/d s/made2
is "make the directory" "d f" "$(ls s/made2 | tr '\n' ' ' | sed 's/ $//')"
exits "some with a slash and some without" 0 copy s/d/ s/f s/made3
is "each by its own rule" "f g sub" "$(ls s/made3 | tr '\n' ' ' | sed 's/ $//')"
exits "a directory to a new name with a slash" 0 copy s/d s/made5/
is "keeps its name in it" "d" "$(ls s/made5)"
exits "a link with a slash" 0 copy s/link/ s/made4
is "is what it leads to" "g sub" "$(ls s/made4 | tr '\n' ' ' | sed 's/ $//')"

# All that files can be.
odd_tree tree
ln tree/large "tree/sub dir/the same"
ln tree/-n tree/-m
[ "$(id -u)" -ne 0 ] || chown 12:34 tree/large tree/empty
touch -d '2001-02-03 04:05:06.123456789' "tree/sub dir"
touch -d '1999-12-31 23:59:59' tree
exits "a tree of oddities" 0 copy tree to --result result.json
ran_on result.json
same "is the same, owners and hard links and times too" tree to
[ "$(du -k to/sparse | cut -f1)" -lt 1024 ]
ok "what was sparse is sparse"
exits "with rings, small batches and small blocks" 0 copy tree to3 --rings=2 --batch-size=3 \
	--max-concurrent=9 --set processor.copy.block_size=4KiB
same "is the same again" tree to3
exits "over what is there" 0 copy tree/ to
same "is the same once more" tree to

# Each option leaves the same tree.
for option in --reflink=never --reflink=auto --fsync=data --fsync=full --preallocate --direct --keep-cache --verify \
	--checksum --update --xattrs --acls; do
	rm -rf to
	exits "$option" 0 copy "$option" tree to
	same "$option: is the same" tree to
done

files=$(find tree -type f -printf . | wc -c)
links=$(find tree -type l -printf . | wc -c)
exits "--update, when all is there" 0 copy --update tree/ to --result result.json
is "skips the files and links" $((files + links)) "$(value result.json skipped)"
holds "and says so" "$err" ", $((files + links)) skipped"
exits "--checksum, when all is there" 0 copy --checksum tree/ to --result result.json
is "skips the files too" "$files" "$(value result.json skipped)"
touch -d '2030-01-01' tree/-n
exits "--update, when one is newer" 0 copy --update tree/ to --result result.json
same "makes the same of it" tree to
printf 'hasd\n' >to/-n
touch -r tree/-n to/-n
exits "--checksum, when one has other bytes" 0 copy --checksum tree/ to
same "makes the same of that, too" tree to
echo mine >to/-n
exits "--existing=skip" 0 copy --existing=skip tree/ to
is "leaves what is there" mine "$(cat to/-n)"
exits "--existing=fail" 1 copy --existing=fail tree/-n to/-n
is "leaves it too" mine "$(cat to/-n)"
holds "and says why" "$err" "EEXIST"

if setfattr -n user.colour -v blue tree/large 2>/dev/null; then
	rm -rf to
	exits "without --xattrs" 0 copy tree to
	is "there are none" "" "$(getfattr -d to/large 2>/dev/null)"
	rm -rf to
	exits "with --xattrs" 0 copy --xattrs tree to
	is "they are there" blue "$(getfattr --only-values -n user.colour to/large)"
	exits "--preserve by name" 0 copy --preserve=xattrs tree/large only
	is "they are there as well" blue "$(getfattr --only-values -n user.colour only)"
	[ "$(stat -c %Y only)" != "$(stat -c %Y tree/large)" ]
	ok "and nothing else"
	setfattr -x user.colour tree/large
else
	skip "extended attributes" "not on this file system"
fi

mkfifo tree/pipe
rm -rf to
exits "a FIFO" 0 copy tree to --result result.json
is "is skipped" 1 "$(value result.json skipped)"
[ ! -e to/pipe ]
ok "and not there"
exits "--special" 0 copy --special tree/pipe to
[ -p to/pipe ]
ok "makes it"
rm tree/pipe

rm -rf to
exits "filters" 0 copy --exclude='*e*' --types=file --max-size=10 tree to
is "pick" "$(cd tree && find . -mindepth 1 -name '*e*' -prune -o -type f -size -11c -print | sort)" \
	"$(cd to && find . -type f | sort)"
exits "a file that is gone meanwhile has no place in it" 2 copy tree/gone to
holds "and is named" "$err" "iobatch: tree/gone: No such file or directory"
is "nothing temporary is left" "" "$(find . -name '.iobatch*')"
done_testing
