#!/bin/sh
# SPDX-License-Identifier: MIT
#
# A source that changes while it is copied, hashed or walked: what succeeds has the content of one
# moment, what cannot be had so has failed, and all of it ends. See churn.c, which is in the folder
# that is the fifth argument.
churns=$(realpath "$5")
. "$(dirname "$0")/mounts.sh"

mount_fs fs tmpfs 512M || echo "# $reason: done in a plain directory"
cd fs || exit 1
churning=
trap 'stop_churning; umount_all; clean_up' EXIT

stop_churning() {
	[ -z "$churning" ] || kill $churning 2>/dev/null
	churning=
}

# churn MANNER FILE SIZE, in the background; the file is there.
churn() {
	rm -f ready
	"$churns/churn" "$@" ready &
	churning=$!
	patiently [ -e ready ]
}

# of_one_moment FILE: it has one byte throughout, or one and then another.
of_one_moment() {
	[ "$(tr -s a-z <"$1" | wc -c)" -le $([ $manner = rewrite ] && echo 2 || echo 1) ]
}

size=1048576
for manner in rewrite replace truncate append vanish; do
	for verb in "copy --reflink=never" "copy --reflink=never --retries 20" "copy" "hash" "move"; do
		copies=0
		failures=0
		bad=
		rm -rf source
		mkdir source other 2>/dev/null
		echo other >source/other
		churn $manner source/file $size
		i=0
		while [ $i -lt 5 ]; do
			i=$((i + 1))
			rm -rf copy result.json
			case $verb in
			hash) set -- hash --manifest manifest source ;;
			move)
				# Of one file system to another, where the source can change once more.
				rm -rf "$work/here/copy"
				set -- move source/file "$work/here/copy"
				;;
			*) set -- $verb source copy ;;
			esac
			timeout 60 "$iobatch" "$@" --executor=$executor --progress none --result result.json >"$out" 2>"$err"
			status=$?
			# 2: it was not there at all, for it vanishes, or was moved.
			[ $status -le 1 ] || { [ $status -eq 2 ] && [ "$verb" = move ]; } ||
				{ [ $status -eq 2 ] && [ $manner = vanish ]; } || bad="$bad exit status $status"
			[ -s result.json ] || continue
			failures=$((failures + $(value result.json failed_count)))
			grep -q '"error": "\(ECHANGED\|ESHRUNK\|ENOENT\)"' result.json ||
				[ "$(value result.json failed_count)" -eq 0 ] || bad="$bad $(value result.json failed 0 error)"
			case $verb in
			copy*)
				[ -e copy/other ] || bad="$bad the other is missing"
				[ -e copy/file ] || continue
				copies=$((copies + 1))
				# What appends and truncates has no size of its own.
				case $manner in
				append) ;;
				truncate | vanish) of_one_moment copy/file || bad="$bad torn" ;;
				*)
					of_one_moment copy/file || bad="$bad torn"
					[ "$(stat -c %s copy/file)" -eq $size ] || bad="$bad not whole"
					;;
				esac
				;;
			move)
				[ -e "$work/here/copy" ] || continue
				copies=$((copies + 1))
				[ $manner = append ] || of_one_moment "$work/here/copy" || bad="$bad torn"
				;;
			esac
			[ -z "$(find . "$work/here" -maxdepth 2 -name '.*.iobatch-*')" ] || bad="$bad temporary"
		done
		stop_churning
		is "$manner, $verb: $copies copies, $failures failures" "" "$bad"
	done
done

# A file that changes fails, or is taken in a quiet moment; the others have nothing to do with it.
rm -rf source copy
mkdir source
churn vanish source/file 65536
i=0
while [ $i -lt 200 ]; do
	echo $i >source/$i
	i=$((i + 1))
done
run "copy of a tree in which a file comes and goes" 0 copy source/ copy --exclude 'file'
is "each other is copied" 200 "$(ls copy | wc -l)"
stop_churning

# Between the walk and the open.
i=0
: >names
while [ $i -lt 100 ]; do
	echo source/$i >>names
	i=$((i + 1))
done
rm source/1 source/50 source/99
run "hash: three of a list are not there" 1 hash --files-from names --manifest manifest
is "they have failed" 3 "$(value result.json failed_count)"
is "as such" "3 ENOENT" "$(value result.json errors 0 count) $(value result.json errors 0 error)"
is "and the others not" 97 "$(wc -l <manifest)"

# A walk of what grows comes to an end. All of it, and the copy, have room here.
mkdir grows
churn grow grows 50000
for verb in "hash --manifest manifest" "stat --recursive" "chmod --recursive u+w"; do
	timeout 100 "$iobatch" $verb --executor=$executor --progress none --result result.json grows >"$out" 2>"$err"
	is "$verb of a tree that grows: ends" 0 $?
	: >"$out"
done
stop_churning
mkdir grows2
churn grow grows2 25000
run "copy of a tree that grows: ends" 0 copy grows2 copied
stop_churning
run "remove" 0 remove grows grows2 copied
done_testing
