#!/bin/sh
# SPDX-License-Identifier: MIT
#
# faultfs does what its script says, so that the tests that use it can be believed.
. "$(dirname "$0")/common.sh"
. "$(dirname "$0")/../cases/odd_tree.sh"

fault_start m
odd_tree tree
find tree ! -type f ! -type d ! -type l -exec rm -rf {} +
cp -a tree m/ 2>"$err"
ok "a tree is copied into it"
diff -r --no-dereference tree m/tree >"$out" 2>"$err" && diff -r --no-dereference tree m.back/tree >"$out" 2>"$err"
ok "and is the same there and below"
rm -rf m/tree
[ ! -e m.back/tree ]
ok "and is removed"

# Each op: a command that asks for it once at least; $1 is the rule's op.
scene() {
	fault m clear
	rm -rf m.back/*
	echo 0123456789 >m.back/f
	mkdir m.back/d m.back/d2
	ln -s f m.back/l
	case $1 in
	lookup) set -- f stat m/f ;;
	getattr) set -- f stat m/f ;;
	setattr) set -- f chmod 600 m/f ;;
	readlink) set -- l readlink -v m/l ;;
	mkdir) set -- n mkdir m/n ;;
	mknod) set -- n mkfifo m/n ;;
	unlink) set -- f unlink m/f ;;
	rmdir) set -- d rmdir m/d ;;
	symlink) set -- n ln -s f m/n ;;
	rename) set -- f mv -T m/f m/n ;;
	link) set -- f ln m/f m/n ;;
	open) set -- f cat m/f ;;
	create) set -- n dd if=m.back/f of=m/n status=none ;;
	read) set -- f cat m/f ;;
	write) set -- f dd if=m.back/l of=m/f conv=notrunc status=none ;;
	flush) set -- f dd if=m.back/l of=m/f conv=notrunc status=none ;;
	fsync) set -- f sync m/f ;;
	fallocate) set -- f fallocate -l 4096 m/f ;;
	opendir) set -- d ls m/d ;;
	readdir) set -- d ls m/d ;;
	fsyncdir) set -- d sync m/d ;;
	statfs) set -- . stat -f m/ ;;
	esac
	pattern=$1
	shift
	command="$*"
}

ops="lookup getattr setattr readlink mkdir mknod unlink rmdir symlink rename link open create read
	write flush fsync fallocate opendir readdir fsyncdir statfs"
for op in $ops; do
	scene $op
	fault m reset
	$command >"$out" 2>"$err"
	ok "$op: succeeds without a rule"
	[ "$(fault_count m $op)" -ge 1 ]
	ok "$op: is asked for, and counted"

	scene $op
	fault m add "$op $pattern error EDQUOT"
	! $command >"$out" 2>"$err"
	ok "$op: fails by a rule"
	holds "$op: with its error" "$err" "Disk quota exceeded"

	scene $op
	fault m add "$op $pattern delay 100 times 1"
	before=$(date +%s%N)
	$command >"$out" 2>"$err"
	ok "$op: succeeds when it is delayed"
	[ $(($(date +%s%N) - before)) -ge 100000000 ]
	ok "$op: and takes its time"

	scene $op
	fault m add "$op $pattern hang times 1"
	timeout -s INT 60 $command >"$out" 2>"$err" &
	pid=$!
	fault_wait m hung 1
	ok "$op: hangs"
	fault m release
	wait $pid
	is "$op: and goes on when it is released" 0 $?

	scene $op
	fault m reset
	fault m add "$op $pattern hang times 1"
	timeout -s TERM 0.1 $command >"$out" 2>"$err"
	is "$op: hangs, and a signal ends it" 124 $?
	is "$op: which is counted" 1 "$(fault_count m interrupted)"

	scene $op
	fault m add "$op $pattern hang-ignore times 1"
	timeout -s TERM 0.1 $command >"$out" 2>"$err" &
	pid=$!
	fault_wait m hung 1
	sleep 0.2
	! ended $pid && fault_count_is m hung 1
	ok "$op: or ignores the signal"
	fault m release
	wait $pid
	fault_count_is m hung 0
	ok "$op: until it is released"
done

scene read
fault m add "read f short 3 times 1"
dd if=m/f of="$out" bs=10 count=1 status=none 2>"$err"
is "a read is short" 012 "$(cat "$out")"
fault m add "read f flip 1 times 1"
is "a bit is flipped in a read" 0023456789 "$(cat m/f)"
is "and not in what is read" 0123456789 "$(cat m/f)"
fault m add "write f short 3 times 1"
printf abcdef | dd of=m/f bs=6 conv=notrunc status=none
is "a short write is gone on with" abcdef6789 "$(cat m.back/f)"
fault m add "write f flip 0 times 1"
printf abc | dd of=m/f bs=3 conv=notrunc status=none
is "a bit is flipped in a write" "\`bcdef6789" "$(cat m.back/f)"

scene read
fault_rules m <<END
# The first two reads are let through.
read	f	error EIO after 2 times 1

open d/* error EMFILE
END
ok "a script is read"
cat m/f >"$out" 2>"$err"
ok "the first read, and the one at the end, are let through"
! cat m/f >"$out" 2>"$err"
ok "the third is not"
cat m/f >"$out" 2>"$err"
ok "and the fourth is"
echo >m.back/d/f
! cat m/d/f >"$out" 2>"$err"
holds "a pattern with a slash is of the whole path" "$err" "Too many open files"
echo nonsense | fault_rules m 2>"$err"
is "a wrong script is refused" 1 $?
holds "with the line" "$err" "line 1: a rule is:"
! cat m/d/f >"$out" 2>"$err"
ok "and changes nothing"

scene getattr
fault m add "getattr * hang-ignore"
i=0
while [ $i -lt 50 ]; do
	echo >m.back/$i
	stat m/$i >/dev/null 2>&1 &
	i=$((i + 1))
done
fault_wait m hung 50
ok "many hang"
fault m clear
is "and healthy ones beside them do not" 0123456789 "$(cat m/f)"
fault m release
fault_wait m hung 0
ok "all are released"

fault m add "getattr f hang-ignore"
stat m/f >"$out" 2>"$err" &
pid=$!
fault_wait m hung 1
fault_stop m
mounted=
patiently ended $pid
ok "what hangs ends when it is stopped"
! grep -q " $PWD/m " /proc/self/mounts
ok "and nothing is mounted any more"

cat >starter.sh <<'END'
"$1" m.back m m.script m.socket >/dev/null 2>&1 &
echo $! >pid
i=0
until [ -S m.socket ] || [ $i -eq 200 ]; do
	sleep 0.05
	i=$((i + 1))
done
[ -S m.socket ] && : >started
kill -KILL $$
END
: >m.script
sh starter.sh "$faultfs" 2>/dev/null
[ -e started ]
ok "another is started"
patiently ended "$(cat pid)"
ok "it ends when whoever started it is killed"
! grep -q " $PWD/m " /proc/self/mounts
ok "and unmounts"
done_testing
