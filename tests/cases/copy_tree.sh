#!/bin/sh
# SPDX-License-Identifier: MIT
#
# copy makes the same tree again: content, modes and modification times.
. "$(dirname "$0")/common.sh"
. "$(dirname "$0")/odd_tree.sh"

odd_tree tree
# What else there is to compare: type, mode, modification time, size, target; directories have no
# size of their own.
listing() {
	(cd "$1" && find . \( -type d -printf '%p %y %m %T@\n' \) -o -printf '%p %y %m %T@ %s %l\n' | sort)
}

printf 'items: {walk: {root: tree, types: [file, directory, symlink]}}\nprocessor: {copy: {destination: to}}\n' >job.yaml
exits "copy" 0 run job.yaml --result result.json
ran_on result.json
diff -r --no-dereference tree to >"$out" 2>"$err"
ok "the content is the same"
listing tree >"$work/from.list"
listing to >"$work/to.list"
diff "$work/from.list" "$work/to.list" >"$out"
ok "modes and modification times are the same"
is "each of them was an item" "$(find tree -printf . | wc -c)" "$(value result.json successful)"

exits "once more over what is there, item by item" 0 run job.yaml --set options.batch_size=1 \
	--set options.max_concurrent=1
listing to >"$work/to.list"
diff "$work/from.list" "$work/to.list" >"$out"
ok "it is the same again"

exits "with rings and many batches" 0 run job.yaml --set options.batch_size=2 --set options.rings=2 \
	--set options.max_concurrent=16 --set processor.copy.destination=to2
diff -r --no-dereference tree to2 >"$out" 2>"$err"
ok "the content is the same"
listing to2 >"$work/to.list"
diff "$work/from.list" "$work/to.list" >"$out"
ok "modes and modification times are the same"

mkfifo tree/pipe
exits "a pipe is not copied" 0 run job.yaml --set 'items.walk.types=[other]' --result result.json \
	--list-successful --set processor.copy.destination=to3
is "it is skipped as such" ESPECIAL "$(value result.json successful_items 0 skipped)"
is "and counted" 1 "$(value result.json skipped)"
done_testing
