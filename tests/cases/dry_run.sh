#!/bin/sh
# SPDX-License-Identifier: MIT
#
# --dry-run says what would be done with each item, and does nothing.
. "$(dirname "$0")/common.sh"

mkdir -p tree/sub
echo a >tree/a
echo b >"tree/sub/$(printf 'b\nx\377')"
ln -s a tree/link
printf 'items: {walk: {root: tree, types: [file, directory, symlink]}}\nprocessor: {copy: {destination: to}}\noptions: {batch_size: 2}\n' >job.yaml

before=$(find . | sort | od -c)
exits "a copy" 0 run job.yaml --dry-run
is "each item with its destination, names escaped" "copy: tree/a -> to/a
copy: tree/link -> to/link
copy: tree/sub/b\\x0ax\\xff -> to/sub/b\\x0ax\\xff
copy: tree/sub -> to/sub
copy: tree -> to
5 items in 3 batches; nothing was touched" "$(cat "$out")"
is "nothing was touched" "$before" "$(find . | sort | od -c)"

exits "a hash with a manifest" 0 run job.yaml --dry-run \
	--set 'processor={hash: {algorithm: sha256, manifest: m}}' --set 'items.walk.types=[file]'
holds "what would be done" "$out" "hash sha256: tree/a"
holds "how much of it" "$out" "2 items in 1 batches; nothing was touched"
is "no manifest" "$before" "$(find . | sort | od -c)"

exits "steps" 0 run job.yaml --dry-run --set 'items={glob: {pattern: tree/a}}' \
	--set 'processor={steps: [{statx: {path: "{path}"}}, {unlinkat: {path: "{path}"}}]}'
holds "the ops" "$out" "statx, unlinkat: tree/a"
is "the file is still there" "$before" "$(find . | sort | od -c)"

head -c 10000 /dev/zero >data
exits "a range" 0 run job.yaml --dry-run --set 'items={range: {path: data, block_size: 4KiB}}' \
	--set 'processor={read: {}}'
is "its blocks" "read: data [0, +4096]
read: data [4096, +4096]
read: data [8192, +1808]
3 items in 2 batches; nothing was touched" "$(cat "$out")"

exits "a result of nothing makes no sense" 2 run job.yaml --dry-run --result r
done_testing
