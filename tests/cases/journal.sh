#!/bin/sh
# SPDX-License-Identifier: MIT
#
# A journal says what was done; it is whole or it is refused; one run at a time has it.
. "$(dirname "$0")/common.sh"

mkdir tree
for i in 1 2 3 4 5 6 7 8 9 10; do
	echo $i >"tree/$i"
done
touch "tree/new
line"
find tree -exec touch -h -d 2020-01-01 {} +

exits "a job with a journal" 0 copy tree copy --journal=j --batch-size=2
is "has a line for each item" 12 "$(awk -F'\t' '$1 == "done"' j | wc -l)"
is "with its escaped name" 1 "$(grep '^done' j | grep -cF 'tree/new\nline')"
is "and says how it ended" "complete 12 0 0 0 0" "$(awk -F'\t' '$1 == "end" { print $3, $4, $5, $6, $7, $8 }' j)"
is "for its owner only" 600 "$(stat -c %a j)"
exits "journal" 0 journal j
holds "says how many are done" "$out" "items:     12 done, 0 skipped, 0 failed"
holds "and of which job" "$out" "job:       copy"
exits "journal --check" 0 journal --check j
holds "says that it is whole" "$out" "lines are good"
exits "journal --failed" 0 journal --failed j
is "lists none" "" "$(cat "$out")"

exits "the same journal again, without --resume" 4 copy tree other --journal=j
holds "is refused" "$err" "iobatch: j: there is such a file already"
[ ! -e other ]
ok "and nothing was touched"
cp j before
exits "another job" 4 copy tree other --journal=j --resume
holds "is refused, too" "$err" "this is the journal of another job"
[ ! -e other ] && cmp -s j before
ok "and nothing was touched"
exits "but not with --force" 0 copy tree other --journal=j --resume --force

printf 'aa\nbb\n' >names
printf '%s\0' aa 'b
b' >nul
exits "items that fail" 1 hash --files-from=nul --null --root=. --journal=jf
exits "are listed" 0 journal --failed jf
is "a line each" 'aa
b\x0ab' "$(sort "$out")"
exits "or as they are" 0 journal --failed -0 jf
# In the order in which they have failed.
sort -z "$out" | cmp -s - nul
ok "with a NUL behind each"
exits "and summed up" 0 journal jf
holds "by what was wrong" "$out" "2 x ENOENT"

size=$(stat -c %s before)
last=$(tail -n 1 before | wc -c)
bad=0
cut=1
while [ $cut -le "$last" ]; do
	head -c $((size - cut)) before >torn
	"$iobatch" journal --check torn >"$out" 2>"$err" || bad=$((bad + 1))
	cut=$((cut + 7))
done
is "a last line that was cut anywhere is a torn end" 0 $bad
head -c $((size - 9)) before >torn
exits "is left out" 0 copy tree copy --journal=torn --resume
holds "and that is said" "$err" "its end was torn"
exits "and gone" 0 journal --check torn

bad=0
for at in 3 60 200 500 700; do
	cp before flipped
	printf '\001' | dd of=flipped bs=1 seek=$at conv=notrunc 2>/dev/null
	"$iobatch" journal --check flipped >"$out" 2>"$err"
	[ $? -eq 1 ] || bad=$((bad + 1))
	"$iobatch" copy tree copy --journal=flipped --resume >"$out" 2>"$err"
	[ $? -eq 4 ] || bad=$((bad + 1))
done
is "a changed byte is refused wherever it is" 0 $bad
holds "with its place" "$err" "flipped: line "
exits "--repair" 0 journal --repair flipped
holds "cuts it off" "$out" "bytes were cut off"
exits "so that it can be resumed" 0 copy tree copy --journal=flipped --resume

exits "what is no journal" 4 copy tree copy --journal=names --resume
is "stays as it is" "aa bb" "$(echo $(cat names))"
exits "none at all" 2 journal missing
exits "none at all, to be resumed for failures" 2 copy tree copy --journal=missing --resume-failed
exits "a device" 2 copy tree nothing --journal=/dev/full
mkdir directory
ln -s nowhere dangling
for name in /dev/full directory dangling; do
	for way in "" --resume --resume-failed; do
		# shellcheck disable=SC2086 # nothing or a word
		"$iobatch" copy tree nothing --journal=$name $way >"$out" 2>"$err" && echo yes >nothing
		[ $? -ne 2 ] && echo "$name $way" >>nothing
	done
done
[ ! -e nothing ] && [ ! -e nowhere ]
ok "and what else is no file"
holds "is refused with its name" "$err" "iobatch: dangling: "
[ ! -e nothing ]
ok "is refused before anything is done"
exits "a directory that is not there" 2 copy tree nothing --journal=missing/j
exits "a name that is too long" 2 copy tree nothing --journal=$(printf '%0300d' 0)
exits "--journal-sync without a journal" 2 copy tree nothing --journal-sync=item
holds "says what it needs" "$err" "--journal-sync needs --journal=FILE"
: >empty
exits "an empty file" 0 journal empty
holds "says that no run has begun" "$out" "no run has begun"
exits "can be resumed" 0 copy tree copy --journal=empty --resume
"$iobatch" copy tree copy --print-job >job.yaml 2>"$err"
for name in '[x' '"x' '{x' '!bytes "x"' 'a b' "$(printf 'caf\351')"; do
	"$iobatch" run job.yaml --journal "$name" >"$out" 2>"$err" && [ -s "$name" ] || echo "$name" >>wrong
done
[ ! -e wrong ]
ok "the name of a journal is taken as it stands"
exits "--resume without a journal" 2 copy tree copy --resume
holds "says what it needs" "$err" "--journal FILE"
exits "--force alone" 2 copy tree copy --journal=j3 --force
exits "both" 2 copy tree copy --journal=j --resume --resume-failed
if can_be_nobody; then
	mkdir closed
	chmod 755 closed
	chmod -R a+rX tree
	as_nobody "$iobatch" copy tree nothing --journal=closed/j >"$out" 2>"$err"
	is "a directory that cannot be written" 3 $?
	[ ! -e nothing ]
	ok "and nothing was done"
else
	skip "a directory that cannot be written" "there is no setpriv"
fi

exits "a journal in the tree" 0 remove tree/1 --journal=tree/j
mkdir own
echo a >own/a
exits "is no item" 0 copy own copied --journal=own/j
is "of it" "a" "$(ls copied)"

if command -v python3 >/dev/null; then
	cat >"$work/lock.py" <<-'END'
		import fcntl, os, struct, sys, subprocess
		fd = os.open(sys.argv[1], os.O_RDWR)
		fcntl.fcntl(fd, 37, struct.pack('hhqqi4x', fcntl.F_WRLCK, 0, 0, 0, 0))
		sys.exit(subprocess.call(sys.argv[2:]))
	END
	python3 "$work/lock.py" jf "$iobatch" hash --files-from=nul --null --root=. --journal=jf --resume >"$out" 2>"$err"
	is "a journal that another run has" 4 $?
	holds "says so" "$err" "another run has it"
else
	skip "a journal that another run has" "there is no python3"
fi

if unshare -m true 2>/dev/null; then
	mkdir small many
	i=0
	while [ $i -lt 400 ]; do
		: >"many/a-name-that-is-not-short-at-all-so-that-it-takes-some-room-$i"
		i=$((i + 1))
	done
	unshare -m sh -c "mount -t tmpfs -o size=16k none small &&
		'$iobatch' touch -r many ${executor:+--executor=$executor} --journal=small/j --journal-sync=none --batch-size=4 --max-concurrent=1 --delay-ms=1 --result=result.json;
		echo \$?; '$iobatch' journal --check small/j" >"$out" 2>"$err"
	is "a journal that cannot be written" 3 "$(head -n 1 "$out")"
	holds "says so" "$err" "journal: "
	is "ends the run" error "$(value result.json end)"
	[ "$(value result.json total_processed)" -lt 401 ]
	ok "early"
	holds "and stays good as far as it goes" "$out" "lines are good"
else
	skip "a journal that cannot be written" "mounting is not allowed here"
fi
done_testing
