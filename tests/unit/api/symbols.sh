#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The functions that the public header declares, the symbol list of the linker and what the shared
# library lets be seen are one and the same set.
#
#     symbols.sh HEADER MAP LIBRARY
set -eu

header=$1
map=$2
library=$3

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# A declaration begins in the first column; inline functions are static and no symbols.
sed -n '/^static/d; s/^[a-z].*[ *]\(iobatch_[a-z0-9_]*\)(.*/\1/p' "$header" | sort >"$work/header"

# The map's lines: "<tab>name;" between global: and local:.
sed -n '/^global:/,/^local:/ s/^[[:space:]]*\([^:;[:space:]]*\);.*/\1/p' "$map" | sort >"$work/map"

# The version itself is an absolute symbol.
nm --dynamic --defined-only "$library" | awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' |
	sort >"$work/library"

number=0
same() {
	number=$((number + 1))
	if diff -u "$work/$2" "$work/$3" >"$work/diff"; then
		echo "ok $number - $1"
	else
		echo "not ok $number - $1"
		sed 's/^/# /' "$work/diff"
	fi
}

echo "TAP version 13"
echo "1..3"
if [ -s "$work/header" ]; then
	echo "ok 1 - the header declares functions"
else
	echo "not ok 1 - the header declares functions"
fi
number=1
same "every function of the header is in the symbol list, and nothing else" header map
same "every function of the header is seen in the shared library, and nothing else" header library
