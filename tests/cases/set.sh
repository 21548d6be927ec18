#!/bin/sh
# SPDX-License-Identifier: MIT
#
# --set changes any value of a job, before it is checked.
. "$(dirname "$0")/common.sh"

mkdir tree
echo a >tree/a
ln -s nowhere tree/link
printf 'items: {walk: {root: nowhere}}\nprocessor: {hash: {}}\noptions: {batch_size: 64}\n' >job.yaml

exits "a value is replaced" 0 run job.yaml --set items.walk.root=tree --result result.json
is "one item" 1 "$(value result.json total_processed)"

exits "a value is added, also where its mapping is missing" 0 run job.yaml --set job=other \
	--set items.walk.root=tree --set processor.hash.manifest=m --set options.retries=3 --result result.json
is "the name is that of --set" other "$(value result.json job)"
[ -s m ]
ok "the manifest is there"

exits "a list is YAML" 1 run job.yaml --set items.walk.root=tree \
	--set 'items.walk.types=[file, symlink]' --result result.json
is "two items" 2 "$(value result.json total_processed)"
is "the symbolic link is one of them" tree/link "$(value result.json failed 0 item)"

exits "a mapping replaces all below it" 0 run job.yaml --set 'items={glob: {pattern: tree/a}}' \
	--set 'processor={nop: {}}' --result result.json
is "one item of the glob" 1 "$(value result.json total_processed)"

exits "the later --set wins" 0 check job.yaml --set options.batch_size=0 --set options.batch_size=7
holds "with its value" "$out" "7 items a batch"

exits "--executor is a --set" 0 run job.yaml --executor=simulated --set items.walk.root=tree \
	--result result.json
is "of the executor" simulated "$(value result.json executor)"
exits "and the later one wins" 0 run job.yaml --executor=ring --set options.executor=simulated \
	--set items.walk.root=tree --result result.json
is "as of two --set" simulated "$(value result.json executor)"

mkdir 'odd: {name}, # "x"'
echo a >'odd: {name}, # "x"/a'
exits "a plain value needs no quoting" 0 run job.yaml --set 'items.walk.root=odd: {name}, # "x"' \
	--result result.json
is "and is taken as it stands" 'odd: {name}, # "x"/a' \
	"$("$iobatch" run job.yaml --set 'items.walk.root=odd: {name}, # "x"' --result - \
		--list-successful 2>/dev/null >list.json; value list.json successful_items 0 item)"

printf 'items: {list: {file: l}}\nprocessor:\n  steps:\n    - statx: {path: "{path}"}\n' >steps.yaml
echo x >l
exits "an entry of a list is named by its number" 0 run steps.yaml \
	--set processor.steps.0.statx.path=tree/a
exits "an entry that is not there" 2 run steps.yaml --set processor.steps.1.statx.path=tree/a
holds "is refused" "$err" "names an entry that the list does not have"
done_testing
