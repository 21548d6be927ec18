#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Where io_uring is forbidden or missing, a job is done by system calls with the same result, and it
# is said why. A job that names the ring is refused, with the cause and what to do, before anything
# is touched.
. "$(dirname "$0")/common.sh"
without=$(dirname "$json_get")/without_io_uring

mkdir -p tree/sub
i=0
while [ $i -lt 200 ]; do
	echo "content $i" >tree/sub/$i
	i=$((i + 1))
done
: >tree/empty
head -c 300000 /dev/zero >tree/large
echo tree/sub/7 >list
echo nowhere >>list
echo tree/large >>list

# What a result says, but for what may differ between two runs of one job.
same_part() {
	grep -v '"executor":\|"processing_time_ms":\|"lateness":' "$1"
}

# The manifest's and the result's names are those of the job, so that they can be compared.
quickstart() {
	"$@" run "$configs/quickstart.yaml" --set items.walk.root=tree --result result.json >"$out" 2>"$err"
}

# One of the three items fails.
some_fail() {
	"$@" run job.yaml --result failed.json >"$out" 2>"$err"
}

printf 'items: {list: {file: list}}\nprocessor: {hash: {algorithm: sha256, manifest: sums}}\noptions: {retries: 1}\n' >job.yaml

with_ring=no
if "$iobatch" doctor >"$out" 2>"$err"; then
	with_ring=yes
	holds "with io_uring auto takes the ring" "$out" "executor: auto takes ring"
	mkdir ring
	quickstart "$iobatch"
	is "the ring completes the job" 0 $?
	is "the result names it" ring "$(value result.json executor)"
	is "nothing is said about it" 1 "$(wc -l <"$err" | tr -d ' ')"
	mv quickstart.xxh3 result.json ring
	some_fail "$iobatch"
	is "a job with a failure" 1 $?
	mv sums failed.json ring
else
	skip "the same on the ring" "io_uring cannot be used here"
fi

for error in EPERM ENOSYS; do
	"$without" $error "$iobatch" doctor >"$out" 2>"$err"
	code=$?
	if [ $code -eq 77 ]; then
		skip "$error" "system calls cannot be forbidden here"
		continue
	fi
	is "$error: doctor exits with 3" 3 $code
	holds "$error: doctor says so" "$out" "io_uring: cannot be used"
	grep -q '^cause: .' "$out" && grep -q '^remedy: .' "$out"
	ok "$error: doctor says why, and what to do"
	holds "$error: doctor says what is used instead" "$out" "executor: auto takes syscall"

	quickstart "$without" $error "$iobatch"
	is "$error: the job is completed all the same" 0 $?
	is "$error: by system calls" syscall "$(value result.json executor)"
	is "$error: all of it" 202 "$(value result.json successful)"
	is "$error: one line says why" 1 "$(grep -c '^iobatch: .*io_uring' "$err")"
	is "$error: and the other is the summary" 2 "$(wc -l <"$err" | tr -d ' ')"
	if [ $with_ring = yes ]; then
		cmp -s quickstart.xxh3 ring/quickstart.xxh3
		ok "$error: the manifest is the ring's"
		is "$error: so is the result" "$(same_part ring/result.json)" "$(same_part result.json)"
		some_fail "$without" $error "$iobatch"
		is "$error: a failure is a failure" 1 $?
		cmp -s sums ring/sums
		ok "$error: with the same manifest"
		is "$error: and the same account" "$(same_part ring/failed.json)" "$(same_part failed.json)"
	fi
	"$without" $error "$iobatch" run job.yaml --progress json >"$out" 2>"$err"
	is "$error: JSON has no other lines between" 0 "$(grep -vc '^{.*}$' "$err")"

	rm -f sums failed.json
	for ring in --executor=ring --set=options.executor=ring; do
		"$without" $error "$iobatch" run job.yaml $ring --result failed.json >"$out" 2>"$err"
		is "$error: $ring exits with 3" 3 $?
		grep -q '^iobatch: io_uring cannot run here: .*; ' "$err"
		ok "$error: $ring says why, and what to do"
		is "$error: $ring says it in one line" 1 "$(wc -l <"$err" | tr -d ' ')"
		[ ! -e sums ] && [ ! -e failed.json ]
		ok "$error: $ring has made nothing"
	done

	"$without" $error "$iobatch" run job.yaml --executor=syscall >"$out" 2>"$err"
	is "$error: system calls by name are not refused" 1 $?
	[ "$(wc -l <sums)" -eq 2 ] && ! grep -q io_uring "$err"
	ok "$error: and there is nothing to explain"
	"$without" $error "$iobatch" run job.yaml --executor=simulated >"$out" 2>"$err"
	is "$error: nor is the simulation" 0 $?
	"$without" $error "$iobatch" ops >"$out" 2>"$err"
	is "$error: ops are listed" 0 $?
	holds "$error: and it is said" "$out" "io_uring cannot be used here: "
done
done_testing
