#!/bin/sh
# SPDX-License-Identifier: MIT
#
# A soft limit of descriptors below what is in flight: the command takes what the hard limit allows.
# A hard one: what finds no descriptor waits for one, and no item fails of that.
. "$(dirname "$0")/common.sh"

mkdir tree
for i in $(seq 300); do
	echo "$i" >"tree/$i"
done
printf 'items: {walk: {root: tree}}\nprocessor: {hash: {algorithm: sha256, manifest: m}}\n' >job.yaml

(
	ulimit -S -n 24
	exec "$iobatch" run --executor="$executor" job.yaml --progress none --result result.json
) 2>"$err"
is "the run succeeds" 0 "$?"
ran_on result.json
is "no item failed" 300 "$(value result.json successful)"
sha256sum --check --quiet --strict m >"$err" 2>&1
is "every digest is right" 0 "$?"

mkdir deep
for i in $(seq 30); do
	mkdir -p "deep/$i/below"
	for j in $(seq 8); do
		echo "$i $j" >"deep/$i/below/$j"
	done
done
items=$(find deep | wc -l)

for limit in 64 20; do
	for rings in 1 2; do
		with="$limit descriptors, $rings rings"
		(
			ulimit -n "$limit"
			exec timeout 60 "$iobatch" hash deep --algorithm sha256 --executor="$executor" \
				--rings "$rings" --progress none >m
		) 2>"$err"
		is "$with: hash succeeds" 0 "$?"
		sha256sum --check --quiet --strict m >"$err" 2>&1
		is "$with: every digest is right" 0 "$?"
		is "$with: there is one for each file" 240 "$(wc -l <m)"

		rm -rf copied
		(
			ulimit -n "$limit"
			exec timeout 60 "$iobatch" copy deep copied --executor="$executor" \
				--rings "$rings" --progress none --result result.json
		) 2>"$err"
		is "$with: copy succeeds" 0 "$?"
		is "$with: every item does" "$items" "$(value result.json successful)"
		is "$with: at the first attempt" 0 "$(value result.json retries)"
		diff -r deep copied >"$err" 2>&1
		is "$with: the copy is the same" 0 "$?"

		(
			ulimit -n "$limit"
			exec timeout 60 "$iobatch" remove copied --executor="$executor" \
				--rings "$rings" --progress none
		) 2>"$err"
		is "$with: remove succeeds" 0 "$?"
		test ! -e copied
		is "$with: nothing is left" 0 "$?"
	done
done

# So few that a ring may have none left for an item: it is said, item by item, and comes to an end.
rm -rf copied
(
	ulimit -n 16
	exec timeout 100 "$iobatch" copy deep copied --executor="$executor" --rings 2 \
		--progress none --result result.json
) 2>"$err"
status=$?
[ $status -le 1 ]
ok "16 descriptors, 2 rings: copy ends (exit status $status)"
is "all items have an outcome" "$items" "$(value result.json total_processed)"
kinds=$(value result.json errors)
others=0
for i in $(seq 0 $((kinds - 1))); do
	[ "$(value result.json errors "$i" error)" = EMFILE ] || others=$((others + 1))
done
is "what has failed found no descriptor" 0 "$others"

done_testing
