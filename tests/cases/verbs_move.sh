#!/bin/sh
# SPDX-License-Identifier: MIT
#
# move leaves at its destination what was at its source, and nothing at its source.
. "$(dirname "$0")/common.sh"
. "$(dirname "$0")/odd_tree.sh"

odd_tree tree
ln tree/large "tree/sub dir/the same"
touch -d '2001-02-03 04:05:06.123456789' "tree/sub dir"
touch -d '1999-12-31 23:59:59' tree
cp -a tree kept

exits "a tree to a new name" 0 move tree whole --result result.json
ran_on result.json
is "is renamed in one step" 1 "$(value result.json successful)"
same "is there as it was" kept whole
exits "and file by file" 0 move --one-by-one whole to --result result.json
is "is as many steps" "$(find kept -printf . | wc -c)" "$(value result.json successful)"
same "and there as it was, too" kept to
[ ! -e whole ]
ok "with nothing left"
[ ! -e tree ]
ok "and gone from where it was"
mkdir there
exits "a tree into a directory" 0 move to there
same "keeps its name" kept there/to
exits "what is in it" 0 move there/to/ back
same "with a slash" kept back
echo a >a
echo b >b
exits "several" 0 move a b there
is "are in it" "ab" "$(cat there/a there/b | tr -d '\n')"
echo new >a
exits "--existing=fail" 1 move --existing=fail a there
is "leaves both" "newa" "$(cat a there/a | tr -d '\n')"
exits "--existing=skip" 0 move --existing=skip a there --result result.json
is "leaves both, too" "newa" "$(cat a there/a | tr -d '\n')"
is "and counts it as skipped" 1 "$(value result.json skipped)"
exits "over what is there" 0 move a there/a
is "replaces it" new "$(cat there/a)"
[ ! -e a ]
ok "and takes it away"

mkdir -p logs/old
echo 1 >logs/a.log
echo 2 >logs/old/b.log
echo 3 >logs/old/c.txt
exits "filters" 0 move --types=file --include='*.log' logs/ archive
is "take what they pick" "./a.log ./old/b.log" "$(cd archive && find . -type f | sort | tr '\n' ' ' | sed 's/ $//')"
is "and leave the rest" "logs/old/c.txt" "$(find logs -type f)"

if [ -d /dev/shm ] && [ -w /dev/shm ] && [ "$(stat -c %d /dev/shm)" != "$(stat -c %d .)" ]; then
	elsewhere=$(mktemp -d /dev/shm/iobatch-test.XXXXXX)
	trap 'rm -rf "$elsewhere"; clean_up' EXIT
	exits "to another file system" 0 move back "$elsewhere/tree"
	same "is there as it was, again" kept "$elsewhere/tree"
	[ ! -e back ]
	ok "and gone from here"
	exits "and back" 0 move "$elsewhere/tree/" again
	same "once more" kept again
	is "with nothing left there" "" "$(find "$elsewhere" -mindepth 1 ! -name tree)"
else
	skip "to another file system" "there is none here"
fi
is "nothing temporary is left" "" "$(find . -name '.iobatch*')"
done_testing
