#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Trees whose paths are longer than what a system call takes, and 2,000 directories deep.
. "$(dirname "$0")/common.sh"

# 250 directories in each other: as many as one system call can name, by far.
part=$(printf 'name-10-ch/%.0s' $(seq 250))
mkdir deep
(
	cd deep || exit
	for i in 1 2 3 4 5 6 7 8; do
		mkdir -p "$part" && cd -P "$part" || exit
		[ $((i % 2)) -ne 0 ] || echo "$((i * 250 - 1))" >file
	done
) 2>/dev/null
is "the tree is deep" 2005 "$(find deep -printf .| wc -c)"

exits "copy" 0 copy deep copied --result result.json
is "each of them" 2005 "$(value result.json successful)"
is "the files with it" "499 999 1499 1999 " "$(find copied -type f -execdir cat {} + | sort -n | tr '\n' ' ')"
exits "hash" 0 hash deep
is "the files" 4 "$(grep -c 'file) = ' "$out")"
exits "stat" 0 stat -r deep
is "all" 2005 "$(wc -l <"$out" | tr -d ' ')"
exits "chmod" 0 chmod -r go= copied
is "all, too" "" "$(find copied -perm /077 -printf .)"
exits "move" 0 move --one-by-one copied moved
is "from one place" "" "$(ls -d copied 2>/dev/null)"
is "to the other" 2005 "$(find moved -printf . | wc -c)"
exits "remove" 0 remove deep moved
is "all of it" "result.json" "$(ls)"

# Names as long as they can be.
mkdir long
longest=$(printf '%0255d' 7)
echo a >"long/$longest"
exits "a name of 255 bytes" 0 copy long to
is "is copied" a "$(cat "to/$longest")"
exits "is written over" 0 copy long/ to
exits "is moved" 0 move --one-by-one to to2
exits "is hashed" 0 hash to2
exits "is removed" 0 remove to2 long
done_testing
