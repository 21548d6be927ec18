#!/bin/sh
# SPDX-License-Identifier: MIT
#
# copy and move keep everything that docs/FIDELITY.md says, of the tree that has every odd case. The
# fifth argument is the file system: tmpfs, or one that is made in an image.
. "$(dirname "$0")/../fault/mounts.sh"

type=$5
if ! mount_fs fs "$type" 512M; then
	[ "$type" = tmpfs ] || skip_all "$reason"
	echo "# $reason: done in a plain directory"
	type=$(stat -f -c %T fs)
fi
mount_fs other tmpfs 512M || echo "# $reason: done in a plain directory"

# The tree is at $1, whatever this user may not make is said.
make_every() {
	"$programs/every_tree" "$@" >"$work/left_out" 2>"$err"
	ok "a tree of everything is made in $1"
	sort -u "$work/left_out" | sed 's/^/# not here: /'
}

# rsync_agrees NAME A B: says that there is nothing to do. It would read the 1 TiB of a hole.
rsync_agrees() {
	if ! command -v rsync >/dev/null; then
		skip "$1" "rsync is not installed"
		return
	fi
	rsync -aHAXSn --checksum --itemize-changes --delete --exclude=/holes/largest "$2/" "$3/" >"$out" 2>"$err"
	is "$1" "" "$(cat "$out" "$err")"
}

make_every fs/every
run "copy: all of it" 0 copy --special --xattrs --acls fs/every fs/copy
is "the socket alone is skipped" 1 "$(value result.json skipped)"
is "and all else is counted" "$(find fs/every -printf . | wc -c)" \
	"$(value result.json successful)"
[ ! -e fs/copy/special/socket ]
ok "it is not there"
touch -r fs/every/special stamp
rm fs/every/special/socket
touch -r stamp fs/every/special
same "the copy is the same: type, mode, owner, times, content, holes, links, attributes, lists" fs/every fs/copy
rsync_agrees "rsync finds nothing to do" fs/every fs/copy
is "the access time is kept, too" "$(stat -c %x fs/every/times/access)" "$(stat -c %x fs/copy/times/access)"
no_temporaries "nothing temporary is left" fs

run "copy --update over it" 0 copy --special --xattrs --acls --update fs/every/ fs/copy
same "it is still the same" fs/every fs/copy
run "copy over it, without --update" 0 copy --special --xattrs --acls fs/every/ fs/copy
same "it is still the same" fs/every fs/copy
no_temporaries "nothing temporary is left" fs

run "copy to another file system" 0 copy --special --xattrs --acls fs/every other/copy
same "the copy is the same" --but holes fs/every other/copy
is "holes are not filled" "" "$(for file in fs/every/holes/*; do
	[ "$(stat -c %b "other/copy/holes/${file##*/}")" -le $(($(stat -c %b "$file") + 16)) ] || echo "$file"
done)"
run "and back" 0 copy --special --xattrs --acls other/copy fs/back
same "the copy is the same" fs/every fs/back

run "copy without options" 0 copy fs/every fs/plain
same "is the same but for what is asked for" --but xattrs,special fs/every fs/plain
differs "attributes are kept when asked for only" --but special fs/every fs/plain
is "pipes, devices and sockets are skipped" "$(find fs/every ! -type f ! -type d ! -type l -printf . | wc -c)" \
	"$(value result.json skipped)"
run "remove: all of it" 0 remove fs/plain fs/back
[ ! -e fs/plain ] && [ ! -e fs/back ]
ok "it is gone"

run "move: by rename" 0 move --special --xattrs --acls fs/copy fs/moved
[ ! -e fs/copy ]
ok "the source is gone"
same "it is the same elsewhere" fs/every fs/moved
run "move: to another file system" 0 move --special --xattrs --acls fs/moved other/moved
[ ! -e fs/moved ]
ok "the source is gone"
same "it is the same there" --but holes fs/every other/moved
no_temporaries "nothing temporary is left" other
rm -rf other/moved other/copy

# Names that no path leads to.
levels=400
[ "$type$executor" != tmpfsring ] || levels=2000
"$programs/every_tree" --deep fs/deep $levels
ok "directories $levels deep are made"
run "copy: $levels deep" 0 copy fs/deep fs/deep2
is "each was copied" $((2 * levels + 2)) "$(value result.json successful)"
same "the copy is the same" fs/deep fs/deep2
run "hash: $levels deep" 0 hash --algorithm xxh3-64 --manifest deep.xxh3 fs/deep2
is "each has a line" $((levels + 1)) "$(wc -l <deep.xxh3)"
run "move: $levels deep, to another file system" 0 move fs/deep2 other/deep2
same "it is the same there" fs/deep other/deep2
run "remove: $levels deep" 0 remove fs/deep other/deep2
[ ! -e fs/deep ] && [ ! -e other/deep2 ]
ok "it is gone"

# What makes no difference to the outcome.
options="--reflink=never --verify --fsync=data --fsync=full --preallocate --direct --keep-cache --checksum"
# What they do to the disk takes its time, and is the same on each.
[ "$type" = tmpfs ] || options="--verify --fsync=full --direct"
for option in $options; do
	run "copy $option" 0 copy --special --xattrs --acls $option fs/every fs/copy
	but=
	# Space that is allocated first may count as data.
	[ $option != --preallocate ] || but="--but holes"
	same "copy $option: the same" $but fs/every fs/copy
	no_temporaries "copy $option: nothing temporary is left" fs
	rm -rf fs/copy
done

rm -f result.json
case $type in
xfs | btrfs)
	run "copy --reflink always" 0 copy --special --xattrs --acls --reflink=always fs/every fs/copy
	same "is the same" fs/every fs/copy
	"$programs/shared_extents" fs/every/sizes/5242880 fs/copy/sizes/5242880
	is "and shares its blocks" 0 $?
	run "copy --reflink auto" 0 copy fs/every/sizes fs/sizes
	"$programs/shared_extents" fs/every/sizes/3333333 fs/sizes/3333333
	is "shares them, too" 0 $?
	run "copy --reflink never" 0 copy --reflink=never fs/every/sizes fs/sizes2
	"$programs/shared_extents" fs/every/sizes/3333333 fs/sizes2/3333333
	is "does not" 1 $?
	;;
tmpfs | ext4 | ext2/ext3)
	run "copy --reflink always: is not possible here" 1 copy --reflink=always fs/every/sizes fs/copy
	is "each that has content has failed" "$(find fs/every/sizes -type f -size +0 -printf . | wc -c)" \
		"$(value result.json failed_count)"
	holds "as such" "$err" "not supported"
	no_temporaries "nothing temporary is left" fs
	is "nor part of a file" "" "$(find fs/copy -type f -size +0)"
	;;
esac
done_testing
