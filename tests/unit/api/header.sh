#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The public header needs no other before it, in each language that may include it, and its
# initialisers and constructors can be used there. Strictest warnings, as errors.
#
#     header.sh INCLUDE_DIRECTORY CC...
set -u

include=$1
shift

number=0

# try NAME PROGRAM COMPILER... : the program compiles without a warning.
try() {
	name=$1
	program=$2
	shift 2
	number=$((number + 1))
	if output=$(echo "$program" |
		"$@" -I"$include" -Wall -Wextra -Werror -fsyntax-only - 2>&1); then
		echo "ok $number - $name"
	else
		echo "not ok $number - $name"
		echo "$output" | sed 's/^/# /'
	fi
}

# skip NAME REASON
skip() {
	number=$((number + 1))
	echo "ok $number - $1 # SKIP $2"
}

alone='#include <iobatch.h>'
uses='
#include <iobatch.h>
struct iobatch_options options = IOBATCH_OPTIONS_INIT;
struct iobatch_result result = IOBATCH_RESULT_INIT;
struct iobatch_processor processor = IOBATCH_PROCESSOR_INIT;
struct iobatch_walk_options walk = IOBATCH_WALK_OPTIONS_INIT;
struct iobatch_range_options range = IOBATCH_RANGE_OPTIONS_INIT;
struct iobatch_read_options read_options = IOBATCH_READ_OPTIONS_INIT;
struct iobatch_hash_options hash = IOBATCH_HASH_OPTIONS_INIT;
struct iobatch_copy_options copy = IOBATCH_COPY_OPTIONS_INIT;
struct iobatch_support support = IOBATCH_SUPPORT_INIT;
int use(struct iobatch_chain *chain);
int use(struct iobatch_chain *chain)
{
	return iobatch_chain_add(chain, iobatch_op_close(IOBATCH_FD(0))) ? 0 : -1;
}
'

echo "TAP version 13"
echo "1..6"

# Old initialisers leave members out on purpose.
set -- "$@" -Wno-missing-field-initializers
try "compiles alone as C11" "$alone" "$@" -std=c11 -pedantic -Wshadow -x c
try "compiles alone as GNU C17" "$alone" "$@" -std=gnu17 -x c
try "its initialisers work in C11" "$uses" "$@" -std=c11 -pedantic -Wshadow -x c

cxx=
for candidate in g++ clang++ c++; do
	if command -v "$candidate" >/dev/null; then
		cxx=$candidate
		break
	fi
done
if [ -n "$cxx" ]; then
	set -- "$cxx" -Wno-missing-field-initializers
	try "compiles alone as C++11" "$alone" "$@" -std=c++11 -x c++
	try "compiles alone as C++20" "$alone" "$@" -std=c++20 -pedantic -x c++
	try "its initialisers work in C++20" "$uses" "$@" -std=c++20 -pedantic -x c++
else
	skip "compiles alone as C++11" "no C++ compiler"
	skip "compiles alone as C++20" "no C++ compiler"
	skip "its initialisers work in C++20" "no C++ compiler"
fi
