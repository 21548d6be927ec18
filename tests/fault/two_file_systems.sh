#!/bin/sh
# SPDX-License-Identifier: MIT
#
# One job over two file systems: what hangs on the one, however much, does not keep the items on the
# other from their workers or threads.
. "$(dirname "$0")/common.sh"

fault_start m
mkdir healthy

# tree COUNT: as many that hang as are well, in turn.
tree() {
	rm -rf m.back/* healthy/*
	: >list
	i=0
	while [ $i -lt "$1" ]; do
		echo $i >m.back/hung$i
		echo $i >healthy/$i
		printf 'm/hung%d\nhealthy/%d\n' $i $i >>list
		i=$((i + 1))
	done
}

# What has succeeded was removed, after its statx.
all_removed() {
	[ -z "$(ls healthy)" ]
}

ended_as() {
	wait "$1"
	[ $? -eq "$2" ]
}

for executor in ring syscall; do
	for count in 9 100; do
		what="$executor, $count"
		tree $count
		fault m add "getattr hung* hang-ignore"
		cat >job.yaml <<YAML
items: {list: {file: list}}
processor: {steps: [{statx: {path: "{path}"}}, {unlinkat: {path: "{path}"}}]}
options: {executor: $executor, max_stuck: 200, stuck_grace_ms: 200}
YAML

		exits "$what, a deadline: some items have failed" 1 run job.yaml --progress none \
			--set options.timeout_ms=3000 --result result.json
		is "$what, a deadline: all that are well have succeeded" $count "$(value result.json successful)"
		all_removed
		ok "$what, a deadline: in effect"
		is "$what, a deadline: all that hang have failed" $count "$(value result.json failed_count)"
		is "$what, a deadline: by it" "$count ETIME" \
			"$(value result.json errors 0 count) $(value result.json errors 0 error)"
		echo "# $what: stuck $(value result.json stuck), lateness max_ms $(value result.json lateness max_ms)"
		fault_let_go m
		ok "$what, a deadline: all is let go of"

		tree $count
		fault m add "getattr hung* hang-ignore"
		"$iobatch" run job.yaml --progress none --result result.json >"$out" 2>"$err" &
		pid=$!
		patiently all_removed
		ok "$what, no deadline: all that are well have succeeded"
		! ended $pid && [ "$(fault_count m hung)" -ge 9 ]
		ok "$what, no deadline: while the others hang"
		fault_let_go m
		ok "$what, no deadline: all is let go of"
		ended_as $pid 0
		ok "$what, no deadline: and then all have succeeded"
		is "$what, no deadline: each of them" $((2 * count)) "$(value result.json successful)"
	done
done
done_testing
