#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Each request that a file system is asked for fails in turn, in each verb that has something to
# lose, on both executors: every item has one outcome, nothing partial is at a final name, nothing
# temporary is left, no source is lost, and the exit status agrees. The fifth argument is how many
# requests of a kind are let through at the most before one fails.
. "$(dirname "$0")/common.sh"

most=${5-3}
fault_start m

# The tree at $1: 3 directories, 9 files with content, one of which takes several reads; one without;
# 2 links.
small_tree() {
	mkdir -p "$1/a/b" "$1/empty"
	for file in 1 2 3 4 a/5 a/6 a/b/7 a/b/8; do
		echo "content of $file" >"$1/$file"
	done
	head -c 600000 /dev/urandom >"$1/a/large"
	: >"$1/none"
	ln "$1/1" "$1/a/link of 1"
	ln -s 1 "$1/symbolic"
}

# outcome: what result.json says of items, and of the exit status $1 of the run.
outcome() {
	successful=$(value result.json successful)
	failed=$(value result.json failed_count)
	total=$(value result.json total_processed)
	errors=$(value result.json source_errors)
	[ $((successful + failed)) -eq "$total" ] || complain "outcomes: $successful + $failed, items: $total"
	[ "$(value result.json failed)" -eq "$failed" ] || complain "$failed failed, but named are $(value result.json failed)"
	if [ "$failed" -gt 0 ] || [ "$errors" -gt 0 ]; then
		expected=1
	else
		expected=0
	fi
	[ "$1" -eq $expected ] || complain "exit status $1, but $failed failed, and $errors of the source"
}

complain() {
	wrong="$wrong $1;"
}

# failed_items DIRECTORY: the failed items, without the directory.
failed_items() {
	at=0
	while item=$(value result.json failed $at item 2>/dev/null) && [ -n "$item" ]; do
		echo "${item#"$1"/}"
		at=$((at + 1))
	done
}

# whole SOURCE DESTINATION: what is there is the whole of what is in the source; or its own old self.
whole() {
	(cd "$2" 2>/dev/null && find . -type f) | while read -r file; do
		case $file in
		*.iobatch-*) echo "temporary $file" ;;
		*) cmp -s "$1/$file" "$2/$file" || echo "partial $file" ;;
		esac
	done >"$work/partial"
	[ ! -s "$work/partial" ] || complain "$(tr '\n' ' ' <"$work/partial")"
}

# each_failed_or_there SOURCE DESTINATION FAILED: what is not there has failed.
each_failed_or_there() {
	(cd "$1" && find . -mindepth 1 | sed 's/^..//') | while read -r file; do
		[ -e "$2/$file" ] || [ -L "$2/$file" ] || grep -qxF -e "$file" "$3" ||
			[ "$(value result.json source_errors)" -gt 0 ] || echo "$file"
	done >"$work/lost"
	[ ! -s "$work/lost" ] || complain "neither there nor failed: $(tr '\n' ' ' <"$work/lost")"
}

# one VERB REQUEST AFTER ERROR: a run in which one such request fails; $wrong is what is wrong.
one() {
	wrong=
	fault m clear
	rm -rf m.back/* to healthy original
	small_tree original
	cp -a original healthy
	cp -a original m.back/tree
	rm -f result.json manifest
	case $1 in
	copy_from) set -- "$@" copy m/tree to ;;
	copy_to) set -- "$@" copy --xattrs --fsync=full healthy m/to ;;
	move_from) set -- "$@" move m/tree to ;;
	move_to) set -- "$@" move healthy m/to ;;
	move_within) set -- "$@" move m/tree m/to ;;
	remove) set -- "$@" remove m/tree ;;
	hash) set -- "$@" hash --manifest manifest m/tree ;;
	esac
	way=$1
	request=$2
	after=$3
	error=$4
	shift 4
	[ $request = none ] || fault m add "$request * error $error after $after times 1"
	fault m reset
	timeout 60 "$iobatch" "$1" --executor=$executor --progress none --result result.json $(shift && echo "$@") \
		>"$out" 2>"$err"
	status=$?
	fault m clear
	if [ ! -s result.json ]; then
		# The way there could not be gone at all.
		[ $status -ne 0 ] && [ $status -lt 6 ] || complain "no result, and exit status $status"
		[ -d healthy ] && [ -z "$(diff -r original healthy)" ] && [ -z "$(diff -r original m.back/tree)" ] ||
			complain "no result, but something is missing"
		return
	fi
	outcome $status
	from=m.back/tree
	to=to
	case $way in
	copy_to | move_to) from=healthy to=m.back/to ;;
	move_within) to=m.back/to ;;
	esac
	case $way in
	copy_*)
		failed_items "${from#m.back/}" | sed 's,^m/tree/,,; s,^healthy/,,' >failures
		whole original $to
		each_failed_or_there original $to failures
		diff -r original $from >/dev/null || complain "the source has changed"
		;;
	move_*)
		failed_items "${from#m.back/}" | sed 's,^m/tree/,,; s,^healthy/,,' >failures
		whole original $to
		whole original $from
		# In one place at least, whole; and in the source when it has failed.
		(cd original && find . -mindepth 1 | sed 's/^..//') | while read -r file; do
			if [ -e $to/"$file" ] || [ -L $to/"$file" ]; then
				[ -d $to/"$file" ] || grep -qxF -e "$file" failures ||
					[ ! -e $from/"$file" ] || echo "both and not failed: $file"
			else
				[ -e $from/"$file" ] || [ -L $from/"$file" ] || echo "lost: $file"
				grep -qxF -e "$file" failures || [ "$(value result.json source_errors)" -gt 0 ] ||
					echo "not moved and not failed: $file"
			fi
		done >"$work/lost"
		[ ! -s "$work/lost" ] || complain "$(tr '\n' ' ' <"$work/lost")"
		;;
	remove)
		failed_items m/tree >failures
		(cd m.back && find tree -mindepth 1 2>/dev/null | sed 's,^tree/,,') | while read -r file; do
			grep -qxF -e "$file" failures || [ "$(value result.json source_errors)" -gt 0 ] || echo "$file"
		done >"$work/lost"
		[ ! -s "$work/lost" ] || complain "left, but not failed: $(tr '\n' ' ' <"$work/lost")"
		;;
	hash)
		if [ -f manifest ]; then
			(cd m.back && sed 's,  m/,  ,' ../manifest | xxhsum -c --quiet >/dev/null 2>&1) ||
				command -v xxhsum >/dev/null || complain "a digest is wrong"
		fi
		;;
	esac
}

requests="lookup getattr setattr readlink mkdir unlink rmdir symlink rename link open create read write flush fsync
	opendir readdir fsyncdir fallocate"
for way in copy_from copy_to move_from move_to move_within remove hash; do
	one $way none 0 EIO
	is "$way: without faults all is well" "0" "$status$wrong"
	fault m stats >asked
	for request in $requests; do
		count=$(sed -n "s/^$request //p" asked)
		[ "$count" -gt 0 ] || continue
		# The first, the last, and some between them.
		i=0
		tried=0
		bad=
		step=$(((count + most - 1) / most))
		while [ $i -lt "$count" ]; do
			one $way $request $i EIO
			tried=$((tried + 1))
			[ -z "$wrong" ] || bad="$bad [after $i:$wrong]"
			i=$((i + step))
		done
		is "$way: $request fails, $tried of $count" "" "$bad"
	done
done
# A quota is like a disk that is full.
one copy_to none 0 EDQUOT
rm -rf m.back/to
fault m add "write .large.iobatch* error EDQUOT"
timeout 60 "$iobatch" copy --executor=$executor --progress none --result result.json healthy m/to >"$out" 2>"$err"
is "copy over a quota: has failed" 1 $?
is "as such" "EDQUOT a/large" "$(value result.json failed 0 error) $(failed_items healthy)"
[ ! -e m.back/to/a/large ] && [ -e m.back/to/a/b/8 ]
ok "and the others have not"
done_testing
