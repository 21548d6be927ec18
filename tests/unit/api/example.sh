#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The README's library example, which meson has compiled from the README itself, does what the
# README says: tells how many files of a tree it has read, and how many bytes.
#
#     example.sh EXAMPLE
set -eu

echo "TAP version 13"
if ! output=$("$1" /dev/null 2>&1) && echo "$output" | grep -q io_uring; then
	echo "1..0 # SKIP $output"
	exit 0
fi

tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
mkdir "$tree/below"
printf '12345' >"$tree/five"
printf '1234567' >"$tree/below/seven"
: >"$tree/below/none"

echo "1..2"
expected="3 files, 12 bytes, 0 failed"
if output=$("$1" "$tree" 2>&1) && [ "$output" = "$expected" ]; then
	echo "ok 1 - reads every file of a tree"
else
	echo "not ok 1 - reads every file of a tree"
	echo "# expected: $expected"
	echo "$output" | sed 's/^/# /'
fi
if "$1" "$tree/missing" >/dev/null 2>&1; then
	echo "not ok 2 - fails for a tree that is not there"
else
	echo "ok 2 - fails for a tree that is not there"
fi
