#!/bin/sh
# SPDX-License-Identifier: MIT
#
# A soft limit of descriptors below what is in flight: the command takes what the hard limit allows.
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

done_testing
