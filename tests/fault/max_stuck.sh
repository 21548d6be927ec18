#!/bin/sh
# SPDX-License-Identifier: MIT
#
# A file system that has gone for good ends the run, once more items are stuck in it than may be.
. "$(dirname "$0")/common.sh"

fault_start m
i=0
while [ $i -lt 10 ]; do
	echo $i >m.back/$i
	echo m/$i >>list
	i=$((i + 1))
done
for executor in ring syscall; do
	cat >job.yaml <<YAML
items: {list: {file: list}}
processor: {steps: [{statx: {path: "{path}"}}]}
options: {executor: $executor, timeout_ms: 200, stuck_grace_ms: 100, max_stuck: 3, batch_size: 1, max_concurrent: 2}
YAML
	fault m add "getattr * hang-ignore"
	exits "$executor: the run is halted" 5 run job.yaml --progress none --result result.json
	holds "$executor: it is said why" "$err" max_stuck
	[ "$(value result.json run_error)" != null ]
	ok "$executor: in the result, too"
	stuck=$(value result.json stuck)
	[ "$stuck" -ge 4 ] && [ "$stuck" -le 5 ]
	ok "$executor: with the fourth, or the one that hung beside it: $stuck"
	[ "$(value result.json total_processed)" -lt 10 ]
	ok "$executor: and not all items were tried"
	fault_let_go m
	ok "$executor: all is let go of"

	fault m add "getattr * hang-ignore"
	exits "$executor: as many as may be do not halt it" 1 run job.yaml --progress none \
		--set options.max_stuck=10 --result result.json
	is "$executor: all were tried" 10 "$(value result.json total_processed)"
	is "$executor: all are stuck" 10 "$(value result.json stuck)"
	fault_let_go m
	ok "$executor: all is let go of, again"
done
done_testing
