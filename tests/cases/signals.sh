#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# A run that is sent signals: it ends early and accounts for all, says how far it is, and stops and
# goes on as a job of a shell does.
. "$(dirname "$0")/attended.sh"
. "$(dirname "$0")/common.sh"

mkdir tree
for i in $(seq 200); do
	echo "$i" >tree/$i
done
# Never at its end before it is told to end: there is a pause between any two items of a window.
slow="--batch-size=4 --max-concurrent=2 --delay-ms=400"

# ---- once: drains
for with in "" --timeout-ms=60000; do
	for what in INT:130 TERM:143 HUP:129; do
		signal=${what%:*}
		# shellcheck disable=SC2086 # words
		start hash $slow $with tree
		until_true has_settled 2
		kill -"$signal" $pid
		ends "SIG$signal${with:+ with a deadline}" "${what#*:}"
		accounts "and each item has its outcome"
		[ "$(value result.json total_processed)" -lt 200 ]
		ok "and not all were taken"
		is "what did not start was cancelled" ECANCELED "$(value result.json failed 0 error)"
		is "before its first attempt" 0 "$(value result.json failed 0 attempts)"
		holds "it says so" "$err" "iobatch: draining: "
		holds "and how to cancel" "$err" "in flight; once more to cancel"
		holds "it counts what was cancelled" "$err" "items were cancelled"
		is "and names none of them" 0 "$(grep -c ECANCELED "$err")"
		[ ! -e socket ]
		ok "the socket is gone"
	done
done
start hash $slow --progress=json tree
until_true has_settled 2
kill -INT $pid
ends "with JSON on stderr" 130
is "nothing else is there but why it ended" 1 "$(grep -vc '^{.*}$' "$err")"
holds "in the words of the library" "$err" "iobatch: hash: the run was drained"

start hash $slow tree
until_true has_settled 2
ask pause
until_true has_state paused
kill -INT $pid
ends "SIGINT of a paused run" 130
accounts "which accounts as well"

# ---- twice: cancels
mkfifo pipe1 pipe2 pipe3
ls -d pipe? >list
cat >job.yaml <<'END'
items: {list: {file: list}}
processor: {steps: [{openat: {path: "{path}", flags: [rdwr], as: p}}, {read: {file: p, length: 1}}]}
options: {batch_size: 1, max_concurrent: 2}
END
draining() {
	grep -q "^iobatch: draining: 2 in flight" "$err"
}
start run job.yaml
kill -INT $pid
until_true draining
ok "what is in flight is waited for"
has_state ending
ok "the state is ending"
# Whoever means it twice takes longer than a group that is told twice.
sleep 0.2
kill -INT $pid
ends "SIGINT twice" 130
is "cancels what is in flight" 2 "$(value result.json failed_count)"
is "which has failed" ECANCELED "$(value result.json failed 0 error)"
is "in its operation" read "$(value result.json failed 0 op)"
accounts "and each has its outcome"
holds "it says so" "$err" "iobatch: cancelling"

start run job.yaml
kill -INT $pid
kill -INT $pid
until_true draining
ok "twice at once is once"
until_true has_state ending
sleep 0.2
kill -TERM $pid
ends "the first signal decides" 130

# ---- a copy leaves nothing behind
mkdir big
for i in $(seq 8); do
	head -c 16M /dev/urandom >big/$i
done
for when in 0 1 2; do
	rm -rf to
	mkdir to
	start copy --reflink=never --batch-size=1 --max-concurrent=2 --delay-ms=1000 big to/
	until_true has_settled $when
	kill -INT $pid
	if [ $when -eq 0 ]; then
		sleep 0.2
		kill -INT $pid 2>/dev/null
	fi
	ends "SIGINT of a copy of which $when are done" 130
	is "no temporaries" "" "$(find to -name '.*.iobatch-*')"
	is "and what is there is whole" "" "$(cd to/big && for file in *; do
		[ "$file" = '*' ] || cmp "$file" ../../big/"$file" 2>&1
	done)"
done

# ---- how far it is
status() {
	grep -q "^iobatch: hash: $1: [0-9]* of at least [0-9]*, 0 failed, [0-9]* in flight, " "$err"
}
start hash $slow tree
until_true has_settled 2
kill -USR1 $pid
until_true status running
ok "SIGUSR1 says how far it is"
ask pause
: >"$err"
kill -USR1 $pid
until_true status paused
ok "and that it is paused"
kill -TERM $pid
ends "it goes on after that" 143

# The job does not come before the signal has.
mkfifo slow.yaml
catches_usr1() {
	caught=$(sed -n 's/^SigCgt:[^0-9a-f]*//p' /proc/$pid/status)
	[ $((0x${caught: -4} & 0x200)) -ne 0 ]
}
"$iobatch" run slow.yaml >"$out" 2>"$err" &
pid=$!
until_true catches_usr1
ok "SIGUSR1 is caught before there is a run"
kill -USR1 $pid
printf 'items: {list: {file: list}}\nprocessor: {nop: {}}\n' >slow.yaml
ends "and does not kill" 0

# ---- stops and goes on
for with in "" --timeout-ms=60000; do
	for whom in "" -; do
		# shellcheck disable=SC2086
		start hash --batch-size=4 --max-concurrent=2 --delay-ms=20 $with tree
		until_true has_settled 2
		kill -TSTP $whom$pid
		until_true is_in_state $pid T
		ok "SIGTSTP${whom:+ of the group}${with:+ with a deadline}: it stops"
		child=$(cat /proc/$pid/task/$pid/children)
		[ -z "$child" ] || until_true is_in_state $child T
		ok "all of it"
		is "the shell sees it" Stopped "$(jobs -l | sed -n 's/.*\(Stopped\).*/\1/p')"
		kill -CONT $whom$pid
		ends "SIGCONT: it goes on to its end" 0
		is "and has lost nothing" 200 "$(value result.json successful)"
	done
done
start hash $slow tree
until_true has_settled 2
ask pause
until_true has_state paused
kill -TSTP $pid
until_true is_in_state $pid T
kill -CONT $pid
until_true has_state paused
ok "what was paused before it stopped is so afterwards"
kill -TERM $pid
ends "and can be ended" 143

# ---- ignored stays ignored
sh -c 'trap "" INT; exec "$@"' - "$iobatch" hash --batch-size=4 --max-concurrent=2 --delay-ms=20 \
	--control=socket --result=result.json tree >"$out" 2>"$err" &
pid=$!
until_true has_begun
kill -INT $pid
ends "SIGINT that is ignored" 0
is "ends nothing" 200 "$(value result.json successful)"

# ---- a storm
"$iobatch" hash ${executor:+--executor=$executor} tree >calm 2>"$err"
for with in "" --timeout-ms=60000; do
	# shellcheck disable=SC2086
	start hash --batch-size=4 --max-concurrent=2 --delay-ms=20 $with tree
	sent=0
	while kill -USR1 $pid 2>/dev/null && kill -WINCH $pid 2>/dev/null; do
		sent=$((sent + 1))
		sleep 0.001
	done
	ends "$sent times SIGUSR1 and SIGWINCH${with:+ with a deadline}" 0
	is "lose no item" 200 "$(value result.json successful)"
	cmp -s calm "$out"
	ok "and change nothing of the result"
done
done_testing
