#!/bin/sh
# SPDX-License-Identifier: MIT
#
# stat, touch, chmod, chown, truncate, sync, rename, read, write and compare do what their names say, to
# what is named; to what is in it only with --recursive.
. "$(dirname "$0")/common.sh"

odd=$(printf 'new\nline\377')
mkdir -p tree/sub
echo a >tree/a
echo b >tree/sub/b
echo c >"tree/$odd"
ln -s a tree/link
touch -h -d '2020-02-03 04:05:06.5' tree/link tree/a

exits "stat" 0 stat tree/a tree tree/link
is "an object a line" 3 "$(wc -l <"$out" | tr -d ' ')"
sed -n 1p "$out" >line.json
is "of what is named" tree/a "$(value line.json item)"
is "its size" 2 "$(value line.json size)"
sed -n 3p "$out" >line.json
is "of a link its own" symlink "$(value line.json type)"
exits "stat -r" 0 stat -r tree
is "all that is in it" "$(find tree -printf . | wc -c)" "$(wc -l <"$out" | tr -d ' ')"
exits "stat -r with a filter" 0 stat --recursive --types=file --include='?' tree
is "some of it" 2 "$(wc -l <"$out" | tr -d ' ')"
exits "stat --format=table" 0 stat --format=table tree/a
is "is for people" 1 "$(grep -c '^-rw.* tree/a$' "$out")"
exits "stat of what is not there" 2 stat tree/a gone
holds "names it" "$err" "iobatch: gone: No such file or directory"

exits "touch" 0 touch "made $odd" tree/a
[ -f "made $odd" ] && [ ! -s "made $odd" ]
ok "makes what is missing"
[ "$(stat -c %Y tree/a)" -gt 1700000000 ]
ok "and sets what is there"
exits "touch --date" 0 touch --date=2011-12-13T14:15:16.25Z tree/a
is "sets that time" "1323785716.25" "$(stat -c '%.2Y' tree/a)"
is "of access as well" "1323785716.25" "$(stat -c '%.2X' tree/a)"
exits "touch -m" 0 touch -m --date=@5 tree/a
is "sets one" "1323785716 5" "$(stat -c '%X %Y' tree/a)"
exits "touch -a" 0 touch -a --date=@6.75 tree/a
is "and the other" "6.75 5.00" "$(stat -c '%.2X %.2Y' tree/a)"
link=$(stat -c %Y tree/link)
exits "touch of a link" 0 touch -d @7 tree/link
is "is of what it leads to" "$link 7" "$(stat -c %Y tree/link) $(stat -c %Y tree/a)"
exits "touch -h of a link" 0 touch -h -d @9 tree/link
is "is of itself" "9 7" "$(stat -c %Y tree/link) $(stat -c %Y tree/a)"
exits "touch -r" 0 touch -r -d @8 tree
is "is of all that is in it" 8 "$(find tree -printf '%Ts\n' | sort -u)"
exits "touch --no-create" 2 touch --no-create tree/new
[ ! -e tree/new ]
ok "makes nothing"
exits "a date that is none" 2 touch --date=yesterday tree/a
holds "is refused with an example" "$err" "2026-01-31T12:00:00Z, not yesterday"

exits "chmod" 0 chmod 0640 tree/a "tree/$odd"
is "in octal" "640 640" "$(stat -c %a tree/a "tree/$odd" | tr '\n' ' ' | sed 's/ $//')"
exits "chmod with clauses" 0 chmod u+x,g-r,o=w tree/a
is "in words" 702 "$(stat -c %a tree/a)"
exits "chmod -r" 0 chmod -r go-rwx tree --result result.json
is "of all that is in it" "" "$(find tree ! -type l -perm /077)"
exits "chmod of a link" 0 chmod 0604 tree/link
is "is of what it leads to" 604 "$(stat -c %a tree/a)"
exits "a mode that is none" 2 chmod rwx tree/a
holds "is refused" "$err" "must be octal such as 0644 or clauses such as u+rwX,go-w, not rwx"
exits "a mode that begins with a dash" 0 chmod -- -x tree/a
is "behind two dashes" 604 "$(stat -c %a tree/a)"

if [ "$(id -u)" -eq 0 ]; then
	exits "chown" 0 chown 12:34 tree/link
	is "is of what a link leads to" "12:34 0:0" "$(stat -c %u:%g tree/a tree/link | tr '\n' ' ' | sed 's/ $//')"
	exits "chown -h" 0 chown -h 78:9 tree/link
	is "is of the link" "12:34 78:9" "$(stat -c %u:%g tree/a tree/link | tr '\n' ' ' | sed 's/ $//')"
	exits "chown of the group" 0 chown :56 tree/a
	is "only" "12:56" "$(stat -c %u:%g tree/a)"
	exits "chown by name" 0 chown root tree/a
	is "of the user" "0:56" "$(stat -c %u:%g tree/a)"
	exits "chown -r" 0 chown --recursive 0:0 tree
	is "of all that is in it" "" "$(find tree ! -user 0 -o ! -group 0)"
fi
exits "a user that there is not" 2 chown nobody-at-all tree/a
holds "is named" "$err" "there is no user nobody-at-all on this machine"

exits "truncate" 0 truncate --length=1MiB tree/a
is "longer" 1048576 "$(stat -c %s tree/a)"
is "by a hole" a "$(head -c 1 tree/a)"
exits "truncate" 0 truncate -l 1 tree/a
is "shorter" a "$(cat tree/a)"
exits "truncate of a directory" 1 truncate -l 1 tree
exits "truncate -r" 0 truncate -r -l 0 tree
is "of the files that are in it" "" "$(find tree -type f -size +0)"

exits "sync" 0 sync tree/a tree
exits "sync -r" 0 sync -r tree

mkdir names
touch names/a.JPG names/b.JPG names/c.txt
exits "rename" 0 rename --match='^(.*)\.JPG$' --to='{1}.jpg' names/*
is "by a pattern" "a.jpg b.jpg c.txt" "$(ls names | tr '\n' ' ' | sed 's/ $//')"
exits "rename to what is there" 1 rename --to=a.jpg names/b.jpg
holds "fails" "$err" "EEXIST"
is "and leaves both" "a.jpg b.jpg c.txt" "$(ls names | tr '\n' ' ' | sed 's/ $//')"
exits "rename --existing=skip" 0 rename --to=a.jpg --existing=skip names/b.jpg
is "leaves both too" "a.jpg b.jpg c.txt" "$(ls names | tr '\n' ' ' | sed 's/ $//')"
exits "rename -r" 0 rename -r --to='{stem}.bak' --include='*.jpg' names
is "of the files that are in it" "a.bak b.bak c.txt" "$(ls names | tr '\n' ' ' | sed 's/ $//')"
exits "a template that is none" 2 rename --to='{colour}' names/a.bak
exits "a group without --match" 2 rename --to='{1}' names/a.bak
exits "an expression that is none" 2 rename --to=x --match='(' names/a.bak
holds "is refused" "$err" "must be a regular expression"

exits "write" 0 write --length=100000 data "data $odd"
is "so many bytes" "100000 100000" "$(stat -c %s data "data $odd" | tr '\n' ' ' | sed 's/ $//')"
[ "$(gzip -c data | wc -c)" -gt 99000 ]
ok "that nothing compresses"
exits "write over what is there" 1 write --length=1 data
is "leaves it" 100000 "$(stat -c %s data)"
mkdir many
exits "write --count" 0 write --length=5000 --count=20 --seed=7 --manifest=m 'many/{index:3}'
is "so many files" "many/000 many/019 20" "$(find many -type f | sort | sed -n '1p;20p' | tr '\n' ' ')$(find many -type f | wc -l)"
exits "verify of what was written" 0 verify --quiet m
cp many/007 kept
exits "write --existing=replace" 0 write --length=5000 --count=20 --seed=8 --existing=replace 'many/{index:3}'
cmp -s many/007 kept
is "another seed is another content" 1 $?
exits "and the same seed" 0 write --length=5000 --count=20 --seed=7 --existing=replace 'many/{index:3}'
cmp -s many/007 kept
ok "is the same"

exits "read" 0 read many --result result.json
is "every byte" 100000 "$(value result.json bytes)"
is "with nothing to report" "" "$(cat "$out")"

mkdir one
echo a >one/a
echo b >one/b
mkdir one/d
cp -a one two
exits "compare of the same" 0 compare one two
is "has nothing to say" "" "$(cat "$out")"
echo bb >two/b
echo c >two/c
rmdir two/d
exits "compare of what differs" 1 compare one two
holds "says what differs" "$out" "differs: b: "
holds "what is in one only" "$out" "only in one: d"
holds "and in the other" "$out" "only in two: c"
cp -a one three
printf 'x\n' >three/a
touch -r one/a three/a
exits "the same size and time" 0 compare one three
exits "are not enough with --content" 1 compare --content one three
holds "which sees it" "$out" "differs: a: "
exits "compare with a filter" 0 compare --exclude='[bcd]' --min-depth=1 one two
exits "compare of two files" 1 compare one/b two/b
done_testing
