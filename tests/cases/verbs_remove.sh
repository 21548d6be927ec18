#!/bin/sh
# SPDX-License-Identifier: MIT
#
# remove takes away what it is told to, and nothing else.
. "$(dirname "$0")/common.sh"
. "$(dirname "$0")/odd_tree.sh"

mkdir outside
echo precious >outside/file
odd_tree tree
ln -s ../outside tree/out
ln -s "$PWD/outside/file" "tree/sub dir/file link"
ln -s outside link
count=$(find tree -printf . | wc -c)
before=$(listing .)
exits "--dry-run" 0 remove --dry-run tree
is "prints each path, and what is in a directory first" "remove: tree" "$(grep -v 'nothing was touched' "$out" | tail -n 1)"
is "all of them" "$count" "$(grep -c '^remove: tree' "$out")"
holds "names escaped" "$out" 'remove: tree/new\x0aline'
is "and touches nothing" "$before" "$(listing .)"

exits "a tree of oddities" 0 remove tree --result result.json
ran_on result.json
[ ! -e tree ]
ok "is gone"
is "each of them was an item" "$count" "$(value result.json successful)"
is "what its links led to is there" precious "$(cat outside/file)"
exits "a link" 0 remove link
[ ! -L link ] && [ -e outside/file ]
ok "goes, and what it leads to stays"

mkdir -p wide deep
(cd wide && seq 3000 | sed 's/^/f/' | xargs touch)
i=0
(while [ $i -lt 400 ]; do
	mkdir d && cd d && echo x >f || exit
	i=$((i + 1))
done) 2>/dev/null
mv d deep/d
exits "wide and deep" 0 remove wide deep --rings=2 --batch-size=7
is "is gone, too" "" "$(ls -d wide deep 2>/dev/null)"

mkdir -p logs/app logs/empty
for file in logs/old.log logs/app/old.log logs/app/old.txt; do
	echo a >$file
	touch -d '2020-01-01' $file
done
echo new >logs/app/new.log
exits "--older-than and --include" 0 remove --older-than=7d --include='*.log' logs
is "take the files that they pick" "logs/app/new.log logs/app/old.txt" \
	"$(find logs -type f | sort | tr '\n' ' ' | sed 's/ $//')"
[ -d logs/empty ]
ok "and no directory"
exits "with --types" 0 remove --older-than=7d --include='*' --types=file,directory logs --result result.json
is "also the directories that are empty then" "logs logs/app logs/app/new.log" \
	"$(find logs | sort | tr '\n' ' ' | sed 's/ $//')"
is "those that are not are skipped" 2 "$(value result.json skipped)"
exits "a pattern of paths" 0 remove --include-path='app/*' logs
is "is of the path below" "logs logs/app" "$(find logs | sort | tr '\n' ' ' | sed 's/ $//')"
mkdir -p logs/x/y
exits "--min-depth=1" 0 remove --min-depth=1 logs
is "empties a directory" "logs" "$(find logs)"

echo a >a
echo b >b
mkdir c
exits "several" 0 remove a b c
is "are gone" "" "$(ls -d a b c 2>/dev/null)"
exits "what is not there" 2 remove outside/file gone
holds "is named" "$err" "iobatch: gone: No such file or directory"
is "and nothing was removed" precious "$(cat outside/file)"

if can_be_nobody; then
	mkdir -p part/closed part/open
	echo a >part/open/a
	echo b >part/closed/b
	chmod 777 part part/open
	chmod 000 part/closed
	[ "$(id -u)" -ne 0 ] || chown -R 65534:65534 part
	as_nobody "$iobatch" remove ${executor:+--executor="$executor"} part >"$out" 2>"$err"
	is "a directory that cannot be read" 1 $?
	holds "is named" "$err" "iobatch: part/closed: Permission denied: left out, with all in it"
	is "and stays, with those above it" "part part/closed part/closed/b" \
		"$(find part | sort | tr '\n' ' ' | sed 's/ $//')"
else
	skip "a directory that cannot be read" "root reads everything, and there is no setpriv"
fi

if unshare -m true 2>/dev/null; then
	mkdir -p tree/mounted tree/other
	echo a >tree/other/a
	unshare -m sh -c "mount -t tmpfs none tree/mounted && echo b >tree/mounted/b &&
		'$iobatch' remove ${executor:+--executor=$executor} tree; echo \$?; ls tree/mounted" >"$out" 2>"$err"
	is "another file system is not entered" "1
b" "$(cat "$out")"
	is "but what is beside it is gone" "tree/mounted" "$(echo tree/*)"
else
	skip "another file system is not entered" "mounting is not allowed here"
fi
done_testing
