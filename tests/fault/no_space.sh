#!/bin/sh
# SPDX-License-Identifier: MIT
#
# A destination that is full: what does not fit has failed as such and leaves nothing, what fits is
# whole, and with more space the same command goes on from there. The fifth argument is its type.
. "$(dirname "$0")/mounts.sh"

type=$5
mkdir source source/d
i=0
# Twice what there is space for: large files, and small ones that may still fit.
while [ $i -lt 14 ]; do
	head -c 2200000 /dev/urandom >source/large$i
	head -c 3000 /dev/urandom >source/d/small$i
	i=$((i + 1))
done
mkdir links
ln -s nowhere links/l

size=16M
[ "$type" != xfs ] || size=300M
[ "$type" != btrfs ] || size=110M

# account NAME SOURCE DESTINATION: what has not failed is there and whole, what has failed is not.
account() {
	"$programs/same_tree" --but vanished,mtime,holes "$2" "$3" >"$out" 2>&1
	ok "$1: what is there is whole"
	no_temporaries "$1: nothing temporary is left" "$3"
	missing=$(($(find "$2" -type f -printf . | wc -c) - $(find "$3" -type f -printf . | wc -c)))
	is "$1: what is not there has failed, and nothing else has" "$missing" "$(value result.json failed_count)"
	is "$1: as each was counted" "$(find "$2" -printf . | wc -c)" \
		"$(($(value result.json successful) + $(value result.json failed_count)))"
}

# all_failed_with ERRNO
all_failed_with() {
	is "each has failed with $1, or is a directory with such in it" "$(grep -c '"error": "' result.json)" \
		"$(grep -c "\"error\": \"\($1\|ENOTEMPTY\)\"" result.json)"
}

for options in "" "--reflink=never" "--preallocate" "--fsync=full"; do
	mount_fs full "$type" $size || skip_all "$reason"
	if [ "$type" = xfs ] || [ "$type" = btrfs ]; then
		# These cannot be made small.
		left=$(($(stat -f -c '%a * %S' full) / 1048576 - 14))
		fallocate -l ${left}M full/occupied
	fi
	what="copy${options:+ $options}"
	run "$what: some have failed" 1 copy $options source full/copy
	[ "$(value result.json failed_count)" -ge 3 ]
	ok "$what: some do not fit"
	all_failed_with ENOSPC
	account "$what" source full/copy
	rm -rf full/copy
	run "$what, one at a time" 1 copy --batch-size 1 --max-concurrent 1 $options source full/copy
	account "$what, one at a time" source full/copy
	is "$what, one at a time: what does not fit is out of the way" 14 "$(ls full/copy/d | wc -l)"

	mount_fs more tmpfs 64M || skip_all "$reason"
	cp -a full/copy more/copy
	run "$what --update, where there is space: goes on" 0 copy $options --update source/ more/copy
	is "$what --update: what is there is skipped" "$(find full/copy -type f -printf . | wc -c)" \
		"$(value result.json skipped)"
	same "$what --update: and then all is the same" source more/copy

	rm -rf full/copy
	run "move${options:+ $options}: some have failed" 1 move $options more/copy/ full/copy
	all_failed_with ENOSPC
	no_temporaries "move: nothing temporary is left" full/copy
	both=$(cd more/copy && find . -type f -exec test -e "$work/here/full/copy/{}" \; -print)
	is "move: each is in one place only" "" "$both"
	cp -a more/copy rest
	cp -an full/copy/. rest
	same "move: and whole there" --but mtime source rest
	rm -rf rest
	umount more full
done

mount_fs full "$type" $size || skip_all "$reason"
if [ "$type" = tmpfs ]; then
	run "write: more than fits" 1 write --count 20 --length 2M "full/{index}"
	all_failed_with ENOSPC
	is "each that is there is whole" "" "$(find full -type f ! -size 2048k)"
	no_temporaries "nothing temporary is left" full
fi
done_testing
