#!/bin/sh
# SPDX-License-Identifier: MIT
#
# No items, and items that cannot be had.
. "$(dirname "$0")/common.sh"

mkdir empty
: >list
printf 'items: {list: {file: list}}\nprocessor: {hash: {manifest: m}}\n' >job.yaml

for items in '{list: {file: list}}' '{walk: {root: empty}}' '{glob: {pattern: empty/*}}'; do
	exits "$items: no items is a success" 0 run job.yaml --set "items=$items" --result result.json
	is "$items: zero processed" 0 "$(value result.json total_processed)"
	is "$items: zero batches" 0 "$(value result.json total_batches)"
	is "$items: none failed" 0 "$(value result.json failed)"
done
printf '\n\n' >list
exits "empty names are no items" 0 run job.yaml --result result.json
is "zero processed" 0 "$(value result.json total_processed)"
echo job.yaml | "$iobatch" run job.yaml --set items.list.file=- --result result.json 2>"$err"
ok "names from standard input"
is "one processed" 1 "$(value result.json total_processed)"

# As root nothing is unreadable.
mkdir tree tree/closed
echo a >tree/a
echo b >tree/b
echo c >tree/closed/c
chmod 000 tree/b tree/closed
if [ "$(id -u)" -ne 0 ]; then
	as_user=
elif command -v setpriv >/dev/null; then
	as_user="setpriv --reuid=65534 --regid=65534 --clear-groups"
	chmod 755 "$work"
	chmod 777 .
	cp "$iobatch" "$work/iobatch"
	iobatch=$work/iobatch
else
	skip "files that cannot be read" "root reads everything, and there is no setpriv"
	done_testing
	exit
fi
printf 'items: {walk: {root: tree}}\nprocessor: {read: {}}\n' >job.yaml
$as_user "$iobatch" run job.yaml --result unreadable.json >"$out" 2>"$err"
is "files that cannot be read exit with 1" 1 $?
is "the others are read" 1 "$(value unreadable.json successful)"
is "the file has failed" tree/b "$(value unreadable.json failed 0 item)"
is "with its error" EACCES "$(value unreadable.json failed 0 error)"
is "the directory was left out" 1 "$(value unreadable.json source_errors)"
holds "and is named" "$err" "iobatch: tree/closed: Permission denied: left out, with all in it"

chmod 644 tree/b
$as_user "$iobatch" run job.yaml >"$out" 2>"$err"
is "a walk that is not whole is no success" 1 $?
holds "although no item failed" "$err" "job: 2 successful, 0 failed"
done_testing
