#!/bin/sh
# SPDX-License-Identifier: MIT
#
# A job that was cut off and resumed ends as one that was not.
. "$(dirname "$0")/common.sh"

# make DIRECTORY COUNT: a tree of old files.
make() {
	mkdir -p "$1/a" "$1/b/c"
	make_i=0
	while [ $make_i -lt "$2" ]; do
		echo "$make_i" >"$1/a/$make_i"
		echo "$make_i $make_i" >"$1/b/c/$make_i"
		make_i=$((make_i + 1))
	done
	find "$1" -exec touch -h -d 2020-01-01 {} +
}

# killed MS ARGUMENTS...: runs it, slowed down, and kills it after so many milliseconds.
killed() {
	killed_ms=$1
	shift
	verb=$1
	shift
	timeout -s KILL "$(printf '0.%03d' "$killed_ms")" "$iobatch" "$verb" ${executor:+--executor=$executor} \
		--delay-ms=1 --batch-size=2 --max-concurrent=2 "$@" >"$out" 2>"$err"
}

make source 40
count=$(find source | wc -l)
for ms in 20 60 90; do
	rm -rf copied j
	killed $ms copy source copied --journal=j
	exits "a copy that was killed after $ms ms" 0 copy source copied --journal=j --resume --result=result.json
	same "is whole when it was resumed" source copied
	rm -rf left j
	cp -a source left
	killed $ms remove left --journal=j
	exits "a removal that was killed after $ms ms" 0 remove left --journal=j --resume
	[ ! -e left ]
	ok "is one"
	rm -rf from to j
	cp -a source from
	killed $ms move --one-by-one from to --journal=j
	exits "a move that was killed after $ms ms" 0 move --one-by-one from to --journal=j --resume
	[ ! -e from ]
	ok "has left nothing behind"
	# Taking the first file out of a directory has changed its time, which nobody knows any more.
	find to -type d -exec touch -d 2020-01-01 {} +
	same "and moved all" source to
	rm -f m j
	killed $ms hash source --manifest=m --journal=j
	exits "a manifest that was killed after $ms ms" 0 hash source --manifest=m --journal=j --resume
	is "has all lines" $((count - 4)) "$(wc -l <m)"
done

rm -rf copied j
exits "a copy that is done" 0 copy source copied --journal=j
exits "and resumed" 0 copy source copied --journal=j --resume --result=result.json
ran_on result.json
is "does its directories only" 4 "$(value result.json total_processed)"
is "and counts what was done" $((count - 4)) "$(value result.json resumed done)"
holds "in the summary too" "$err" "$((count - 4)) done before"
sleep 0.05
echo changed >source/a/7
exits "a file that was changed since" 0 copy source copied --journal=j --resume --result=result.json
is "is copied again" changed "$(cat copied/a/7)"
is "and counted" 1 "$(value result.json resumed changed)"
holds "and said" "$err" "1 that were done have changed since"

printf 'source/a/1\nnone\nsource/a/2\n' >names
exits "a list with a name that is not there" 1 hash --files-from=names --root=. --algorithm=xxh3 --journal=jn
cp source/a/3 none
exits "--resume-failed for a report" 0 hash --files-from=names --root=. --algorithm=xxh3 --journal=jn --resume-failed
is "has a line of each" 3 "$(wc -l <"$out")"
exits "--resume-failed for one that cannot take over what is known" 2 stat --files-from=names --root=. --journal=jn --resume-failed
printf 'x\ny\nz\n' >missing
touch x z
exits "a job with failures" 1 chmod 600 --files-from=missing --root=. --journal=jm
touch y
exits "--resume-failed" 0 chmod 600 --files-from=missing --root=. --journal=jm --resume-failed --result=result.json
is "does what has failed" 1 "$(value result.json total_processed)"
is "and nothing else" 1 "$(value result.json resumed failed)"
is "so that it is done" "600 600 600" "$(echo $(stat -c %a x y z))"
exits "the journal then" 0 journal jm
holds "has no failures" "$out" "3 done, 0 skipped, 0 failed"
exits "--resume with nothing to resume" 0 chmod 600 --files-from=missing --root=. --journal=jnew --resume
[ -s jnew ]
ok "begins a journal"

# Names from standard input, which are other ones in part the second time.
touch p q r
printf 'p\nq\nlater\n' | "$iobatch" chmod 640 --files-from=- --root=. --journal=ji ${executor:+--executor=$executor} >"$out" 2>"$err"
is "a list from standard input, of which one is not there" 1 $?
touch later
printf 'p\nq\nlater\nr\n' |
	"$iobatch" chmod 640 --files-from=- --root=. --journal=ji --resume --result=result.json ${executor:+--executor=$executor} >"$out" 2>"$err"
is "resumed with one more" 0 $?
is "what has failed and what is new is done" "2 2" "$(value result.json total_processed) $(value result.json resumed done)"
is "so that all are" "640 640 640 640" "$(echo $(stat -c %a p q r later))"

# Ranges of one file: each is an item, and what is behind the end of the file then is new.
head -c 20480 /dev/urandom >ranged
touch -d 2020-01-01 ranged
sleep 0.05
printf 'items: {range: {path: ranged, block_size: 4096}}\nprocessor: {read: {}}\noptions: {journal: {file: jr}}\n' >job.yaml
exits "ranges of a file" 0 run job.yaml --result=result.json
is "are items" 5 "$(value result.json successful)"
exits "resumed" 0 run job.yaml --resume --result=result.json
is "are done" "0 5" "$(value result.json total_processed) $(value result.json resumed done)"
sleep 0.05
head -c 4096 /dev/urandom >>ranged
exits "of a file that has grown" 0 run job.yaml --resume --result=result.json
is "all are done again, since it has changed" "6 5" "$(value result.json total_processed) $(value result.json resumed changed)"
done_testing
