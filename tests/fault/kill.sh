#!/bin/sh
# SPDX-License-Identifier: MIT
#
# A job with a journal that is killed at any moment, and resumed until it is done, leaves what the
# same job leaves that was not killed: the same tree, the same manifest, the same counts. The fifth
# argument is where kill_at is, the sixth how often there is a kill. Where it kills comes from SEED,
# and is counted in what the job has done to files, not in time.
kill_at=$(realpath "$5")/kill_at
. "$(dirname "$0")/mounts.sh"

kills=$6
seed=${SEED-$(date +%s)}
echo "# SEED=$seed"

# Sets $chosen to one of 0 ... $1 - 1.
choose() {
	seed=$(((seed * 1103515245 + 12345) % 2147483648))
	chosen=$(((seed / 256) % $1))
}

# The tree at $1: small files, some that take several blocks, an empty one, links, odd names. Older
# than any run.
make_tree() {
	mkdir -p "$1/a/b/c" "$1/empty" "$1/d"
	i=0
	while [ $i -lt 24 ]; do
		echo "$i" >"$1/a/$i"
		echo "$i $i" >"$1/a/b/c/$i"
		i=$((i + 1))
	done
	for i in 1 2 3; do
		head -c $((i * 1300000)) /dev/urandom >"$1/d/large$i"
	done
	: >"$1/d/none"
	ln "$1/a/1" "$1/d/another name of a 1"
	ln -s ../a/2 "$1/d/symbolic"
	ln -s nowhere "$1/a/b/dangling"
	echo newline >"$1/a/b/new
line"
	echo bytes >"$(printf '%s/d/\377\376' "$1")"
	find "$1" -exec touch -h -d 2020-01-01 {} +
}

# prepare WAY: what the job of that way finds. What it is to be watched in: $watched.
prepare() {
	find place journals other -mindepth 1 -delete
	case $1 in
	move | move_away | remove) cp -a source place/from ;;
	esac
	watched="place journals"
	case $1 in
	move_away) watched="place journals other" ;;
	hash) watched="place journals source" ;;
	esac
}

# job WAY [KILL_AT ARGUMENTS...] -- OPTIONS...: runs it.
job() {
	way=$1
	shift
	before=
	while [ "$1" != -- ]; do
		before="$before $1"
		shift
	done
	shift
	before=${before:+$before --}
	case $way in
	copy) set -- copy source place/to "$@" ;;
	copy_durable) set -- copy --fsync=full --verify source place/to --journal-sync=item "$@" ;;
	move) set -- move --one-by-one place/from place/to "$@" ;;
	move_away) set -- move --one-by-one place/from other/to "$@" ;;
	remove) set -- remove place/from "$@" ;;
	hash) set -- hash source --manifest=place/manifest "$@" ;;
	esac
	rm -f result.json
	timeout -s KILL 120 $before "$iobatch" "$@" --executor=$executor --batch-size=4 --max-concurrent=3 \
		--progress none --result result.json --journal=journals/j >"$out" 2>"$err"
	status=$?
}

# items: what the journal says of how the items have ended.
items() {
	"$iobatch" journal journals/j 2>&1 | sed -n 's/^items: *//p'
}

# settled: the names that the journal says are done.
settled() {
	awk -F'\t' '$1 == "done" { print $12 }' journals/j | sort -u
}

complain() {
	wrong="$wrong $1;"
}

# counted: what the result says has succeeded, with what was left out as done before.
counted() {
	done_then=$(value result.json resumed done 2>/dev/null)
	echo $(($(value result.json successful) + ${done_then:-0}))
}

# keep WAY DIRECTORY: all that the job leaves, to be compared with.
keep() {
	rm -rf "$2"
	mkdir "$2"
	cp -a place "$2/place"
	[ "$1" != move_away ] || cp -a other "$2/other"
	settled >"$2/settled"
	items >"$2/items"
	counted >"$2/counted"
	# The time that a directory had before something was taken out of it is not to be known again.
	case $1 in move*) find "$2" -type d -exec touch -d 2020-01-01 {} + ;; esac
	touch -d 2020-01-01 "$2" "$2/place"
	[ ! -e "$2/other" ] || touch -d 2020-01-01 "$2/other"
	[ ! -e "$2/place/manifest" ] || touch -d 2020-01-01 "$2/place/manifest"
}

# One kill of WAY, or several: and then it is done. What is wrong is in $wrong.
one() {
	wrong=
	prepare $1
	option=
	round=0
	while :; do
		choose "$total"
		at=$((chosen + 1))
		# Later ones sooner, for there is less to do.
		[ $round -eq 0 ] || at=$((chosen / (round + 1) + 1))
		choose 3
		whom=
		[ $chosen -gt 0 ] || whom=--worker
		job $1 "$kill_at" $whom $at $watched -- $option
		case $status in
		137) killed=$((killed + 1)) ;;
		0) break ;;
		*) complain "round $round, killed $whom at $at: exit status $status: $(head -n 1 "$err")" ;;
		esac
		option=--resume
		round=$((round + 1))
		choose 3
		if [ $chosen -gt 0 ] || [ $round -ge 4 ]; then
			break
		fi
	done
	# It may have been over when it was killed, and is resumed then, too.
	done_before=$(items | sed 's/ done.*//')
	job $1 -- --resume
	[ $status -eq 0 ] || complain "resumed after $round kills: exit status $status: $(head -n 1 "$err")"
	[ "$(value result.json failed_count)" = 0 ] || complain "some have failed"
	[ "$(value result.json end)" = complete ] || complain "it is not complete"
	# When it was killed before there was a journal, nothing is resumed.
	changed=$(value result.json resumed changed 2>/dev/null)
	[ "${changed:-0}" = 0 ] || complain "$changed are said to have changed"
	carried=$(value result.json resumed carried 2>/dev/null)
	[ $1 != hash ] || [ "${carried:-0}" = "${done_before:-0}" ] || complain "$carried of $done_before done items were not read again"
	"$iobatch" journal --check journals/j >"$out" 2>&1 || complain "the journal is bad: $(head -n 1 "$out")"
	keep $1 after
	cmp -s "$1.whole/items" after/items || complain "items: $(cat after/items), not $(cat "$1.whole/items")"
	# What is taken away is nobody's item the next time, and stands in the journal alone.
	case $1 in
	copy* | hash) cmp -s "$1.whole/counted" after/counted || complain "the result counts $(cat after/counted), not $(cat "$1.whole/counted")" ;;
	esac
	diff "$1.whole/settled" after/settled >"$out" || complain "other items are done: $(head -n 4 "$out" | tr '\n' ' ')"
	[ -z "$(find place other -name '*.iobatch-*')" ] || complain "temporary files are left"
	"$programs/same_tree" "$1.whole/place" after/place >"$out" 2>&1 || complain "$(head -n 3 "$out" | tr '\n' ' ')"
	if [ "$1" = move_away ]; then
		# What were names of one file is no more to be known when the first of them has gone.
		for kept in "$1.whole/other" after/other; do
			for name in "a/1" "d/another name of a 1"; do
				cp -p "$kept/to/$name" copy && mv copy "$kept/to/$name"
			done
			find "$kept" -type d -exec touch -d 2020-01-01 {} +
		done
		"$programs/same_tree" --but holes "$1.whole/other" after/other >"$out" 2>&1 || complain "$(head -n 3 "$out" | tr '\n' ' ')"
	fi
}

mkdir place journals other
make_tree source
cp -a source untouched
mount_fs other tmpfs 64M && away=move_away
ways=${WAYS-copy copy_durable move remove hash ${away-}}
for way in $ways; do
	prepare $way
	job $way "$kill_at" 0 $watched --
	is "$way: is done" 0 $status
	total=$(tail -n 1 "$out")
	[ "$total" -gt 20 ]
	ok "$way: there is something to be seen of it"
	eval "total_$way=$total"
	keep $way $way.whole
done

killed=0
bad=
trials=0
while [ $killed -lt "$kills" ] && [ $trials -lt $((kills * 2)) ]; do
	for way in $ways; do
		[ $killed -lt "$kills" ] || break
		eval "total=\$total_$way"
		from=$seed
		one $way
		trials=$((trials + 1))
		if [ -n "$wrong" ]; then
			echo "# $way, SEED=$from:$wrong"
			bad="$bad $way"
		fi
	done
done
[ $killed -ge "$kills" ]
ok "it was killed $kills times"
is "and then resumed, it ends as one that was not killed" "" "$bad"
same "the source of all that is as it was" untouched source
done_testing
