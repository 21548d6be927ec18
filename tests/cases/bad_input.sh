#!/bin/sh
# SPDX-License-Identifier: MIT
#
# What is wrong with a job or with arguments is one line with file, line and key; the exit code is 2,
# and nothing has been touched.
. "$(dirname "$0")/common.sh"

echo content >file
echo file >list
printf 'items: {list: {file: list}}\nprocessor: {hash: {manifest: manifest}}\n' >good.yaml

# refused NAME LINE: job.yaml is refused with this message, by run as by check.
refused() {
	rm -f manifest result.json
	exits "$1: run exits with 2" 2 run job.yaml --result result.json
	says "$1: run says so" "$err" "iobatch: $2"
	is "$1: nothing on stdout" "" "$(cat "$out")"
	[ ! -e manifest ] && [ ! -e result.json ]
	ok "$1: nothing was made"
	exits "$1: check exits with 2" 2 check job.yaml
	says "$1: check says the same" "$err" "iobatch: $2"
}

{ cat good.yaml; printf 'options:\n  batch_size: 0\n'; } >job.yaml
refused "out of range" "job.yaml:4: options.batch_size: must be 1 to 1048576, not 0"

{ cat good.yaml; printf 'options:\n  batch_sise: 1\n'; } >job.yaml
refused "unknown key" "job.yaml:4: options.batch_sise: unknown key; did you mean batch_size?"

{ cat good.yaml; printf 'options:\n  retries: 1\n  retries: 2\n'; } >job.yaml
refused "a key twice" "job.yaml:5: options.retries: this key is here twice, first in line 4"

{ cat good.yaml; printf 'options: 1\n'; } >job.yaml
refused "wrong type" "job.yaml:3: options: must be a mapping of keys and values, not a single value; write its keys below it, or in braces: { }"

{ cat good.yaml; printf 'options: {timeout_ms: 5s}\n'; } >job.yaml
refused "a unit where none is" \
	"job.yaml:3: options.timeout_ms: must be a number of milliseconds, 0 to 31536000000, not 5s"

{ cat good.yaml; printf 'options:\n  executor: threads\n'; } >job.yaml
refused "an executor that there is not" \
	"job.yaml:4: options.executor: must be one of auto, ring, syscall, simulated, not \"threads\""

{ cat good.yaml; printf 'options: {threads: 1025}\n'; } >job.yaml
refused "too many threads" "job.yaml:3: options.threads: must be auto or 1 to 1024, not 1025"

{ cat good.yaml; printf 'options:\n  timeout_ms: 5\n  guards: both\n'; } >job.yaml
refused "an unknown guard" \
	"job.yaml:5: options.guards: must be one of auto, linked, list, not \"both\""

{ cat good.yaml; printf 'options: {max_stuck: -1}\n'; } >job.yaml
refused "a negative max_stuck" "job.yaml:3: options.max_stuck: must be 0 to 65536, not -1"

{ cat good.yaml; printf 'options: {stuck_grace_ms: 1s}\n'; } >job.yaml
refused "a grace with a unit" \
	"job.yaml:3: options.stuck_grace_ms: must be a number of milliseconds, 0 to 31536000000, not 1s"

{ cat good.yaml; printf 'options: {path_ops_max: 0}\n'; } >job.yaml
refused "no path op at all" "job.yaml:3: options.path_ops_max: must be 1 to 65536, not 0"

{ cat good.yaml; printf 'options: {simulation: {lost_permille: 1}}\n'; } >job.yaml
refused "a simulation without its executor" \
	"job.yaml:3: options.simulation: has an effect only with executor: simulated"

{ cat good.yaml; printf 'options:\n  executor: simulated\n  simulation:\n    without: [cqe_skip, cqes]\n'; } >job.yaml
refused "a feature that cannot be hidden" \
	"job.yaml:6: options.simulation.without: must be a list of words from submit_all, cqe_skip, etime_success, direct_files, not \"cqes\""

printf 'items: {list: {file: list}}\n' >job.yaml
refused "missing key" "job.yaml:1: processor: this key is required and is missing"

printf 'items: {list: {file: list}, glob: {pattern: a}}\nprocessor: {nop: {}}\n' >job.yaml
refused "two sources" "job.yaml:1: items.list: items already has glob, and can have only one of them"

printf 'items: {list: {file: list}}\nprocessor: {}\n' >job.yaml
refused "no processor" "job.yaml:2: processor: must have one of copy, move, hash, verify, compare, remove, read, fill, stat, set, rename, steps, nop"

printf 'items: {list: {file: list}}\nprocessor: {hash: {algorithm: md5}}\n' >job.yaml
refused "unknown word" "job.yaml:2: processor.hash.algorithm: must be one of xxh3, xxh3-64, xxh3-128, sha256, crc32c, blake2b, not \"md5\""

printf 'items: [\n' >job.yaml
refused "broken YAML" "job.yaml:2: not YAML: while parsing a flow node, did not find expected node content"

printf 'items: &a {list: {file: list}}\nprocessor: {nop: {}}\n' >job.yaml
refused "anchors" "job.yaml:1: anchors are not allowed in a job; write the value out"

printf 'items: {list: {file: list}}\nprocessor: {steps: [{close: {file: in}}]}\n' >job.yaml
refused "a file that no step opens" \
	"job.yaml:2: processor.steps.0.close.file: file \"in\" is used before a step opens it (as: in)"

printf 'items: {list: {file: list}}\nprocessor: {steps: [{openat: {path: {path}, as: in}}]}\n' >job.yaml
refused "a placeholder without quotes" \
	"job.yaml:2: processor.steps.0.openat.path: must be a single value, not a mapping; put it in quotes when it begins with {"

printf 'items:\n\tlist: {file: list}\n' >job.yaml
refused "a tab" "job.yaml:2: not YAML: found character that cannot start any token; indent with spaces, not tabs, and put values in quotes that begin with @, \` or %"

printf 'items: {range: {path: list}}\nprocessor: {hash: {manifest: manifest}}\n' >job.yaml
refused "a manifest of blocks" \
	"job.yaml:2: processor.hash.manifest: a manifest names whole files, and items.range has blocks of one; leave it out or use items.list"

printf 'items: {range: {path: list}}\nprocessor: {copy: {destination: to}}\n' >job.yaml
refused "a copy of blocks" \
	"job.yaml:2: processor.copy: works on whole files, and items.range has blocks of one; use items.list for one file"

rm job.yaml
refused "no such job" "job.yaml: No such file or directory"

# What a job names is looked for when it is run.
printf 'items:\n  list:\n    file: nowhere\nprocessor: {nop: {}}\n' >job.yaml
exits "a list that does not exist" 2 run job.yaml
says "is named with its line" "$err" \
	"iobatch: job.yaml:3: items.list.file: nowhere: No such file or directory"
exits "a list that is a directory" 2 run job.yaml --set items.list.file=.
says "is named as such" "$err" "iobatch: --set items.list.file: .: Is a directory"
exits "a manifest without a directory" 2 run good.yaml --set processor.hash.manifest=gone/m
says "is told to need one" "$err" \
	"iobatch: --set processor.hash.manifest: gone/m: No such file or directory; the directory that it is to stand in must exist"
{ cat good.yaml; printf 'options:\n  memory_limit: 4KiB\n'; } >job.yaml
exits "memory for less than a block" 2 run job.yaml
holds "is named with its line" "$err" "iobatch: job.yaml:4: options.memory_limit: must be at least 131072"
[ ! -e manifest ]
ok "nothing was done"
printf 'items: {walk: {root: nowhere}}\nprocessor: {nop: {}}\n' >job.yaml
exits "a root that does not exist" 2 run job.yaml
says "is named with its line" "$err" \
	"iobatch: job.yaml:1: items.walk.root: nowhere: No such file or directory"
exits "a range of a file that does not exist" 2 run job.yaml --set 'items={range: {path: gone}}'
says "is named with its --set" "$err" \
	"iobatch: --set items: items.range.path: gone: No such file or directory"

exits "--set without a value" 2 check good.yaml --set options
says "is explained" "$err" "iobatch: --set options: must be KEY=VALUE, such as options.batch_size=128"
exits "--set with a bad value" 2 check good.yaml --set options.rings=many
says "is named as such" "$err" "iobatch: --set options.rings: must be auto or 1 to 64, not many"

for arguments in "" frobnicate run check "run good.yaml more" "run good.yaml --progress loud" \
	"run good.yaml --list-successful" "run good.yaml --frobnicate" "run good.yaml --executor=none" "run good.yaml --executor=" "ops more" "doctor more" --frobnicate; do
	# shellcheck disable=SC2086 # words are what is wanted
	exits "'iobatch $arguments' is refused" 2 $arguments
	[ -s "$err" ] && [ ! -s "$out" ]
	ok "'iobatch $arguments' says why on stderr"
done

mkdir -p tree/directory
exits "a simulated walk that waits for itself" 2 remove --executor=simulated tree
holds "is told what to take" "$err" "take another executor, or types without directories"
exits "one without directories" 0 remove --executor=simulated --types=file tree

exits "a result that could not be written" 2 run good.yaml --result nowhere/result.json
says "is refused beforehand" "$err" "iobatch: --result nowhere/result.json: No such file or directory"
[ ! -e manifest ]
ok "nothing was done"
done_testing
