#!/bin/sh
# SPDX-License-Identifier: MIT
#
# hash over a tree of odd names and odd files agrees with the tools that check its manifests.
. "$(dirname "$0")/common.sh"
. "$(dirname "$0")/odd_tree.sh"

odd_tree tree
printf 'items: {walk: {root: tree}}\nprocessor: {hash: {algorithm: sha256, manifest: m}}\n' >job.yaml
files=$(find tree -type f -printf . | wc -c)

for algorithm in sha256:sha256sum blake2b:b2sum; do
	name=${algorithm%:*}
	tool=${algorithm#*:}
	exits "$name" 0 run job.yaml --set processor.hash.algorithm="$name" --result result.json
	ran_on result.json
	is "$name: each file" "$files" "$(wc -l <m)"
	$tool --check --quiet --strict m >"$out" 2>"$err"
	ok "$name: $tool agrees"
done
for algorithm in xxh3-64 xxh3-128; do
	exits "$algorithm" 0 run job.yaml --set processor.hash.algorithm=$algorithm
	is "$algorithm: each file" "$files" "$(wc -l <m)"
	if command -v xxhsum >/dev/null; then
		# Before 0.8.2 xxhsum has no way to write a newline in a name.
		grep -av 'new\\nline' m >m.xxhsum
		is "$algorithm: one name has a newline" $((files - 1)) "$(wc -l <m.xxhsum)"
		xxhsum --check --quiet --strict m.xxhsum >"$out" 2>"$err"
		ok "$algorithm: xxhsum agrees"
	else
		skip "$algorithm: xxhsum agrees" "xxhsum is not installed"
	fi
done

exits "crc32c" 0 run job.yaml --set processor.hash.algorithm=crc32c
is "crc32c: each file" "$files" "$(wc -l <m)"

exits "with more rings than one" 0 run job.yaml --set options.rings=2 --set options.batch_size=3 \
	--set processor.hash.manifest=m2
exits "and with one" 0 run job.yaml
cmp -s m m2
ok "the manifest is the same"

mkdir own
echo one >own/one
printf 'items: {walk: {root: .}}\nprocessor: {hash: {algorithm: sha256, manifest: ./manifest}}\n' >own.yaml
for time in first second; do
	(cd own && "$iobatch" run --executor="$executor" ../own.yaml --progress none) >"$out" 2>"$err"
	ok "a manifest in the tree, for the $time time"
	is "has no line of its own" "./one" "$(cut -c 67- own/manifest)"
done
mkdir own/deep
echo two >own/deep/manifest
(cd own && "$iobatch" run --executor="$executor" ../own.yaml --progress none) >"$out" 2>"$err"
is "another file of its name has one" "./deep/manifest ./one" "$(cut -c 67- own/manifest | tr '\n' ' ' | sed 's/ $//')"

find tree -type f -print0 >list
exits "the names from a list that NUL separates" 0 run job.yaml \
	--set 'items={list: {file: list, separator: nul}}'
is "each file" "$files" "$(wc -l <m)"
sha256sum --check --quiet --strict m >"$out" 2>"$err"
ok "sha256sum agrees"
done_testing
