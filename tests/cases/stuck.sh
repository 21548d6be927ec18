#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Items whose operation ignores that it was cancelled are given up on time and named, all of them,
# and too many of them end the run. The simulation plays the operations that never answer.
. "$(dirname "$0")/common.sh"

i=10
while [ $i -lt 25 ]; do
	echo "item$i"
	i=$((i + 1))
done >list
cat >job.yaml <<'END'
items: {list: {file: list}}
processor: {steps: [{statx: {path: "{path}"}}]}
options:
  executor: simulated
  batch_size: 1
  max_concurrent: 1
  timeout_ms: 50
  retries: 3
  simulation: {lost_permille: 1000}
END

exits "all hang" 1 run job.yaml --result result.json
is "each has its outcome" 15 "$(value result.json total_processed)"
is "all have failed" 15 "$(value result.json failed_count)"
is "all were stuck" 15 "$(value result.json stuck)"
is "all still are" 15 "$(value result.json still_running)"
is "by the deadline" ETIME "$(value result.json failed 0 error)"
is "in the operation" statx "$(value result.json failed 0 op)"
is "and were not tried again" 1 "$(value result.json failed 0 attempts)"
is "the result marks them" true "$(value result.json failed 14 stuck)"
is "as still running" true "$(value result.json failed 14 still_running)"
is "they are counted as late" 15 "$(value result.json lateness count)"
holds "an item is named" "$err" \
	"iobatch: item10: Timer expired (ETIME, statx, 1 attempt, still running)"
is "so is each of the fifteen" 15 "$(grep -c ', still running)$' "$err")"
is "and that is all" 0 "$(grep -c 'more (see' "$err")"

exits "max_stuck: 2 ends the run" 5 run job.yaml --set options.max_stuck=2 --result result.json
is "with the third" 3 "$(value result.json total_processed)"
[ "$(value result.json run_error)" != null ]
ok "the result says why"
holds "and so does the command" "$err" "iobatch: job: "
exits "max_stuck: 0 ends with the first" 5 run job.yaml --set options.max_stuck=0 --result result.json
is "which is settled" 1 "$(value result.json total_processed)"

exits "JSON" 1 run job.yaml --progress json
is "has no other lines" 0 "$(grep -vc '^{.*}$' "$err")"
tail -n 1 "$err" >line.json
is "counts them, too" 15 "$(value line.json stuck)"

exits "the bar" 1 run job.yaml --progress bar
holds "says so" "$err" "15 failed  15 stuck"
done_testing
