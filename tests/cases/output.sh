#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Output that cannot be written is an error, never a crash and never silence.
. "$(dirname "$0")/common.sh"

echo a >a
echo a >list
printf 'items: {list: {file: list}}\nprocessor: {hash: {}}\n' >job.yaml

exits "a result on a full disk" 1 run job.yaml --result /dev/full
holds "is told" "$err" "iobatch: /dev/full: No space left on device: the result was not written"
exits "a result on standard output" 0 run job.yaml --result -
cp "$out" result.json
is "is the document and nothing else" 1 "$(value result.json successful)"

for command in ops "ops --arguments" doctor --help "run --help" --version "check job.yaml" \
	"run job.yaml --dry-run" "run job.yaml --result -"; do
	# shellcheck disable=SC2086 # words are what is wanted
	"$iobatch" $command >/dev/full 2>"$err"
	is "$command: stdout is full" 1 $?
	grep -q "No space left on device" "$err"
	ok "$command: is told"
	# shellcheck disable=SC2086
	"$iobatch" $command >&- 2>"$err"
	is "$command: stdout is closed" 1 $?
	grep -q "Bad file descriptor" "$err"
	ok "$command: is told"
	# The reader is gone before anything is written.
	# shellcheck disable=SC2086
	{ sleep 0.2; "$iobatch" $command 2>"$err"; echo $? >code; } | true
	is "$command: nobody reads stdout" 1 "$(cat code)"
	grep -q "Broken pipe" "$err"
	ok "$command: is told"
done

"$iobatch" run job.yaml 2>/dev/full
is "nobody needs to take stderr" 0 $?
"$iobatch" run job.yaml --progress json 2>&-
is "nor need it be open" 0 $?
"$iobatch" run job.yaml --set processor.hash.manifest=m \
	--set processor.hash.algorithm=sha256 <&- >&- 2>&-
is "nor anything else" 0 $?
is "and no file was written over" 1 "$(grep -c '^[0-9a-f]*  a$' m)"

echo old >result.json
exits "a result replaces the one before" 0 run job.yaml --result result.json
is "whole" 1 "$(value result.json successful)"
ln -s elsewhere.json link.json
: >elsewhere.json
exits "a result through a symbolic link" 0 run job.yaml --result link.json
is "goes where the link points" 1 "$(value elsewhere.json successful)"
[ -L link.json ]
ok "and the link stays"
mkfifo pipe
timeout 60 cat pipe >piped.json &
exits "a result into a pipe" 0 run job.yaml --result pipe
wait
is "arrives" 1 "$(value piped.json successful)"
is "no temporary file is left" "" "$(find . -name '*.json.*')"
done_testing
