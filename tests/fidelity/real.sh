#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Real trees, copied, are the same: one in the shape of node_modules, and one that is there anyway.
#
#     real.sh IOBATCH JSON_GET CONFIGS PROGRAMS TYPE FILES TREE
#
# FILES is how many the first has, TREE the second. TYPE: the file system.
. "$(dirname "$0")/../fault/mounts.sh"

type=$5
files=$6
tree=$7
if ! mount_fs fs "$type" 3G; then
	[ "$type" = tmpfs ] || skip_all "$reason"
	echo "# $reason: done in a plain directory"
fi

rsync_agrees() {
	if ! command -v rsync >/dev/null; then
		skip "$1" "rsync is not installed"
		return
	fi
	rsync -aHAXSn --checksum --itemize-changes --delete "$2/" "$3/" >"$out" 2>"$err"
	is "$1" "" "$(cat "$out" "$err")"
}

"$programs/npm_tree" fs/npm "$files"
ok "a tree of $files files is made"
if [ ! -d "$tree" ]; then
	skip "$tree" "it is not there"
	trees=fs/npm
else
	trees="fs/npm $tree"
fi
for source in $trees; do
	entries=$(find "$source" -printf . | wc -c)
	run "$source: copy" 0 copy --xattrs --acls "$source" fs/copy
	is "$source: each of $entries" "$entries" "$(value result.json successful)"
	same "$source: is the same" "$source" fs/copy
	rsync_agrees "$source: and rsync finds nothing to do" "$source" fs/copy
	run "$source: compare" 0 compare --content "$source" fs/copy
	run "$source: hash" 0 hash --algorithm sha256 --manifest "$work/manifest" fs/copy
	sha256sum --quiet --check "$work/manifest" >"$out" 2>"$err"
	ok "$source: sha256sum agrees"
	run "$source: verify" 0 verify --quiet "$work/manifest"
	run "$source: move" 0 move --xattrs --acls fs/copy fs/moved
	same "$source: is still the same" "$source" fs/moved
	run "$source: remove" 0 remove fs/moved
	is "$source: each of $entries" "$entries" "$(value result.json successful)"
	[ ! -e fs/moved ]
	ok "$source: is gone"
done
done_testing
