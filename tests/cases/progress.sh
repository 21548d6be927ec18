#!/bin/sh
# SPDX-License-Identifier: MIT
#
# What is said while a run goes on. The JSON lines must add up, each of them.
. "$(dirname "$0")/common.sh"

mkdir tree
i=0
while [ $i -lt 300 ]; do
	echo $i >tree/$i
	i=$((i + 1))
done
ls -d tree/* >list
echo nowhere >>list
printf 'items: {list: {file: list}}\nprocessor: {read: {}}\noptions: {batch_size: 10, max_concurrent: 4, delay_ms: 5}\n' >job.yaml

exits "json" 1 run job.yaml --progress json --result result.json
is "nothing on stdout" "" "$(cat "$out")"
lines=0
last=0
bad=
while read -r line; do
	echo "$line" >line.json
	processed=$(value line.json processed)
	successful=$(value line.json successful)
	failed=$(value line.json failed)
	pending=$(value line.json pending)
	batch=$(value line.json current_batch)
	batches=$(value line.json total_batches)
	[ "$processed" -eq $((successful + failed)) ] || bad="$bad sum:$line"
	[ "$processed" -ge "$last" ] || bad="$bad back:$line"
	[ $((processed + pending)) -le 301 ] || bad="$bad total:$line"
	[ "$batch" -le "$batches" ] && [ "$batches" -le 31 ] || bad="$bad batches:$line"
	last=$processed
	lines=$((lines + 1))
done <"$err"
is "every line adds up and none goes back" "" "$bad"
# 301 items in 4 windows with 5 ms between them take more than 300 ms.
[ $lines -ge 3 ]
ok "there were several: $lines"
tail -n 1 "$err" >line.json
is "in the end all are processed" 301 "$(value line.json processed)"
is "one of them failed" 1 "$(value line.json failed)"
is "none is left" 0 "$(value line.json pending)"
is "none is stuck" 0 "$(value line.json stuck)"
is "none is skipped" 0 "$(value line.json skipped)"
is "the total is final" true "$(value line.json total_is_final)"
is "in so many batches" 31 "$(value line.json total_batches)"
is "the result says the same" 31 "$(value result.json total_batches)"

exits "none" 1 run job.yaml --progress none --set options.delay_ms=0
is "none says nothing but the failure" \
	"iobatch: nowhere: No such file or directory (ENOENT, openat, 1 attempt)" "$(cat "$err")"

exits "auto, not on a terminal" 1 run job.yaml --set options.delay_ms=0
is "auto says one line at the end, and the failure" 2 "$(wc -l <"$err" | tr -d ' ')"
holds "with the counts" "$err" "job: 300 successful, 1 failed"

exits "bar" 1 run job.yaml --progress bar
[ "$(tr '\r' '\n' <"$err" | grep -cE 'done|/301 ')" -ge 3 ]
ok "the bar was drawn several times"
is "in one line of its own" 2 "$(wc -l <"$err" | tr -d ' ')"
longest=$(tr '\r' '\n' <"$err" | sed 's/.\[K//g' | grep -E 'done|/301 ' |
	awk '{ if (length($0) > longest) longest = length($0) } END { print longest }')
[ "$longest" -le 79 ]
ok "the bar is not wider than 80 columns: $longest"

yes nowhere | head -n 25 >list
exits "many failures" 1 run job.yaml --set options.delay_ms=0
is "ten are told, and how many more, and the end" 12 "$(wc -l <"$err" | tr -d ' ')"
holds "how many more" "$err" "iobatch: ... and 15 more (see --result)"
done_testing
