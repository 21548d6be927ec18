#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Dependencies between the parts point one way: cli -> job -> public header; engine -> op and the
# executor's interface; executor -> op; sources and processors know the public header only. Foreign
# libraries stay in the one part that is about them. docs/ARCHITECTURE.md says why.
#
#     includes.sh SOURCE_DIRECTORY
set -eu

source=$1
number=0

echo "TAP version 13"
echo "1..14"

# report NAME OFFENCES
report() {
	number=$((number + 1))
	if [ -z "$2" ]; then
		echo "ok $number - $1"
	else
		echo "not ok $number - $1"
		echo "$2" | sed 's/^/# /'
	fi
}

# Each include below src/ as "part/file.c header", with a header of the part's own folder written
# with its folder.
includes=$(
	cd "$source"
	for file in */*.[ch]; do
		sed -n 's/^#[[:space:]]*include[[:space:]]*\([<"][^>"]*\)[>"].*/\1/p' "$file" |
			while read -r header; do
				case $header in
				\"*/* | \<*) echo "$file $header" ;;
				*) echo "$file \"${file%/*}/${header#?}" ;;
				esac
			done
	done
)

# only PART PATTERN: of the headers below src/, the part includes only these.
only() {
	report "$1 includes of src/ only what is $2" \
		"$(echo "$includes" | grep "^$1/" | grep ' "' | grep -Ev " \"($2)" || true)"
}

# within PATTERN FILES: headers of this library are included by these files only.
within() {
	report "$1 is included in $2 only" \
		"$(echo "$includes" | grep -E " <($1)" | grep -Ev "^($2)" || true)"
}

only op 'op/'
only executor 'executor/|op/'
only engine 'engine/|executor/executor\.h$|op/'
# op/abi.h is about structs that begin with their size, and knows no op.
only source 'source/|op/abi\.h'
only processor 'processor/|op/abi\.h|text/'
only journal 'journal/|text/'
only job 'job/|journal/'
only cli 'cli/|job/|journal/|text/'

within 'liburing' 'executor/(ring|kernel)'
within 'linux/io_uring\.h' 'op/'
within 'cyaml|yaml\.h' 'job/'
within 'jansson' 'job/|cli/'
within 'openssl/|isa-l' 'processor/'
within 'xxhash' 'processor/|journal/|job/'
