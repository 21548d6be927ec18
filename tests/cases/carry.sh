#!/bin/sh
# SPDX-License-Identifier: MIT
#
# A manifest or a report is a whole only with all items. A run that goes on with an earlier one takes
# what that one has found out, does not read it again, and writes what one run would have written.
. "$(dirname "$0")/common.sh"

# column N: the sum of this column of what is done in the journal j.
column() {
	awk -F'\t' -v n="$1" '$1 == "done" { sum += n == 1 ? 1 : $n } END { print sum + 0 }' j
}

# all FIELD...: of the result.
all() {
	value result.json "$@"
}

# Names that a manifest has to escape, files of no block, of one and of several; older than any run.
mkdir -p source/a source/b/c
i=0
while [ $i -lt 30 ]; do
	echo "$i" >"source/a/$i"
	echo "$i $i" >"source/b/c/$i"
	i=$((i + 1))
done
: >source/none
head -c 1000000 /dev/urandom >source/large
echo newline >"source/a/new
line"
echo bytes >"$(printf 'source/a/\377\376')"
echo backslash >'source/a/back\slash'
find source -exec touch -h -d 2020-01-01 {} +
# Their status is from now, and the clock of files ticks coarsely.
sleep 0.05
(cd source && find . -type f ! -name 'new*' | sed 's,^\./,,' | sort) >names
count=$(find source -type f -print0 | tr -dc '\0' | wc -c)
bytes=$(find source -type f -printf '%s\n' | awk '{ sum += $1 } END { print sum }')

# Halted in the middle, exactly there: one item at a time, and one of them is not there.
head -n 20 names >list
echo missing >>list
tail -n +21 names >>list
listed=$(wc -l <list)
for algorithm in xxh3 xxh3-128 sha256 blake2b crc32c; do
	rm -f source/missing j m
	exits "$algorithm: a manifest that was halted" 5 hash --files-from=list --root=source --algorithm=$algorithm \
		--manifest=m --journal=j --halt=1 --batch-size=1 --max-concurrent=1
	[ ! -e m ]
	ok "$algorithm: is not there"
	done_before=$(column 1)
	is "$algorithm: what was before is done" 20 "$done_before"
	echo there >source/missing
	touch -d 2020-01-01 source/missing
	exits "$algorithm: and resumed" 0 hash --files-from=list --root=source --algorithm=$algorithm \
		--manifest=m --journal=j --resume --result=result.json
	ran_on result.json
	holds "$algorithm: says so" "$err" "$done_before of them done before"
	is "$algorithm: all count" "$listed 0" "$(all total_processed) $(all failed_count)"
	is "$algorithm: none of them was read again" "$done_before" "$(all resumed carried)"
	is "$algorithm: and bytes say so" "$(column 5)" "$(($(all bytes) + $(awk -F'\t' '$1 == "end" { print $9; exit }' j)))"
	exits "$algorithm: one that was not interrupted" 0 hash --files-from=list --root=source --algorithm=$algorithm --manifest=one
	cmp -s m one
	ok "$algorithm: writes the same"
done
exits "sha256" 0 hash source --algorithm=sha256 --manifest=m --journal=jm
sha256sum -c --strict --quiet m >"$out" 2>&1
ok "is what sha256sum takes"
rm source/missing

# killed MS ARGUMENTS...: runs it, slowed down, and kills it after so many milliseconds.
killed() {
	killed_ms=$1
	shift
	timeout -s KILL "$(printf '0.%03d' "$killed_ms")" "$iobatch" "$@" ${executor:+--executor=$executor} \
		--delay-ms=2 --batch-size=2 --max-concurrent=2 >"$out" 2>"$err"
}

exits "a tree" 0 hash source --algorithm=sha256 --manifest=one
for ms in 20 60 90; do
	rm -f m j
	killed $ms hash source --algorithm=sha256 --manifest=m --journal=j
	done_before=$("$iobatch" journal j 2>"$err" | sed -n 's/^items: *\([0-9]*\) done.*/\1/p')
	exits "a tree that was killed after $ms ms" 0 hash source --algorithm=sha256 --manifest=m --journal=j --resume --result=result.json
	is "is done" "$count 0" "$(all total_processed) $(all failed_count)"
	cmp -s m one
	ok "and its manifest the same"
	# It may have been killed before it had a journal.
	[ "${done_before:-0}" -eq 0 ] || is "with what was known" "$done_before" "$(all resumed carried)"
	is "each item is in the journal once" "$count" "$(column 1)"
	exits "once more" 0 hash source --algorithm=sha256 --manifest=m --journal=j --resume --result=result.json
	is "nothing is read" "$count 0" "$(all resumed carried) $(all bytes)"
	is "and nothing written twice" "$count" "$(column 1)"
	cmp -s m one
	ok "and the manifest is there"
done
exits "to standard output" 0 hash source --algorithm=sha256 --journal=jt
cmp -s "$out" one
ok "as to a file"
exits "and resumed" 0 hash source --algorithm=sha256 --journal=jt --resume --result=result.json
cmp -s "$out" one
ok "it is the same"
is "without reading" 0 "$(all bytes)"
refused=$(grep -c 'done again' "$err")
is "and nothing is said to be done again" 0 "$refused"

# What has changed, is gone, or is new.
sleep 0.05
echo changed >source/a/7
rm source/a/8
echo new >source/a/new
exits "what has changed" 0 hash source --algorithm=sha256 --manifest=m --journal=j --resume --result=result.json
is "is read again, and what is new" "12 $((count - 2))" "$(all bytes) $(all resumed carried)"
is "and counted" 1 "$(all resumed changed)"
holds "and said" "$err" "1 that were done have changed since"
exits "as in a run of its own" 0 hash source --algorithm=sha256 --manifest=one
cmp -s m one
ok "the manifest is that of what is there"

# A name that a list has and that is gone: its line would be a lie.
printf 'a/1\na/2\n' >names
exits "a list" 0 hash --files-from=names --root=source --algorithm=sha256 --manifest=m --journal=jl
mv source/a/2 kept
exits "of which a name is gone" 1 hash --files-from=names --root=source --algorithm=sha256 --manifest=m --journal=jl --resume --result=result.json
is "says so" "1 1" "$(all failed_count) $(all resumed changed)"
is "and has no line of it" 1 "$(wc -l <m)"
mv kept source/a/2
sleep 0.05
exits "--resume-failed" 0 hash --files-from=names --root=source --algorithm=sha256 --manifest=m --journal=jl --resume-failed --result=result.json
is "does what has failed, and has a line of all" "1 1 2" "$(all resumed failed) $(all resumed carried) $(wc -l <m)"
echo a/3 >>names
exits "and what was never tried" 0 hash --files-from=names --root=source --algorithm=sha256 --manifest=m --journal=jl --resume-failed --result=result.json
is "is none that was for failures alone" resume "$(awk -F'\t' '$1 == "run" { mode = $4 } END { print mode }' jl)"
is "belongs to it as well" "2 3" "$(all resumed carried) $(wc -l <m)"

# Another algorithm is another job; what was forced on it is not mistaken for its own.
exits "another algorithm" 4 hash --files-from=names --root=source --algorithm=blake2b --manifest=m --journal=jl --resume
exits "that is forced" 0 hash --files-from=names --root=source --algorithm=blake2b --manifest=m --journal=jl --resume --force --result=result.json
is "reads all" 0 "$(all resumed carried)"
b2sum -c --strict --quiet m >"$out" 2>&1
ok "and is right"

# verify: the report of what was verified, and of what has failed.
exits "a manifest" 0 hash source --algorithm=sha256 --manifest=m
cat source/a/3 >was
echo other >source/a/3
exits "verified" 1 verify m --report=r --journal=jv
exits "and resumed" 1 verify m --report=r --journal=jv --resume --result=result.json
is "does what has failed again" "1 1" "$(all resumed failed) $(all failed_count)"
is "and carries the rest" "$(($(wc -l <m) - 1))" "$(all resumed carried)"
holds "and says what it said" r "source/a/3: FAILED"
is "of all" "$(wc -l <m)" "$(wc -l <r)"
cat was >source/a/3
sleep 0.05
exits "--resume-failed" 0 verify m --report=r --journal=jv --resume-failed --result=result.json
is "does that alone" "$(stat -c %s source/a/3) 1" "$(all bytes) $(all resumed failed)"
is "and all are as they should be" "$(wc -l <m)" "$(grep -c ': OK$' r)"
sleep 0.05
echo worse >source/a/5
exits "what has changed" 1 verify m --report=r --journal=jv --resume --result=result.json
is "is looked at again" "1 1" "$(all resumed changed) $(all failed_count)"
holds "and found" r "source/a/5: FAILED"

# write: what is made is made once, and has the content that it would have had.
for manifest in --manifest=m ""; do
	rm -rf made jw m
	mkdir made
	exits "files that are made in one run ($manifest)" 0 write 'made/{index}' --count=20 --length=5000 $manifest
	mv made whole
	[ -z "$manifest" ] || mv m one
	mkdir made
	echo taken >made/7
	exits "and in one that is halted ($manifest)" 5 write 'made/{index}' --count=20 --length=5000 $manifest \
		--journal=jw --halt=1 --batch-size=1 --max-concurrent=1
	is "early ($manifest)" 8 "$(ls made | wc -l)"
	rm made/7
	exits "and resumed ($manifest)" 0 write 'made/{index}' --count=20 --length=5000 $manifest \
		--journal=jw --resume --result=result.json
	is "makes the rest ($manifest)" "$((13 * 5000))" "$(all bytes)"
	diff -r made whole >"$out"
	ok "as one run would have ($manifest)"
	[ -z "$manifest" ] || cmp -s m one
	ok "with its manifest ($manifest)"
	rm -rf whole
done

# The others do it all again, and say so.
exits "stat" 0 stat source --journal=js --report=s
exits "and resumed" 0 stat source --journal=js --report=s --resume
holds "does all again" "$err" "those that are done are done again"
exits "and no less" 2 stat source --journal=js --report=s --resume-failed
done_testing
