#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Runs a test executable and makes of what it prints what the Test Anything Protocol asks for:
#
#     tap.sh EXECUTABLE ARGUMENT...
#
# cmocka says `not ok 3 # SKIP name` of a test that was skipped, which is a failure to whoever reads
# TAP. Here that becomes `ok 3 - name # SKIP reason`; the reason is the last line that the test has
# printed. Lines that are no TAP become comments. The exit status is the executable's.
set -uo pipefail
export CMOCKA_MESSAGE_OUTPUT=TAP

reason=
"$@" | while IFS= read -r line || [[ -n $line ]]; do
	if [[ $line =~ ^not\ ok\ ([0-9]+)\ #\ SKIP\ (.*)$ ]]; then
		line="ok ${BASH_REMATCH[1]} - ${BASH_REMATCH[2]} # SKIP ${reason:-no reason given}"
		reason=
	elif [[ $line =~ ^(not\ )?ok\ [0-9]+ ]]; then
		reason=
	elif ! [[ $line =~ ^([0-9]+\.\.[0-9]+|TAP\ version|\#|Bail\ out!) ]]; then
		reason=$line
		line="# $line"
	fi
	printf '%s\n' "$line"
done
