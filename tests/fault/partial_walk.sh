#!/bin/sh
# SPDX-License-Identifier: MIT
#
# A directory that cannot be read, from the start or in the middle: it is said, the exit status is 1,
# the rest goes on, and nothing is done that depends on having seen all of it.
. "$(dirname "$0")/common.sh"

fault_start m

# run NAME CODE VERB ARGUMENTS...
run() {
	name=$1
	code=$2
	verb=$3
	shift 3
	rm -f result.json
	timeout 60 "$iobatch" "$verb" --executor=$executor --progress none --result result.json "$@" >"$out" 2>"$err"
	is "$name" "$code" $?
}

# The directory bad has more names than one request answers.
tree() {
	fault m clear
	rm -rf m.back/* to
	mkdir -p m.back/tree/well/deep m.back/tree/above/bad/below m.back/tree/above/beside
	touch m.back/tree/well/1 m.back/tree/well/deep/2 m.back/tree/above/3 m.back/tree/above/beside/4
	(
		cd m.back/tree/above/bad || exit
		long=$(head -c 240 /dev/zero | tr '\0' x)
		i=1000
		while [ $i -lt 1300 ]; do
			echo $long$i
			i=$((i + 1))
		done | xargs touch -d 2001-01-01
	)
	touch -d 2001-01-01 m.back/tree/above/bad m.back/tree/above m.back/tree
}

for rule in "opendir bad error EIO" "readdir bad error EIO" "readdir bad error EIO after 1"; do
	tree
	fault m add "$rule"
	run "$rule: hash" 1 hash --manifest sums m/tree
	holds "$rule: is said" "$err" "m/tree/above/bad"
	is "$rule: and counted" 1 "$(value result.json source_errors)"
	is "$rule: no item has failed" 0 "$(value result.json failed_count)"
	[ "$(grep -c 'well/\|above/3\|above/beside/4' sums)" -eq 4 ]
	ok "$rule: the others have their lines"

	tree
	fault m add "$rule"
	run "$rule: copy" 1 copy m/tree to
	[ -e to/well/deep/2 ] && [ -e to/above/3 ] && [ -e to/above/beside/4 ]
	ok "$rule: the others are copied"
	[ "$(stat -c %y to/well)" = "$(stat -c %y m.back/tree/well)" ]
	ok "$rule: a directory that was read has its times"

	tree
	fault m add "$rule"
	run "$rule: remove" 1 remove m/tree
	[ -d m.back/tree/above/bad ]
	ok "$rule: that directory is not removed"
	is "$rule: nor were those above it tried" "" "$(grep '"op": "unlinkat"' result.json)"
	[ ! -e m.back/tree/well ] && [ ! -e m.back/tree/above/beside ]
	ok "$rule: those beside it are gone"
	fault m clear
	run "$rule: remove again, without the fault" 0 remove m/tree
	[ ! -e m.back/tree ]
	ok "$rule: all is gone"

	tree
	cp -a m.back/tree "$work/before"
	fault m add "$rule"
	run "$rule: move to another file system" 1 move m/tree to
	(cd "$work/before" && find . ! -type d | sort) >all
	(cd m.back/tree && find . ! -type d && cd ../../to && find . ! -type d) | sort >there
	is "$rule: nothing is lost, or in two places" "" "$(diff all there)"
	[ -d m.back/tree/above/bad ]
	ok "$rule: that directory is not removed"
	rm -rf "$work/before"

	tree
	cp -a m.back/tree to
	fault m add "$rule"
	run "$rule: compare" 1 compare m/tree to
	! grep -q 'only in to/*: above/bad' "$out"
	ok "$rule: does not say that what was not seen is not there"
done
done_testing
