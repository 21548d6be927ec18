#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Every job of the folder of examples runs, and does what its comments promise.
. "$(dirname "$0")/common.sh"

for job in "$configs"/*.yaml; do
	exits "check ${job##*/}" 0 check "$job"
done
is "each of them has a test here" "copy-tree.yaml quickstart.yaml random-read.yaml reference.yaml scrub.yaml steps.yaml" \
	"$(cd "$configs" && echo *.yaml)"

mkdir -p tree/sub
echo a >tree/a
echo b >tree/sub/b
echo c >tree/sub/c.tmp
ln -s a tree/link
: >tree/empty

exits "quickstart" 0 run "$configs/quickstart.yaml" --set items.walk.root=tree --result result.json
is "quickstart: all files" 4 "$(value result.json successful)"
is "quickstart: its manifest" 4 "$(wc -l <quickstart.xxh3)"

exits "copy-tree" 0 run "$configs/copy-tree.yaml" --set items.walk.root=tree \
	--set processor.copy.destination=to
diff -r --no-dereference --exclude='*.tmp' tree to >"$out"
ok "copy-tree: the same tree"
[ ! -e to/sub/c.tmp ]
ok "copy-tree: without what was excluded"

exits "scrub" 0 run "$configs/scrub.yaml" --set items.walk.root=tree --result result.json
is "scrub: all files but empty ones" 3 "$(value result.json successful)"
is "scrub: all their bytes" 6 "$(value result.json bytes)"

head -c 1048576 /dev/urandom >random-read.data
exits "random-read" 0 run "$configs/random-read.yaml" --set items.range.count=1000 \
	--set items.range.direct=false --result result.json
is "random-read: so many blocks" 1000 "$(value result.json successful)"
is "random-read: of 4 KiB" 4096000 "$(value result.json bytes)"

exits "steps" 0 run "$configs/steps.yaml" --set "items.glob.pattern=tree/sub/*" --result result.json
is "steps: both files" 2 "$(value result.json successful)"

printf '%s\n' tree/a tree/sub/b tree/gone tree/empty tree/sub/c.tmp >paths.txt
exits "reference" 1 run "$configs/reference.yaml" --result result.json
is "reference: four successful" 4 "$(value result.json successful)"
is "reference: one failed" tree/gone "$(value result.json failed 0 item)"
done_testing
