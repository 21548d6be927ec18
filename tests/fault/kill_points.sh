#!/bin/sh
# SPDX-License-Identifier: MIT
#
# A move that is killed between any two of its steps: at each request that it makes of a file system,
# those of its journal included, it is killed instead of the request being carried out. Nothing is
# lost then: each file is whole in one place at least, and the journal says nothing is done that is
# not. And resumed, it ends as a move that was not killed. The fifth argument is where the programs of
# trees are, the sixth how many points are tried at the most, 0 = all.
trees=$(realpath "$5")
most=$6
. "$(dirname "$0")/common.sh"

fault_start m

small_tree() {
	mkdir -p "$1/a/b"
	for file in 1 a/2 a/b/3; do
		echo "content of $file" >"$1/$file"
	done
	head -c 300000 /dev/urandom >"$1/a/large"
	ln -s 1 "$1/symbolic"
	find "$1" -exec touch -h -d 2020-01-01 {} +
}

# prepare WAY
prepare() {
	fault m clear
	rm -rf m.back/* here
	mkdir here
	case $1 in
	from) from=m/from to=here/to journal=m/j at=m.back/from ;;
	to) from=here/from to=m/to journal=m/j at=here/from ;;
	within) from=m/from to=m/to journal=m/j at=m.back/from ;;
	esac
	cp -a original $at
	# What it says of the two, seen without faults.
	back_to=to
	case $to in m/*) back_to=m.back/to ;; here/*) back_to=here/to ;; esac
}

# move OPTIONS...
move() {
	rm -f result.json
	timeout -s KILL 60 "$iobatch" move --one-by-one $from $to --executor=$executor --batch-size=1 \
		--max-concurrent=1 --progress none --result result.json --journal=$journal --journal-sync=item "$@" \
		>"$out" 2>"$err"
	status=$?
}

complain() {
	wrong="$wrong $1;"
}

# Each file is whole in a place, never in part at a name of its own; done is what is there, and not here.
nothing_lost() {
	(cd original && find . ! -type d | sed 's/^..//') | while read -r file; do
		for place in $at $back_to; do
			if [ -L "$place/$file" ]; then
				[ "$(readlink "$place/$file")" = "$(readlink "original/$file")" ] || echo "$place/$file: changed"
			elif [ -e "$place/$file" ]; then
				cmp -s "original/$file" "$place/$file" || echo "$place/$file: in part"
			fi
		done
		[ -e "$at/$file" ] || [ -L "$at/$file" ] || [ -e "$back_to/$file" ] || [ -L "$back_to/$file" ] ||
			echo "$file: lost"
		if grep -q "^done.*	$from/$file	[0-9a-f]*\$" $back_journal 2>/dev/null; then
			[ -e "$back_to/$file" ] || [ -L "$back_to/$file" ] || echo "$file: done, but not there"
			[ ! -e "$at/$file" ] || echo "$file: done, but still here"
		fi
	done
}

small_tree original
back_journal=m.back/j
for way in from to within; do
	prepare $way
	fault m reset
	move
	is "$way: is done" 0 $status
	rm -rf whole
	cp -a $back_to whole
	find whole -type d -exec touch -d 2020-01-01 {} +
	"$iobatch" journal $back_journal | sed -n 's/^items: *//p' >items
	total=$(fault m stats | awk '$1 !~ /hung|delayed|interrupted|release/ { sum += $2 } END { print sum }')
	[ "$total" -gt 50 ]
	ok "$way: it asks for something"
	step=1
	[ "$most" -eq 0 ] || step=$(((total + most - 1) / most))
	point=0
	tried=0
	bad=
	while [ $point -lt "$total" ]; do
		wrong=
		prepare $way
		fault m add "* * kill after $point times 1"
		move
		# That at its very end may come too late to be noticed: a close.
		[ $status -eq 137 ] || [ $point -ge $((total * 9 / 10)) ] || complain "exit status $status: $(head -n 1 "$err")"
		fault m clear
		lost=$(nothing_lost)
		[ -z "$lost" ] || complain "$lost"
		move --resume
		[ $status -eq 0 ] || complain "resumed: exit status $status: $(tail -n 1 "$err")"
		"$iobatch" journal --check $back_journal >"$out" 2>&1 || complain "the journal is bad: $(cat "$out")"
		[ "$("$iobatch" journal $back_journal | sed -n 's/^items: *//p')" = "$(cat items)" ] ||
			complain "the journal says: $("$iobatch" journal $back_journal | sed -n 's/^items: *//p')"
		[ ! -e $at ] || complain "the source is still there: $(find $at | head -n 3 | tr '\n' ' ')"
		[ -z "$(find m.back here -name '*.iobatch-*')" ] || complain "temporary files are left"
		find $back_to -type d -exec touch -d 2020-01-01 {} +
		"$trees/same_tree" --but holes whole $back_to >"$out" 2>&1 || complain "$(head -n 3 "$out" | tr '\n' ' ')"
		tried=$((tried + 1))
		if [ -n "$wrong" ]; then
			bad="$bad $point"
			echo "# $way, killed after $point of $total requests:$wrong"
		fi
		point=$((point + step))
	done
	is "$way: killed at $tried of $total points, nothing is lost, and it ends as if it was not" "" "$bad"
done
done_testing
