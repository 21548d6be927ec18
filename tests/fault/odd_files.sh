#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Names are bytes, and not everything with a name is a file: no verb is led astray by a name, or
# blocks on a pipe.
. "$(dirname "$0")/mounts.sh"

mount_fs fs tmpfs 256M || echo "# $reason: done in a plain directory"
cd fs || exit 1
"$programs/every_tree" every 1073741824 >"$out" 2>"$err"
ok "a tree of everything is made"
names=$(find every/names -type f -printf . | wc -c)

run "hash of odd names" 0 hash -a sha256 --manifest sums every/names
is "each has a line" "$names" "$(wc -l <sums)"
sha256sum --check --quiet --strict sums >"$out" 2>"$err"
ok "that sha256sum understands"
run "hash of odd names, to standard output" 0 hash -a blake2b every/names
cp "$out" sums.b2
b2sum --check --quiet --strict sums.b2 >"$out" 2>"$err"
ok "is what b2sum understands"
run "verify" 0 verify sums
find every/names -type f -exec sha256sum {} + >theirs
run "verify of what sha256sum has written" 0 verify --quiet theirs
is "each" "$names" "$(value result.json successful)"
find every/names -type f -exec b2sum --tag {} + >theirs
run "verify of what b2sum --tag has written" 0 verify --quiet theirs
find every/names -type f -print0 >list
run "hash of a list with NULs" 0 hash -a sha256 --manifest sums2 --null --files-from list
is "each" "$names" "$(wc -l <sums2)"
run "stat" 0 stat --recursive --format json every/names
is "has a line for each" "$(find every/names -printf . | wc -c)" "$(wc -l <"$out")"
run "compare with itself" 0 compare --content every/names every/names
run "copy of a list of odd names" 0 copy --null --files-from list copied
is "each is copied" "$names" "$(find copied -type f -printf . | wc -c)"
run "remove of a list of odd names" 0 remove --root copied --null --files-from list
is "each is gone" 0 "$(find copied -type f -printf . | wc -c)"

# Names with "..", or of another place.
mkdir below
echo sentinel >sentinel
echo file >below/file
for wrong in ../sentinel "$PWD/sentinel" below/../../sentinel file/../../sentinel /etc/hostname ..; do
	for verb in remove hash "chmod 777" "truncate --length 0"; do
		printf 'file\n%s\n' "$wrong" >list
		rm -f result.json
		timeout 60 "$iobatch" $verb --executor=$executor --root below --files-from list >"$out" 2>"$err"
		[ $? -ne 0 ]
		ok "$verb of a list with $wrong: refused"
		[ "$(cat sentinel below/file 2>/dev/null | tr -d '\n')" = "sentinelfile" ]
		ok "before anything is done"
	done
done

# Leading dashes, and names for the shell.
mkdir dash
touch dash/-n dash/--help "dash/a b" "dash/*" dash/safe
(cd dash && timeout 60 "$iobatch" remove --executor=$executor -- -n --help '*' >"$out" 2>"$err")
is "remove -- -n --help *: removes these" 0 $?
is "and not the others" "a b safe" "$(ls dash | tr '\n' ' ' | sed 's/ $//')"

# What is said on a screen has no escapes in it, and the result has all bytes.
mkdir screen
: >"$(printf 'screen/\033[31mred\nline')"
ln -s nowhere "screen/$(printf 'bad\377')"
chmod 0 screen
run "a message about an odd name" 2 rename --to x --existing fail "$(printf 'screen/\033[31mred\nline')" missing
chmod 755 screen
! grep -q "$(printf '\033')" "$err"
ok "has no escape in it"
run "of a file that is not there" 1 hash --null --files-from - --manifest sums <<END
$(printf 'missing\033\377')
END
! grep -q "$(printf '\033')" "$err"
ok "has no escape in it"

# Pipes, sockets and devices: nothing waits for them.
special=$(find every/special ! -type d -printf . | wc -c)
for verb in hash "hash --types file,other" read "stat --recursive" "stat --recursive --format table" "sync --recursive" \
	"touch --recursive" "chmod --recursive u+r" "chown --recursive 0:0" "compare --content every/special"; do
	timeout 60 "$iobatch" $verb --executor=$executor every/special >"$out" 2>"$err"
	[ $? -le 1 ]
	ok "$verb does not wait for pipes, sockets and devices"
done
run "truncate of a tree of pipes: has nothing to do" 0 truncate --recursive --length 0 every/special
run "copy without --special" 0 copy every/special copy
is "each is skipped" "$special" "$(value result.json skipped)"
run "copy with --special" 0 copy --special every/special copy
is "each but the socket is made" $((special - 1)) "$(find copy ! -type d -printf . | wc -c)"
run "move of pipes and devices" 0 move --special every/special moved
run "remove of pipes, sockets and devices" 0 remove moved
[ ! -e moved ]
ok "they are gone"
done_testing
