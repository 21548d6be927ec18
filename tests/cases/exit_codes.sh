#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Each exit code of the manual page, brought about once, and whether the three that speak of a run agree:
# the exit code, the result and the journal.
. "$(dirname "$0")/attended.sh"
. "$(dirname "$0")/common.sh"

mkdir tree
for i in $(seq 20); do
	echo "$i" >tree/$i
done
find tree -exec touch -d 2020-01-01 {} +
printf '%s\n' 1 2 3 4 missing1 missing2 missing3 >names
with="--journal=journal --result=result.json"
slow="--batch-size=2 --max-concurrent=2 --delay-ms=1000"

fresh() {
	rm -rf journal result.json copied
}

# of_run KIND...: how many items the last run of the journal has records of that kind for.
of_run() {
	awk -F'\t' -v kinds=" $* " '$1 == "run" { count = 0 }
		index(kinds, " " $1 " ") { count++ } END { print count + 0 }' journal
}

# agree NAME END: the result and the last run of the journal say the same, item by item and in sum.
agree() {
	is "$1: the result says $2" "$2" "$(value result.json end)"
	is "$1: so does the journal" "$2" "$(awk -F'\t' '{ kind = $1; how = $3 } END { print kind == "end" ? how : kind }' journal)"
	is "$1: the sums are the same" \
		"$(($(value result.json successful) - $(value result.json skipped))) $(value result.json skipped) $(value result.json failed_count)" \
		"$(tail -n 1 journal | awk -F'\t' '{ print $4, $5, $6 + $7 + $8 }')"
	is "$1: and those of its records" \
		"$(tail -n 1 journal | awk -F'\t' '{ print $4, $5, $6 + $7 + $8 }')" \
		"$(of_run done) $(of_run skipped) $(of_run failed stuck cancelled)"
	"$iobatch" journal --check journal >"$out" 2>"$err"
	ok "$1: the journal is whole"
}

# nothing NAME: neither a journal nor a result was made, nor anything else touched.
nothing() {
	[ ! -e journal ] && [ ! -e result.json ] && [ ! -e copied ]
	ok "$1: nothing was touched"
}

# ---- 0: all items succeeded
exits "0: all succeed" 0 copy tree copied $with
agree "0" complete
is "0: none has failed" 0 "$(value result.json failed_count)"
fresh
exits "0: to skip is to succeed" 0 copy tree copied
exits "0: what is there already" 0 copy --update tree/ copied $with
agree "0, skipped" complete
is "0: skipped are" 20 "$(value result.json skipped)"

# ---- 1: items failed, or could not be looked for, or output was lost
fresh
exits "1: items have failed" 1 stat --files-from=names --root=tree $with
agree "1" complete
is "1: so many" 3 "$(value result.json failed_count)"
exits "1: as iobatch journal lists them" 0 journal --failed journal
is "1: by name" "tree/missing1 tree/missing2 tree/missing3" "$(sort "$out" | tr '\n' ' ' | sed 's/ $//')"
fresh
"$iobatch" hash ${executor:+--executor="$executor"} tree $with >/dev/full 2>"$err"
is "1: output was lost" 1 $?
agree "1, output" error
fresh
exits "1: a result that cannot be written" 1 copy tree copied --journal=journal --result=/dev/full
holds "1: as it says" "$err" "/dev/full: "
exits "1: for that the journal has all" 0 journal journal
holds "1: of the run" "$out" "the last one: complete"
for word in drain cancel; do
	fresh
	start hash $slow --journal=journal tree
	until_true has_settled 2
	ask $word
	ends "1: ctl $word" 1
	agree "1, $word" "$(echo $word | sed 's/drain/&ed/; s/cancel/&led/')"
done

# ---- 2: arguments or job
fresh
exits "2: an unknown option" 2 copy --no-such-option tree copied $with
nothing "2"
exits "2: a value out of range" 2 copy tree copied $with --batch-size=0
nothing "2, a value"
exits "2: a source that is not there" 2 copy nowhere copied $with
nothing "2, a source"
printf '../1\n' >outside
exits "2: a name that leads out" 2 stat --files-from=outside --root=tree $with
nothing "2, a name"
printf 'items: {walk: {root: tree}}\nprocessor: {nop: {}}\noptions: {what: 1}\n' >job.yaml
exits "2: a job with an unknown key" 2 run job.yaml $with
nothing "2, a job"
exits "2: a journal of a simulated run" 2 hash --set options.executor=simulated tree $with
nothing "2, simulated"
printf 'items: {walk: {root: tree}}\nprocessor: {nop: {}}\noptions: {executor: simulated, journal: {file: j}}\n' >job.yaml
exits "2: as check says" 2 check job.yaml

# ---- 3: this machine cannot
without=$(dirname "$json_get")/without_io_uring
if [ "$executor" = ring ] && [ -x "$without" ] && "$without" EPERM true 2>/dev/null; then
	"$without" EPERM "$iobatch" copy --executor=ring tree copied $with >"$out" 2>"$err"
	is "3: no io_uring" 3 $?
	nothing "3"
fi
if unshare -m true 2>/dev/null; then
	mkdir small many
	for i in $(seq 300); do
		: >"many/a-name-that-is-not-short-at-all-so-that-it-takes-some-room-$i"
	done
	unshare -m sh -c "mount -t tmpfs -o size=16k none small &&
		'$iobatch' touch -r many ${executor:+--executor=$executor} --journal=small/j --journal-sync=none \
			--batch-size=4 --max-concurrent=1 --result=result.json; echo \$?; cp small/j journal" >"$out" 2>"$err"
	is "3: the journal cannot be written" 3 "$(cat "$out")"
	is "3: the result says so" error "$(value result.json end)"
	is "3: the journal has no end" 0 "$(grep -c '^end' journal)"
	[ "$(of_run done)" -le "$(value result.json successful)" ]
	ok "3: and nothing that the result has not"
	exits "3: but is whole as far as it goes" 0 journal --check journal
else
	skip "3: the journal cannot be written" "mounting is not allowed here"
fi

# ---- 4: the journal cannot be used
fresh
exits "a run that is done" 0 copy tree copied --journal=journal
rm -rf copied
cp journal before
exits "4: it is there already" 4 copy tree copied $with
exits "4: it is of another job" 4 copy --checksum tree copied $with --resume
printf X | dd of=journal bs=1 seek=300 conv=notrunc 2>"$err"
cp journal damaged
exits "4: it is damaged" 4 copy tree copied $with --resume
cmp -s journal damaged && [ ! -e copied ] && [ ! -e result.json ]
ok "4: nothing was touched"
rm journal
start hash $slow --journal=journal tree
until_true has_settled 2
"$iobatch" hash ${executor:+--executor="$executor"} tree --journal=journal --resume --result=other.json >"$out" 2>"$err"
is "4: another run has it" 4 $?
holds "4: as it says" "$err" "iobatch: journal: another run has it"
[ ! -e other.json ]
ok "4: and has nothing to tell"
kill -TERM $pid
ends "the run that had it goes on until it is ended" 143
agree "4, the other one" drained

# ---- 5: halted by its own options
for how in now soon; do
	fresh
	exits "5: halted $how" 5 stat --files-from=names --root=tree $with --halt=2,$how --batch-size=1 --max-concurrent=1
	agree "5, $how" halted
	is "5: with the second failure, $how" 2 "$(value result.json failed_count)"
done
if unshare -m true 2>/dev/null; then
	fresh
	mkdir -p full source
	for name in 1 2 3 4 5 6; do
		head -c 8192 /dev/zero >source/$name
	done
	unshare -m sh -c "mount -t tmpfs -o size=16k none full &&
		'$iobatch' copy source/ full ${executor:+--executor=$executor} --on-full=halt --batch-size=1 \
			--max-concurrent=1 $with; echo \$?" >"$out" 2>"$err"
	is "5: a disk is full" 5 "$(cat "$out")"
	agree "5, full" halted
else
	skip "5: a disk is full" "mounting is not allowed here"
fi
cat >job.yaml <<'END_OF_JOB'
items: {list: {names: [a, b, c, d]}}
processor: {steps: [{statx: {path: "{path}"}}]}
options: {executor: simulated, batch_size: 1, max_concurrent: 1, timeout_ms: 50, max_stuck: 2, simulation: {lost_permille: 1000}}
END_OF_JOB
"$iobatch" run job.yaml --result=result.json >"$out" 2>"$err"
is "5: too many are stuck" 5 $?
is "5: as the result says" stuck "$(value result.json end)"

# ---- 130, 143, 129: ended by a signal, and resumable
for what in INT:130 TERM:143 HUP:129; do
	fresh
	signal=${what%:*}
	code=${what#*:}
	start copy $slow --journal=journal tree copied
	until_true has_settled 2
	kill -"$signal" $pid
	ends "$code: SIG$signal" "$code"
	agree "$code" drained
	exits "$code: resumed" 0 copy tree copied $with --resume
	agree "$code, resumed" complete
	same "$code: it is all there" tree copied
done
fresh
mkfifo pipe
echo pipe >list
cat >job.yaml <<'END_OF_JOB'
items: {list: {file: list}}
processor: {steps: [{openat: {path: "{path}", flags: [rdwr], as: p}}, {read: {file: p, length: 1}}]}
END_OF_JOB
start run job.yaml --journal=journal
kill -INT $pid
until_true has_state ending
sleep 0.2
kill -INT $pid
ends "130: SIGINT twice" 130
agree "130, twice" cancelled

# ---- 128 + n: killed
fresh
start copy $slow --journal=journal tree copied
until_true has_settled 2
kill -KILL $pid
ends "137: SIGKILL" 137
[ ! -e result.json ]
ok "137: there is no result"
is "137: and the journal has no end" 0 "$(grep -c '^end' journal)"
rm -f socket
exits "137: resumed" 0 copy tree copied $with --resume
agree "137, resumed" complete
same "137: it is all there" tree copied
done_testing
