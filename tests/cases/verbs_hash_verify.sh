#!/bin/sh
# SPDX-License-Identifier: MIT
#
# hash and verify speak with sha256sum, b2sum and xxhsum, in both directions.
. "$(dirname "$0")/common.sh"
. "$(dirname "$0")/odd_tree.sh"

odd_tree tree
rm tree/sparse
files=$(find tree -type f -printf . | wc -c)

# check NAME COMMAND...: the lines of $out are all right, in the eyes of that command.
for pair in sha256:sha256sum blake2b:b2sum xxh3:xxhsum xxh3-128:xxhsum; do
	algorithm=${pair%:*}
	sum=${pair#*:}
	command -v "$sum" >/dev/null || { skip "$sum" "it is not here"; continue; }
	exits "hash -a $algorithm" 0 hash -a "$algorithm" tree
	cp "$out" manifest
	is "$algorithm: a line for each file" "$files" "$(wc -l <manifest | tr -d ' ')"
	# xxhsum knows no escapes.
	[ "$sum" != xxhsum ] || grep -v '^\\' manifest >plain
	[ "$sum" = xxhsum ] || cp manifest plain
	"$sum" -c plain >"$out" 2>"$err"
	ok "$algorithm: $sum checks it"
	exits "verify what hash has written ($algorithm)" 0 verify manifest --result result.json
	is "$algorithm: each is OK" "$files" "$(grep -c ': OK$' "$out")"
	is "$algorithm: each was an item" "$files" "$(value result.json successful)"
done
for sum in sha256sum b2sum; do
	find tree -type f -exec "$sum" {} + >manifest
	exits "verify what $sum has written" 0 verify --quiet manifest
	is "$sum: --quiet prints no line" "" "$(cat "$out")"
	find tree -type f -exec "$sum" --tag {} + >manifest
	exits "verify what $sum --tag has written" 0 verify --quiet manifest
done
if command -v xxhsum >/dev/null; then
	find tree -type f ! -name '*[\\
]*' -exec xxhsum -H3 {} + >manifest 2>/dev/null
	exits "verify what xxhsum has written" 0 verify --quiet manifest
fi
sha256sum "tree/.hidden" | "$iobatch" verify - >"$out" 2>"$err"
says "a manifest from standard input" "$out" "tree/.hidden: OK"

exits "hash --manifest" 0 hash -a sha256 --manifest=m tree
is "prints nothing" "" "$(cat "$out")"
cp m whole
echo changed >>tree/.hidden
rm tree/-n
exits "verify of what has changed" 1 verify m
holds "FAILED" "$out" "tree/.hidden: FAILED"
holds "MISSING" "$out" "tree/-n: MISSING"
is "and all others are OK" $((files - 2)) "$(grep -c ': OK$' "$out")"
holds "the summary" "$err" "2 failed"
exits "verify --quiet" 1 verify --quiet m
is "prints those only" 2 "$(wc -l <"$out" | tr -d ' ')"
exits "verify --report" 1 verify --report=report m
is "prints nothing" "" "$(cat "$out")"
holds "but writes a file" report "tree/.hidden: FAILED"
(cd tree && sha256sum .hidden) >rooted
exits "verify --root" 0 verify --root=tree rooted
says "looks below it" "$out" "tree/.hidden: OK"
echo "no line of a manifest" >bad
exits "what is no manifest" 1 verify bad
exits "a manifest that is not there" 2 verify gone
holds "is named" "$err" "iobatch: gone: No such file or directory"
exits "an algorithm that there is not" 2 hash -a md5 tree
holds "is refused with those that there are" "$err" 'iobatch: --algorithm: must be one of xxh3, xxh3-64, xxh3-128, sha256, crc32c, blake2b, not "md5"'
done_testing
