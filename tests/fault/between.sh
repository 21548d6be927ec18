#!/bin/sh
# SPDX-License-Identifier: MIT
#
# What somebody does to a journal or to its items while a run goes on, or between one that was killed
# and the one that resumes it. The fifth argument is where kill_at is.
kill_at=$(realpath "$5")/kill_at
. "$(dirname "$0")/mounts.sh"

complain() {
	wrong="$wrong $1;"
}

# make DIRECTORY: three old files.
make() {
	rm -rf "$1"
	mkdir "$1"
	for file in 1 2 3; do
		echo "old $file" >"$1/$file"
	done
	find "$1" -exec touch -d 2020-01-01 {} +
}

# job KILL_AT WATCHED VERB ARGUMENTS...: with the journal j, an item at a time, killed at an event.
job() {
	when=$1
	watched=$2
	shift 2
	timeout -s KILL 60 "$kill_at" "$when" $watched -- "$iobatch" "$@" --executor=$executor --batch-size=1 \
		--max-concurrent=1 --progress none --result result.json --journal=j >"$out" 2>"$err"
	status=$?
}

# New files by the old names: what was done before is not done to them blindly. A move has copied
# what was there; what is there now is another file, which is to arrive, too.
mkdir other
mount_fs other tmpfs 16M
for to in to other/to; do
	[ $to = to ] || mountpoint -q other || break
	rm -rf j
	make from
	job 0 "from other" move --one-by-one from $to
	total=$(tail -n 1 "$out")
	bad=
	at=1
	renewed=0
	while [ $at -le "$total" ]; do
		wrong=
		rm -rf $to j
		make from
		job $at "from other" move --one-by-one from $to
		for file in 1 2 3; do
			if [ -e from/$file ]; then
				echo "new $file" >from/$file
				renewed=$((renewed + 1))
				expected="new $file"
			else
				expected="old $file"
			fi
			echo "$expected" >>expected
		done
		job 0 . move --one-by-one from $to --resume
		[ $status -eq 0 ] || complain "exit status $status: $(head -n 1 "$err")"
		[ "$(cat $to/1 $to/2 $to/3)" = "$(cat expected)" ] || complain "arrived: $(cat $to/* | tr '\n' ' ')"
		[ ! -e from ] || complain "not all was moved"
		rm expected
		[ -z "$wrong" ] || bad="$bad [$at:$wrong]"
		at=$((at + 1))
	done
	is "a move to $to killed at $total moments, and what was left changed: the new arrives" "" "$bad"
	[ $renewed -gt "$total" ]
	ok "and there was something left"
done

# A file that appears under a name whose removal was intended is what a removal finds there, or not.
rm -f j
make from
job 0 from remove from
total=$(tail -n 1 "$out")
bad=
at=1
while [ $at -le "$total" ]; do
	wrong=
	rm -rf j
	make from
	job $at from remove from
	gone=$([ -e from/1 ] || echo yes)
	mkdir -p from/new
	echo new >from/1
	job 0 . remove from --resume
	[ $status -eq 0 ] || complain "exit status $status: $(head -n 1 "$err")"
	[ ! -e from ] || complain "left: $(find from)"
	[ "$(value result.json failed_count)" = 0 ] || complain "failures"
	[ -z "$wrong" ] || bad="$bad [$at, 1 gone: $gone:$wrong]"
	at=$((at + 1))
done
is "a removal killed at $total moments, and something new there: is removed, too" "" "$bad"

# What a job has changed itself has not been changed since; what somebody else has, is done again.
for change in "chmod -r 600" "touch -r --date=2001-01-01T00:00:00Z" "truncate -r --length=3"; do
	rm -f j
	make from
	job 0 . $change from
	is "$change" 0 $status
	job 0 . $change from --resume
	is "$change, resumed: is done" 3 "$(value result.json resumed done)"
	is "$change, resumed: and was not changed since" 0 "$(value result.json resumed changed)"
	echo changed >from/2
	chmod 644 from/2
	job 0 . $change from --resume
	is "$change, resumed when one was changed: does that" 1 "$(value result.json resumed changed)"
	is "$change, resumed when one was changed: and no other" 2 "$(value result.json resumed done)"
done

# A name that is taken when a rename is resumed.
rm -f j
make from
printf 'from/1\n' >list
job 0 from rename --files-from=list --to='{stem}.new' --existing=fail
total=$(tail -n 1 "$out")
is "a rename" 0 $status
bad=
at=1
while [ $at -le "$total" ]; do
	wrong=
	rm -rf j
	make from
	job $at from rename --files-from=list --to='{stem}.new' --existing=fail
	if [ -e from/1 ]; then
		echo other >from/1.new
		job 0 . rename --files-from=list --to='{stem}.new' --existing=fail --resume
		[ $status -eq 1 ] || complain "exit status $status"
		[ "$(cat from/1) $(cat from/1.new)" = "old 1 other" ] || complain "one is lost"
	else
		job 0 . rename --files-from=list --to='{stem}.new' --existing=fail --resume
		[ $status -eq 0 ] || complain "exit status $status: $(head -n 1 "$err")"
		[ "$(cat from/1.new)" = "old 1" ] || complain "it is lost"
	fi
	[ -z "$wrong" ] || bad="$bad [$at:$wrong]"
	at=$((at + 1))
done
is "a rename killed at $total moments, and its new name taken: nothing is lost" "" "$bad"

# The journal itself among what a job is about, by whatever name.
for way in name symbolic hard; do
	rm -rf j
	make from
	touch from/journal
	journal=from/journal
	case $way in
	symbolic) ln -s from/journal j && journal=j ;;
	hard) ln from/journal j && journal=j ;;
	esac
	timeout 60 "$iobatch" remove from --executor=$executor --journal=$journal --resume >"$out" 2>"$err"
	is "a removal of the directory that has its journal ($way)" 1 $?
	is "leaves the journal alone ($way)" journal "$(ls from)"
	"$iobatch" journal --check $journal >"$out" 2>"$err"
	ok "which says what was done ($way)"
	is "with its failure ($way)" 1 "$(grep -c '^failed' $journal)"
	make from
	rm -f j
	touch from/journal
	[ $way != hard ] || ln from/journal j
	[ $way != symbolic ] || ln -s from/journal j
	timeout 60 "$iobatch" copy from copied --executor=$executor --journal=$journal --resume >"$out" 2>"$err"
	is "a copy of the directory that has its journal ($way)" 0 $?
	is "leaves it out ($way)" "1 2 3" "$(echo $(ls copied))"
	rm -rf copied
done

# What is no file that can grow.
rm -f j
mkfifo j
exits "a journal that is a FIFO" 2 hash from --journal=j --resume
holds "is refused" "$err" "j: this is no regular file"
exits "a journal in no directory" 2 hash from --journal=nowhere/j --resume
holds "is refused, too" "$err" "nowhere/j: No such file or directory"
rm j
ln -s nothing j
exits "a journal that is a link to nothing" 2 hash from --journal=j --resume
holds "is refused" "$err" "j: it is a symbolic link to nothing"
rm j
mkdir j
exits "a journal that is a directory" 2 hash from --journal=j --resume
rmdir j

# No file may become so large. The shell's unit is half a kilobyte, or a whole one.
make from
i=0
while [ $i -lt 100 ]; do
	echo $i >"from/a name that takes some room in a journal, with the number $i"
	i=$((i + 1))
done
find from -exec touch -d 2020-01-01 {} +
for limit in 0 1 2 8; do
	rm -rf copied j
	(
		ulimit -f $limit
		exec timeout 60 "$iobatch" copy from copied --executor=$executor --progress none --journal=j
	) >/dev/null 2>"$work/limited"
	is "a journal that must not grow beyond $limit blocks: ends the run" 3 $?
	is "and nothing is left in part" "" "$(find . -name '*.iobatch-*')"
	if [ -e j ]; then
		"$iobatch" journal --check j >"$out" 2>"$err"
		ok "as far as it goes it is good"
	fi
	timeout 60 "$iobatch" copy from copied --executor=$executor --progress none --journal=j --resume >"$out" 2>"$err"
	is "and it is resumed" 0 $?
	same "so that all is there" from copied
done

# It is removed while the run goes on.
rm -rf copied j list
mkfifo list
timeout 60 "$iobatch" copy --files-from=list --root=from copied --executor=$executor --progress none --journal=j \
	>"$out" 2>"$err" &
running=$!
exec 3>list
printf '1\n' >&3
patiently test -s copied/1
rm j
printf '2\n' >&3
exec 3>&-
wait $running
is "a journal that is removed in mid-run" 3 $?
holds "is missed" "$err" "j: No such file or directory"
is "all is done nevertheless" "1 2" "$(echo $(ls copied))"
rm list

# Truncated or written to by somebody else: refused with the place, and mended by who says so.
rm -rf copied j
job 40 copied copy from copied
"$iobatch" journal --check j >"$out" 2>"$err"
truncate -s $(($(wc -c <j) / 2)) j
printf 'something else\nof somebody\n' >>j
job 0 . copy from copied --resume
is "a journal that somebody has written to" 4 $status
holds "is refused with the place" "$err" "line "
"$iobatch" journal --repair j >"$out" 2>"$err"
ok "can be mended"
job 0 . copy from copied --resume
is "and then resumed" 0 $status
same "so that all is there" from copied
job 0 . copy from copied --resume
is "and again" 0 $status
is "when nothing is left to be done" 0 "$(value result.json resumed failed)"

# From elsewhere the same names are other files.
mkdir elsewhere
(
	cd elsewhere
	mkdir from
	exec timeout 60 "$iobatch" copy from copied --executor=$executor --progress none --journal=../j --resume
) >"$out" 2>"$err"
is "resumed from another directory" 4 $?
holds "it is another job" "$err" "another job"
job 0 . copy ./from copied --resume
is "by another spelling of its root, too" 4 $status
done_testing
