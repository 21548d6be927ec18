#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The power goes off under a durable copy: the file system is shut down without what is not in its
# log, the command is killed, and it is mounted again. What the journal then calls done is there and
# whole; and resumed, the copy ends as one that was not cut off. The fifth argument is where kill_at
# is, the sixth the type of the file system, the seventh how often the power goes off.
kill_at=$(realpath "$5")/kill_at
type=$6
cuts=$7
. "$(dirname "$0")/mounts.sh"

seed=${SEED-$(date +%s)}
echo "# SEED=$seed"

# Sets $chosen to one of 0 ... $1 - 1.
choose() {
	seed=$(((seed * 1103515245 + 12345) % 2147483648))
	chosen=$(((seed / 256) % $1))
}

size=64M
[ "$type" != xfs ] || size=300M
mkdir -p source/a/b
i=0
while [ $i -lt 40 ]; do
	head -c $((i * 1711 + 1)) /dev/urandom >source/a/$i
	head -c $((i * 97)) /dev/urandom >source/a/b/$i
	i=$((i + 1))
done
head -c 3000000 /dev/urandom >source/large
ln -s a/1 source/symbolic
find source -exec touch -h -d 2020-01-01 {} +

# What a ring of a killed process holds is let go of a little later than the process.
unmount() {
	patiently umount disk 2>>"$err"
}

# copy JOURNAL FSYNC KILL_AT... -- OPTIONS...
copy() {
	journal=$1
	fsync=$2
	shift 2
	before=
	while [ "$1" != -- ]; do
		before="$before $1"
		shift
	done
	shift
	rm -f result.json
	timeout -s KILL 120 ${before:+$before --} "$iobatch" copy source disk/copy --fsync=$fsync --journal=$journal \
		--journal-sync=batch --executor=$executor --batch-size=4 --max-concurrent=4 --progress none \
		--result result.json "$@" >"$out" 2>"$err"
	status=$?
}

complain() {
	wrong="$wrong $1;"
}

# What is done by the journal, and is not there or another file than it was.
broken() {
	"$iobatch" journal --check $1 >"$out" 2>&1 || grep -q torn "$out" || echo "the journal is bad: $(cat "$out")"
	head -n "$(wc -l <$1)" $1 | awk -F'\t' '$1 == "done" { print $12 }' | sed 's,^source/*,,' | sort -u | while read -r file; do
		if [ -L "source/$file" ]; then
			[ "$(readlink "disk/copy/$file")" = "$(readlink "source/$file")" ] || echo "$file: not the link"
		elif [ -d "source/$file" ]; then
			[ -d "disk/copy/$file" ] || echo "$file: no directory"
		else
			cmp -s "source/$file" "disk/copy/$file" || echo "$file: not whole"
		fi
	done
}

mount_fs disk "$type" $size || skip_all "$reason"
copy disk/j data "$kill_at" 0 disk -- --
is "it is copied" 0 $status
total=$(tail -n 1 "$out")
"$kill_at" --cut disk 1 disk -- touch disk/x >"$out" 2>"$err"
[ $? -ne 2 ]
ok "and the file system can be shut down"
touch disk/y 2>"$err" && echo "# it can be written still"
unmount

# The journal beside the copy; and one that has outlived the cut as a whole, which only a copy that is
# durable with its name can stand.
for what in "disk/j data" "disk/j full" "j full"; do
	bad=
	done_before=0
	cut=0
	while [ $cut -lt "$cuts" ]; do
		wrong=
		from=$seed
		rm -f j
		mount_fs disk "$type" $size || skip_all "$reason"
		choose "$total"
		copy $what "$kill_at" --cut disk $((chosen + 1)) disk --
		unmount
		mount -o loop disk.image disk || complain "it cannot be mounted again"
		journal=${what% *}
		# It may be older than the journal, which is then begun.
		if [ -s $journal ]; then
			lost=$(broken $journal | head -n 3 | tr '\n' ' ')
			[ -z "$lost" ] || complain "$lost"
			done_before=$((done_before + $(grep -c '^done' $journal)))
		fi
		rm -rf copied
		[ -s $journal ] || rm -f $journal
		copy $what -- --resume
		[ $status -eq 0 ] || complain "resumed: exit status $status: $(tail -n 1 "$err")"
		"$programs/same_tree" --but holes source disk/copy >"$out" 2>&1 || complain "$(head -n 3 "$out" | tr '\n' ' ')"
		[ -z "$(find disk -name '*.iobatch-*')" ] || complain "temporary files are left"
		unmount
		[ -z "$wrong" ] || {
			bad="$bad $cut"
			echo "# $what: cut at $((chosen + 1)) of $total, SEED=$from:$wrong"
		}
		cut=$((cut + 1))
	done
	is "journal and fsync: $what: after $cuts cuts all that was done is whole, and the rest is done then" "" "$bad"
	[ "$cuts" -lt 5 ] || [ $done_before -gt 0 ]
	ok "journal and fsync: $what: something was done ($done_before)"
done
done_testing
