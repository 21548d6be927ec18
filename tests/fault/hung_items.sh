#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Items that hang in their file system are failed at their deadline, whether or not what hangs can be
# interrupted; the others are not disturbed, and the command ends on time and says what it left.
. "$(dirname "$0")/common.sh"

fault_start m
# Far more than the deadline and the grace, far less than for ever.
limit_ms=20000

milliseconds() {
	echo $(($(date +%s%N) / 1000000))
}

# tree: 20 files that are well and 3 that hang. Each of these is in a directory of its own, for a hung
# unlink holds the lock of its directory.
tree() {
	rm -rf m.back/*
	: >list
	i=0
	while [ $i -lt 20 ]; do
		echo $i >m.back/well$i
		echo m/well$i >>list
		if [ $((i % 8)) -eq 0 ]; then
			mkdir m.back/d$i
			echo $i >m.back/d$i/hung
			echo m/d$i/hung >>list
		fi
		i=$((i + 1))
	done
}

# hung_items EXECUTOR OP REQUEST MANNER: a run in which REQUEST hangs, in OP of the items.
hung_items() {
	executor=$1
	op=$2
	request=$3
	manner=$4
	what="$executor, $request, $manner"
	case $op in
	statx) processor='{steps: [{statx: {path: "{path}"}}]}' ;;
	unlinkat) processor='{steps: [{unlinkat: {path: "{path}"}}]}' ;;
	*) processor='{hash: {algorithm: xxh3-64}}' ;;
	esac
	# What listens answers long before this is over, and then it is over.
	grace=5000
	[ $manner = hang ] || grace=200
	# More threads than hang: within one file system what hangs takes them from what is well.
	cat >job.yaml <<YAML
items: {list: {file: list}}
processor: $processor
options: {executor: $executor, threads: 8, timeout_ms: 500, stuck_grace_ms: $grace}
YAML
	tree
	fault m add "$request hung $manner"
	rm -f result.json
	start=$(milliseconds)
	exits "$what: some items have failed" 1 run job.yaml --progress none --result result.json
	took=$(($(milliseconds) - start))
	[ $took -lt $limit_ms ]
	ok "$what: the command ends while they hang ($took ms)"
	is "$what: by the executor that was asked for" "$executor" "$(value result.json executor)"
	is "$what: all others have succeeded" 20 "$(value result.json successful)"
	is "$what: the three have failed" 3 "$(value result.json failed_count)"
	lines="$what: lateness"
	for member in count p50_ms p90_ms p99_ms max_ms; do
		lines="$lines $member $(value result.json lateness $member | cut -c -6)"
	done
	echo "# $lines"
	is "$what: each was late in some measure" 3 "$(value result.json lateness count)"
	value result.json lateness p50_ms | awk '{ exit !($1 <= 1000) }'
	ok "$what: and not by much"

	running=
	[ $manner = hang ] || running=true
	# The kernel may take a read from a worker's hands, and then nothing interrupts it.
	[ "$executor $request" != "ring read" ] || running=$(value result.json failed 0 still_running)
	for i in 0 1 2; do
		is "$what: failure $i is the deadline's" ETIME "$(value result.json failed $i error)"
		is "$what: in its op" $op "$(value result.json failed $i op)"
		is "$what: and it is said whether that goes on" "$running" \
			"$(value result.json failed $i still_running)"
		[ -z "$running" ] || is "$what: as it did when it was given up" true "$(value result.json failed $i stuck)"
		case $(value result.json failed $i item) in
		m/d*/hung) true ;;
		*) false ;;
		esac
		ok "$what: it is one that hangs"
	done
	if [ -n "$running" ]; then
		is "$what: they are counted as stuck" 3 "$(value result.json stuck)"
		is "$what: and as still running" 3 "$(value result.json still_running)"
		for path in m/d0/hung m/d8/hung m/d16/hung; do
			grep -F "$path" "$err" | grep -qF "still running"
			ok "$what: $path is named as still running"
		done
		[ "$(fault_count m hung)" -ge 3 ]
		ok "$what: for that they are"
	else
		# What is a little slow to listen may be given up before it does.
		echo "# $what: $(value result.json stuck) stuck for a while"
		is "$what: none is counted as still running" 0 "$(value result.json still_running)"
		! grep -qF "still running" "$err"
		ok "$what: nor named so"
		fault_wait m hung 0
		ok "$what: for nothing hangs any more"
	fi
	if [ $op = unlinkat ]; then
		is "$what: what is well was removed" "" "$(cd m.back && ls -d well* 2>/dev/null)"
		is "$what: what hung was not" 3 "$(ls m.back/d*/hung | wc -l | tr -d ' ')"
	fi
	fault_let_go m
	ok "$what: all is let go of"
	if [ $op = unlinkat ] && [ -n "$running" ]; then
		is "$what: and may still take effect" "" "$(ls m.back/d*/hung 2>/dev/null)"
	fi
}

for executor in ring syscall; do
	for manner in hang hang-ignore; do
		hung_items $executor statx getattr $manner
		hung_items $executor statx lookup $manner
		hung_items $executor openat open $manner
		hung_items $executor read read $manner
		hung_items $executor unlinkat unlink $manner
	done
done
done_testing
