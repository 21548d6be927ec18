#!/bin/sh
# SPDX-License-Identifier: MIT
#
# A copy whose destination overlaps the tree that it copies is refused before anything is touched.
. "$(dirname "$0")/common.sh"

mkdir -p tree/sub beside
echo a >tree/sub/a
ln -s tree link
ln -s ../tree beside/up
printf 'items: {walk: {root: tree, types: [file, directory]}}\nprocessor:\n  copy:\n    destination: to\n' >job.yaml
before=$(find . | sort)

# refused NAME DESTINATION HOW [ROOT]
refused() {
	root=${4-tree}
	exits "$1" 2 run job.yaml --set processor.copy.destination="$2" --set items.walk.root="$root" \
		--result result.json
	holds "$1: why" "$err" "iobatch: --set processor.copy.destination: $2 $3"
	is "$1: one line" 1 "$(wc -l <"$err" | tr -d ' ')"
	exits "$1: also by a dry run" 2 run job.yaml --dry-run --set processor.copy.destination="$2" \
		--set items.walk.root="$root"
	is "$1: nothing was touched" "$before" "$(find . | sort)"
}

refused "the root itself" tree "is tree itself"
refused "the root with slashes" .//tree/ "is tree itself"
refused "the root by its whole name" "$PWD/tree" "is tree itself"
refused "the root by a link" link "is tree itself"
refused "a directory in the root" tree/sub "lies in tree,"
refused "a new directory in the root" tree/new/ "lies in tree,"
refused "a new directory in the root by a link" beside/up/sub/new "lies in tree,"
refused "a root that is the current directory" new "lies in .," .
refused "the whole file system" new "lies in /," /
refused "a destination that holds the root" . "holds tree,"
refused "a destination that holds the root, by a link" . "holds beside/up/sub," beside/up/sub

sed 's/destination: to/destination: tree\/to/' job.yaml >in.yaml
exits "without --set" 2 run in.yaml
holds "the file and the line" "$err" "iobatch: in.yaml:4: processor.copy.destination: tree/to lies in"
rm in.yaml

exits "a name that only begins like the root's" 0 run job.yaml --set processor.copy.destination=tree2
diff -r tree tree2 >"$out"
ok "is another place"
exits "a new directory beside it" 0 run job.yaml --set processor.copy.destination=beside/new
diff -r tree beside/new >"$out"
ok "is fine"
exits "a destination in no directory" 2 run job.yaml --set processor.copy.destination=gone/new
holds "needs the directory" "$err" "the directory that it is to stand in must exist"
done_testing
