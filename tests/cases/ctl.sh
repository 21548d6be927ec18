#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The control socket: who may use it, what can be said, and what becomes of the file.
. "$(dirname "$0")/attended.sh"
. "$(dirname "$0")/common.sh"

mkdir tree
for i in $(seq 200); do
	echo "$i" >tree/$i
done
slow="--batch-size=4 --max-concurrent=2 --delay-ms=1000"

# answers NAME CODE LINE WORD...
answers() {
	answers_name=$1
	answers_code=$2
	answers_line=$3
	shift 3
	ask "$@"
	is "$answers_name" "$answers_code" $?
	is "$answers_name: the answer" "$answers_line" "$(cat answer)"
}

mask=$(umask)
umask 0
start hash $slow tree
ok "it can be asked while it runs"
umask "$mask"
is "only by its owner" 600 "$(stat -c %a socket)"
if [ "$(id -u)" -eq 0 ] && can_be_nobody; then
	as_nobody "$iobatch" ctl socket cancel >"$out" 2>"$err"
	is "not by anybody else" 3 $?
	holds "who is told why" "$err" "iobatch: socket: Permission denied"
else
	skip "not by anybody else" "it takes root and setpriv to be somebody else"
fi
is "the state" running "$(value answer state)"
for key in in_flight items_per_s processed successful failed pending bytes retries elapsed_ms; do
	value answer $key >/dev/null
	ok "status has $key"
done
answers "pause" 0 ok pause
has_state paused
ok "it is paused"
answers "resume" 0 ok resume
has_state running
ok "it runs again"
answers "fewer batches" 0 ok set max_concurrent=1
answers "and more again" 0 ok set max_concurrent=2
answers "a rate" 0 ok set items_per_s=100
answers "more than the run began with" 1 "error: max_concurrent: out of range for this run" set max_concurrent=3
answers "none" 1 "error: max_concurrent: out of range for this run" set max_concurrent=0
answers "a number beyond all" 1 "error: delay_ms: out of range for this run" set delay_ms=99999999999999999999
answers "a negative number" 1 "error: delay_ms: a whole number is needed" set delay_ms=-1
answers "no number" 1 "error: delay_ms: a whole number is needed" set delay_ms=
answers "another key" 1 "error: batch_size: cannot be set: max_concurrent, delay_ms or items_per_s" set batch_size=1

exits "another word" 2 ctl socket stop
exits "no word" 2 ctl socket
exits "set without a value" 2 ctl socket set delay_ms
exits "a word with a value" 2 ctl socket pause delay_ms=1
exits "one argument too many" 2 ctl socket set delay_ms=1 1
exits "nobody there" 3 ctl elsewhere status
exits "a second run with the same socket" 2 hash --control=socket tree
holds "is told why" "$err" "iobatch: --control socket: another run listens there"
has_state running
ok "the first still has it"

answers "no delay" 0 ok set delay_ms=0
answers "no rate" 0 ok set items_per_s=0
answers "drain" 0 ok drain
ends "a run that is drained" 1
accounts "each item has its outcome"
[ ! -e socket ]
ok "the socket is gone"
exits "and nobody is there" 3 ctl socket status

mkfifo pipe
echo pipe >list
cat >job.yaml <<'END'
items: {list: {file: list}}
processor: {steps: [{openat: {path: "{path}", flags: [rdwr], as: p}}, {read: {file: p, length: 1}}]}
options: {batch_size: 1, max_concurrent: 2}
END
start run job.yaml
answers "cancel" 0 ok cancel
ends "a run that is cancelled" 1
is "what was in flight" ECANCELED "$(value result.json failed 0 error)"

# ---- the delay that holds from then on
start hash $slow tree
ask set delay_ms=0
ends "without the delay it is soon at its end" 0
is "with all items" 200 "$(value result.json successful)"

# ---- a socket that is left over
start hash $slow tree
kill -KILL $pid
wait $pid 2>/dev/null
[ -S socket ]
ok "a run that was killed leaves its socket"
exits "nobody is there" 3 ctl socket status
start hash $slow tree
ok "the next run takes its place"
# It is another's now: the run must not remove it.
mv socket moved
echo mine >socket
kill -TERM $pid
ends "the run ends" 143
is "a file in its place stays" mine "$(cat socket)"
exits "and is no place for a socket" 2 hash --control=socket tree
holds "as it says" "$err" "something else is there"
is "it is as it was" mine "$(cat socket)"
rm socket moved
exits "a directory that is not there" 2 hash --control=no/socket tree
exits "a path that is too long" 2 hash --control=$(printf '%0120d' 0) tree
holds "says what is possible" "$err" "a socket's path has at most 107 bytes"
exits "also for ctl" 2 ctl "$(printf '%0120d' 0)" status
exits "an empty path" 2 hash --control= tree
exits "also for ctl" 2 ctl "" status
exits "what is no socket" 3 ctl tree/1 status
holds "says so" "$err" "iobatch: tree/1: no run is there"
exits "a dry run" 2 hash --dry-run --control=socket tree
mkdir -m 700 locked
exec 9<locked
flock 9
exits "a directory that somebody holds" 2 hash --control=locked/socket tree
holds "says so" "$err" "iobatch: --control locked/socket: another process holds a lock on its directory"
exec 9<&-

# ---- a run that has used up all descriptors can be told nevertheless
mkdir pipes
for i in $(seq 60); do
	mkfifo pipes/$i
done
ls -d pipes/* >list
(
	ulimit -n 40
	exec "$iobatch" run job.yaml --set options.batch_size=60 --control=socket --result=result.json
) >"$out" 2>"$err" &
pid=$!
trap 'kill -KILL $pid 2>/dev/null; clean_up' EXIT
has_used_all() {
	[ "$(ls /proc/$pid/fd | wc -l)" -ge 39 ]
}
until_true has_used_all
ok "all descriptors are in use"
for i in 1 2 3; do
	ask status && [ "$(value answer state)" = running ]
	ok "it answers ($i)"
done
kill -TERM $pid
until_true has_state ending
sleep 0.2
kill -TERM $pid
ends "and can be ended" 143

# ---- clients that behave badly
if command -v python3 >/dev/null; then
	start hash $slow tree
	timeout 20 python3 - >said 2>&1 <<'END'
import socket
def call():
    s = socket.socket(socket.AF_UNIX)
    s.connect("socket")
    s.settimeout(10)
    return s
s = call()
s.sendall(b"x" * 1000)
print(s.makefile().readline().strip())
s = call()
s.sendall(b"status\npause\nresume\nset delay_ms=1000\nnonsense\x1b[2J\n")
f = s.makefile()
for _ in range(5):
    print(f.readline().strip()[:30])
many = [call() for _ in range(40)]
many[-1].sendall(b"pause\n")
print(many[-1].makefile().readline().strip())
deaf = call()
deaf.setblocking(False)
try:
    while True:
        deaf.sendall(b"status\n" * 100)
except OSError:
    pass
last = call()
last.sendall(b"resu")
last.sendall(b"me\n")
print(last.makefile().readline().strip())
END
	is "too long, many, deaf, in pieces" 'error: the line is too long
{"state": "running", "in_fligh
ok
ok
ok
error: nonsense\x1b[2J: status
ok
ok' "$(cat said)"
	has_state running
	ok "the run goes on"
	kill -TERM $pid
	ends "and ends" 143
else
	skip "too long, many, deaf, in pieces" "no python3"
fi
done_testing
