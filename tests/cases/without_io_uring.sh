#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Where io_uring is forbidden or missing, that is said, with what to do, and nothing is touched.
. "$(dirname "$0")/common.sh"
without=$(dirname "$json_get")/without_io_uring

echo a >a
printf 'items: {glob: {pattern: a}}\nprocessor: {copy: {destination: to}}\n' >job.yaml

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

	"$without" $error "$iobatch" run job.yaml --result result.json >"$out" 2>"$err"
	is "$error: run exits with 3" 3 $?
	grep -q '^iobatch: .*io_uring' "$err"
	ok "$error: run says why"
	[ ! -e to ] && [ ! -e result.json ]
	ok "$error: nothing was made"

	"$without" $error "$iobatch" run job.yaml --set options.executor=simulated >"$out" 2>"$err"
	is "$error: the simulation needs no io_uring" 0 $?
	"$without" $error "$iobatch" ops >"$out" 2>"$err"
	is "$error: ops are listed all the same" 0 $?
	holds "$error: and it is said" "$out" "io_uring cannot be used here: "
done
done_testing
