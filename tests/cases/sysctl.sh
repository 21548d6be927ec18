#!/bin/sh
# SPDX-License-Identifier: MIT
#
# With kernel.io_uring_disabled a job is done by system calls, and cause and remedy are named. This
# sets the switch of the whole machine, where it may: no other test must run meanwhile.
. "$(dirname "$0")/common.sh"

switch=/proc/sys/kernel/io_uring_disabled
nobody=65534
before=$(cat $switch 2>/dev/null)

printf 'items: {list: {file: list}}\nprocessor: {hash: {algorithm: sha256, manifest: sums}}\noptions: {timeout_ms: 60000}\n' >job.yaml
echo a >a
echo a >list

reason=
if [ -z "$before" ]; then
	reason="this kernel has no kernel.io_uring_disabled"
elif ! { echo "$before" >$switch; } 2>/dev/null; then
	reason="kernel.io_uring_disabled cannot be written"
fi
if [ -n "$reason" ]; then
	skip "io_uring switched off" "$reason"
	done_testing
	exit
fi
trap 'echo "$before" >$switch; chmod -R u+rwX "$work"; rm -rf "$work"' EXIT

# check VALUE COMMAND...: what the command is to do while the switch has this value.
check() {
	setting=$1
	shift
	rm -f sums result.json
	"$@" doctor >"$out" 2>"$err"
	is "$setting: doctor exits with 3" 3 $?
	holds "$setting: doctor names the cause" "$out" "cause: kernel.io_uring_disabled is $setting"
	holds "$setting: doctor names the remedy" "$out" "sysctl kernel.io_uring_disabled=0"
	"$@" run job.yaml --executor=ring --result result.json >"$out" 2>"$err"
	is "$setting: the ring by name is refused" 3 $?
	holds "$setting: with the cause" "$err" "kernel.io_uring_disabled is $setting"
	[ ! -e sums ] && [ ! -e result.json ]
	ok "$setting: and nothing was made"
	"$@" run job.yaml --result result.json >"$out" 2>"$err"
	is "$setting: the job is done all the same" 0 $?
	is "$setting: by system calls" syscall "$(value result.json executor)"
	is "$setting: one line says why" 1 \
		"$(grep -c "^iobatch: .*kernel.io_uring_disabled is $setting" "$err")"
	is "$setting: the manifest is right" "$(sha256sum a)" "$(cat sums)"
}

echo 2 >$switch
check 2 "$iobatch"

# 1 is for those without privileges only, so another user must be able to get at the command.
echo 1 >$switch
chmod 711 "$work"
chmod 777 .
other="setpriv --reuid=$nobody --regid=$nobody --clear-groups --inh-caps=-all --"
# shellcheck disable=SC2086 # words are what is wanted
if $other "$iobatch" --version >/dev/null 2>&1; then
	check 1 $other "$iobatch"
else
	skip "switched off for other users" "the command cannot be run as another user here"
fi
done_testing
