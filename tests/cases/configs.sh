#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Every job of the folder of examples runs, and does what its comments promise.
. "$(dirname "$0")/common.sh"

for job in "$configs"/*.yaml; do
	exits "check ${job##*/}" 0 check "$job"
done
is "each of them has a test here" "backup.yaml clean.yaml compare.yaml copy-tree.yaml durable.yaml files-from.yaml fill.yaml move.yaml permissions.yaml quickstart.yaml random-read.yaml reference.yaml rename.yaml scrub.yaml stat.yaml steps.yaml verify.yaml" \
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

set -- run "$configs/durable.yaml" --set items.walk.root=tree --set processor.copy.destination=durable
exits "durable" 0 "$@"
diff -r --no-dereference tree durable >"$out"
ok "durable: the same tree"
exits "durable: a second time, without a word" 4 "$@"
rm durable/a
sleep 0.05
echo a >tree/a
exits "durable: resumed" 0 "$@" --resume --result result.json
is "durable: what has changed is done again" "a 1" "$(cat durable/a) $(value result.json resumed changed)"
exits "durable: what has failed" 0 "$@" --resume-failed --result result.json
is "durable: nothing" 0 "$(value result.json total_processed)"
exits "durable: its journal" 0 journal durable.journal
holds "durable: three runs" "$out" "runs:      3, "
set --

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

exits "backup" 0 run "$configs/backup.yaml" --set items.walk.root=tree
diff -r --no-dereference --exclude='*.tmp' tree backup >"$out"
ok "backup: the same tree"
echo changed >tree/a
exits "backup, once more" 0 run "$configs/backup.yaml" --set items.walk.root=tree --result result.json
is "backup: what has changed is copied" changed "$(cat backup/a)"
is "backup: and the rest is skipped" 3 "$(value result.json skipped)"

exits "compare" 1 run "$configs/compare.yaml" --set processor.compare.first=tree \
	--set 'processor.compare.what=[type, size, content]' --set 'items.walk.exclude=[x]'
says "compare: what the one has and the other has not" "$out" "only in tree: sub/c.tmp"
exits "compare, without what was not copied" 0 run "$configs/compare.yaml" --set processor.compare.first=tree

printf 'a\0sub/b\0' >tree/names
(cd tree && "$iobatch" run "$configs/files-from.yaml" >"$out" 2>"$err")
ok "files-from"
is "files-from: each at its place" "./a ./sub/b" "$(cd tree/exported && find . -type f | sort | tr '\n' ' ' | sed 's/ $//')"
rm -r tree/names tree/exported

mkdir data
exits "fill" 0 run "$configs/fill.yaml" --set processor.fill.length=10KiB
is "fill: so many files" 100 "$(find data -type f -size 20 -printf .| wc -c)"
exits "fill: what its manifest is for" 0 verify --quiet data.xxh3

exits "stat" 0 run "$configs/stat.yaml" --set items.walk.root=tree
is "stat: a line each" "$(find tree -printf . | wc -c)" "$(wc -l <"$out" | tr -d ' ')"

(cd tree && sha256sum a sub/b >SHA256SUMS)
(cd tree && "$iobatch" run "$configs/verify.yaml" >"$out" 2>"$err")
ok "verify"
is "verify: nothing to say of what is well" "" "$(cat "$out")"
echo worse >tree/a
(cd tree && "$iobatch" run "$configs/verify.yaml" >"$out" 2>"$err")
is "verify: what is not is an error" 1 $?
says "verify: and is named" "$out" "a: FAILED"

mkdir -p scans/2020
echo old >scans/2020/a.pdf
echo new >scans/b.pdf
echo other >scans/2020/c.txt
touch -d '2020-01-01' scans/2020/*
exits "move" 0 run "$configs/move.yaml"
is "move: what is old, and a scan" "./2020/a.pdf" "$(cd archive && find . -type f)"
is "move: the rest stays" "./2020/c.txt ./b.pdf" "$(cd scans && find . -type f | sort | tr '\n' ' ' | sed 's/ $//')"

mkdir -p cache/old cache/mixed
echo a >cache/old/a
echo b >cache/mixed/b
touch -d '2020-01-01' cache/old/a cache/mixed/b
echo c >cache/mixed/c
: >cache/.keep
touch -d '2020-01-01' cache/.keep
exits "clean" 0 run "$configs/clean.yaml"
is "clean: what is old, and what is empty then" ". ./.keep ./mixed ./mixed/c" \
	"$(cd cache && find . | sort | tr '\n' ' ' | sed 's/ $//')"

mkdir -p public/dir
echo a >public/dir/a
chmod 0777 public/dir
chmod 0600 public/dir/a
exits "permissions" 0 run "$configs/permissions.yaml" --set processor.set.group="$(id -g)"
is "permissions: of directories and files" "750 640" "$(stat -c %a public/dir public/dir/a | tr '\n' ' ' | sed 's/ $//')"

mkdir photos
touch photos/IMG_0001.JPG photos/IMG_0002.JPG photos/notes.txt
exits "rename" 0 run "$configs/rename.yaml" --result result.json
is "rename: by the expression" "notes.txt photo-0001.jpg photo-0002.jpg" \
	"$(cd photos && printf '%s ' * | sed 's/ $//')"
is "rename: the rest is skipped" 1 "$(value result.json skipped)"
done_testing
