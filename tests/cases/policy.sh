#!/bin/sh
# SPDX-License-Identifier: MIT
#
# What fails is tried again or not, and how much of it ends the run.
. "$(dirname "$0")/common.sh"

i=0
while [ $i -lt 50 ]; do
	echo "missing$i"
	i=$((i + 1))
done >names
echo a >there
set -- --files-from=names --root=. --batch-size=1 --max-concurrent=1 --result=result.json

exits "50 that fail" 1 chmod 600 "$@"
is "are one kind of error" 50 "$(value result.json errors 0 count)"
is "with its name" ENOENT "$(value result.json errors 0 error)"
is "and its first items" missing0 "$(value result.json errors 0 first 0 item)"
is "in a run that is complete" complete "$(value result.json end)"
exits "--halt=3" 5 chmod 600 "$@" --halt=3
is "ends it early" halted "$(value result.json end)"
[ "$(value result.json total_processed)" -lt 50 ]
ok "before the rest is tried"
holds "and says so" "$err" "fail"
exits "--halt=3,soon" 5 chmod 600 "$@" --halt=3,soon
exits "--halt=50%" 5 chmod 600 "$@" --halt=50% --set options.halt.min_items=10
exits "--halt=50% with few items" 1 chmod 600 "$@" --halt=50%
exits "retries of any error" 1 chmod 600 "$@" --retries=2
is "are made" 100 "$(value result.json retries)"
exits "--retry-on=transient" 1 chmod 600 "$@" --retries=2 --retry-on=transient
is "makes none for what stays so" 0 "$(value result.json retries)"
exits "--retry-on=EIO,ENOENT" 1 chmod 600 "$@" --retries=1 --retry-on=EIO,ENOENT
is "makes those that are listed" 50 "$(value result.json retries)"
exits "a budget" 1 chmod 600 "$@" --retries=5 --set options.retry_budget=10
is "a budget limits them" 10 "$(value result.json retries)"
if unshare -m true 2>/dev/null; then
	mkdir full source
	for name in 1 2 3 4 5 6; do
		head -c 8192 /dev/zero >source/$name
	done
	for how in fail halt; do
		unshare -m sh -c "mount -t tmpfs -o size=16k none full &&
			'$iobatch' copy source/ full ${executor:+--executor=$executor} --on-full=$how --retries=3 \
				--batch-size=1 --max-concurrent=1 --result=result.json; echo \$?" >"$out" 2>"$err"
		case $how in
		fail) is "a full disk" 1 "$(cat "$out")" ;;
		halt) is "--on-full=halt" 5 "$(cat "$out")" ;;
		esac
		is "costs no attempts" 0 "$(value result.json retries)"
	done
	# Room is made when it has said that there is none, within ten seconds.
	cat >pause.sh <<-'END'
		mount -t tmpfs -o size=16k none full || exit 9
		"$@" --on-full=pause --batch-size=2 --max-concurrent=2 --result=result.json 2>said &
		pid=$!
		tries=0
		until grep -q "^iobatch: paused, since a file system takes no more: ENOSPC (No space left on device); make room, and resume: kill -CONT $pid, or iobatch ctl$" said; do
			tries=$((tries + 1))
			[ $tries -lt 200 ] || kill -KILL $pid
			[ $tries -lt 200 ] || exit 8
			sleep 0.05
		done
		mount -o remount,size=1m full
		kill -CONT $pid
		wait $pid
	END
	unshare -m sh pause.sh "$iobatch" copy source/ full ${executor:+--executor=$executor} >"$out" 2>"$err"
	is "--on-full=pause" 0 $?
	cp said "$err"
	is "says so once" 1 "$(grep -c "paused, since" "$err")"
	is "and goes on when there is room" "7 complete" "$(value result.json successful) $(value result.json end)"
else
	skip "a full disk" "mounting is not allowed here"
fi
refused "a word that is no error" "must be any, transient" chmod 600 there --retry-on=EWHAT
refused "a part above all" "--halt: must be 0 to 100, not 101" chmod 600 there --halt=101%
refused "another way to halt" "--halt: must be one of now, soon" chmod 600 there --halt=3,later
done_testing
