#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The reference example: five paths of which the third does not exist, two a batch, two batches at
# once, 100 ms between the items of a window, two retries.
. "$(dirname "$0")/common.sh"

for name in 1 2 4 5; do
	echo "$name" >"$name"
done
printf '%s\n' 1 2 3 4 5 >paths.txt

exits "a run with a failed item exits with 1" 1 \
	run "$configs/reference.yaml" --result result.json --list-successful
ran_on result.json
is "the job's name" reference "$(value result.json job)"
is "four are successful" 4 "$(value result.json successful)"
is "they are all listed" 4 "$(value result.json successful_items)"
is "the first is 1" 1 "$(value result.json successful_items 0 item)"
is "the second is 2" 2 "$(value result.json successful_items 1 item)"
is "the third is 4" 4 "$(value result.json successful_items 2 item)"
is "the fourth is 5" 5 "$(value result.json successful_items 3 item)"
is "one has failed" 1 "$(value result.json failed)"
is "and is counted" 1 "$(value result.json failed_count)"
is "it is 3" 3 "$(value result.json failed 0 item)"
is "its error" ENOENT "$(value result.json failed 0 error)"
is "its message" "No such file or directory" "$(value result.json failed 0 message)"
is "the op that failed" openat "$(value result.json failed 0 op)"
is "it was tried three times" 3 "$(value result.json failed 0 attempts)"
is "five were processed" 5 "$(value result.json total_processed)"
is "in three batches" 3 "$(value result.json total_batches)"
is "with two retries" 2 "$(value result.json retries)"
is "the bytes of the four" 8 "$(value result.json bytes)"
is "none was stuck" 0 "$(value result.json stuck)"
is "none still runs" 0 "$(value result.json still_running)"
is "none was late" 0 "$(value result.json lateness count)"
is "nothing was left out" 0 "$(value result.json source_errors)"

# Of the two windows one runs items 1 and 2, the other 3 and 4, and one of them 5: so two pauses.
time_ms=$(value result.json processing_time_ms)
[ "${time_ms%.*}" -ge 200 ] && [ "${time_ms%.*}" -lt 4000 ]
ok "the pauses were made: $time_ms ms"

holds "the failure is told" "$err" \
	"iobatch: 3: No such file or directory (ENOENT, openat, 3 attempts)"
holds "and summed up" "$err" "reference: 4 successful, 1 failed, 8 B"

exits "simulated, nothing is opened and all succeed" 0 \
	run "$configs/reference.yaml" --result result.json --set options.executor=simulated
is "all five" 5 "$(value result.json successful)"
is "none failed" 0 "$(value result.json failed)"
is "in virtual time: two pauses" 200.000 "$(printf %.3f "$(value result.json processing_time_ms)")"
done_testing
