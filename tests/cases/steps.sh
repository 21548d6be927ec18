#!/bin/sh
# SPDX-License-Identifier: MIT
#
# A chain that the user writes: its placeholders, its order, and what it does to files.
. "$(dirname "$0")/common.sh"

mkdir in out
printf 'one' >in/1.txt
printf 'two' >in/2.txt
printf 'none' >in/plain
cat >job.yaml <<'YAML'
items: {glob: {pattern: in/*}}
processor:
  steps:
    - openat: {path: "{path}", flags: [rdonly, nofollow], as: in}
    - read: {file: in, length: 64KiB}
    - openat: {path: "{dir}/../out/{index}-{stem}-{name}.part", flags: [wronly, creat, excl], mode: 0600, as: out}
    - write: {file: out}
    - fsync: {file: out}
    - close: {file: out}
    - renameat: {from: "{dir}/../out/{index}-{stem}-{name}.part", to: "out/{{{index}}}-{stem}-{name}"}
    - close: {file: in}
YAML
exits "steps copy what they read" 0 run job.yaml --result result.json
ran_on result.json
is "under the names of the placeholders" "{0}-1-1.txt
{1}-2-2.txt
{2}-plain-plain" "$(cd out && echo * | tr ' ' '\n')"
is "with the content" onetwonone "$(cat out/*)"
is "with the mode" 600 "$(stat -c %a out/*1.txt)"

exits "an op that fails ends the attempt" 1 run job.yaml --result result.json \
	--set processor.steps.2.openat.path=out/same --set processor.steps.6.renameat.to=out/same2 \
	--set processor.steps.6.renameat.from=in/gone --set options.max_concurrent=1 --set options.batch_size=1
is "all of them" 3 "$(value result.json failed_count)"
is "the first by its rename" renameat "$(value result.json failed 0 op)"
is "the next by its open" openat "$(value result.json failed 1 op)"
is "because the file is there" EEXIST "$(value result.json failed 1 error)"

exits "steps remove" 0 run job.yaml --set 'processor={steps: [{unlinkat: {path: "{path}"}}]}'
is "all that was named" "" "$(ls in)"

mkfifo in/pipe
exits "an item that never answers" 1 run job.yaml --result result.json \
	--set 'processor={steps: [{openat: {path: "{path}", flags: [rdwr], as: p}}, {read: {file: p, length: 1}}]}' \
	--set options.timeout_ms=50 --set options.retries=1
is "runs out of time" ETIME "$(value result.json failed 0 error)"
is "and is tried again" 2 "$(value result.json failed 0 attempts)"
is "in the op that waited" read "$(value result.json failed 0 op)"
done_testing
