#!/bin/sh
# SPDX-License-Identifier: MIT
#
# What becomes of a journal, and the one answer to each: its last line cut anywhere, any bit changed,
# two runs at once, a killed run whose I/O hangs, no space, a full device, a directory that cannot be
# written. The fifth argument is where the programs of trees are, the sixth how many bits are tried,
# 0 = all.
trees=$(realpath "$5")
most=$6
. "$(dirname "$0")/common.sh"

seed=${SEED-$(date +%s)}
echo "# SEED=$seed"

# Sets $chosen to one of 0 ... $1 - 1.
choose() {
	seed=$(((seed * 1103515245 + 12345) % 2147483648))
	chosen=$(((seed / 256) % $1))
}

# copy ARGUMENTS...
copy() {
	rm -f result.json
	timeout -s KILL 60 "$iobatch" copy --executor=$executor --batch-size=1 --max-concurrent=1 --progress none \
		--result result.json "$@" >"$out" 2>"$err"
	status=$?
}

complain() {
	wrong="$wrong $1;"
}

mkdir source
for i in 1 2 3; do
	echo "$i" >source/$i
done
find source -exec touch -d 2020-01-01 {} +
copy source copied --journal=whole
is "a job with a journal" 0 $status
size=$(stat -c %s whole)
last=$(tail -n 1 whole | wc -c)

# resumed NAME: with the journal `journal`: it ends as if nothing had been.
resumed() {
	copy source copied --journal=journal --resume
	[ $status -eq 0 ] || complain "exit status $status: $(tail -n 1 "$err")"
	"$trees/same_tree" source copied >"$out" 2>&1 || complain "$(head -n 3 "$out" | tr '\n' ' ')"
	"$iobatch" journal --check journal >"$out" 2>&1 || complain "and then it is bad"
	[ "$(value result.json failed_count)" = 0 ] || complain "failures"
}

# Of a line that says how the run ended, and of one that says that an item is done.
for line in end done; do
	[ $line = end ] || head -n -1 whole >half
	[ $line = done ] || cp whole half
	size_now=$(stat -c %s half)
	last_now=$(tail -n 1 half | wc -c)
	cut=1
	bad=
	while [ $cut -le "$last_now" ]; do
		wrong=
		head -c $((size_now - cut)) half >journal
		"$iobatch" journal --check journal >"$out" 2>&1 || complain "it is not only torn"
		resumed
		[ -z "$wrong" ] || bad="$bad [$cut:$wrong]"
		cut=$((cut + 1))
	done
	is "the last line ($line) cut at each of its $last_now bytes: is resumed" "" "$bad"
done

# A bit: in the last line it is as if that was torn, and before it is damage, which is refused.
mkdir nothing
bits=$((size * 8))
tried=0
bad=
torn=0
refused=0
while [ $tried -lt $bits ]; do
	if [ "$most" -eq 0 ]; then
		chosen=$tried
	else
		[ $tried -lt "$most" ] || break
		choose $bits
		# Some in the last line surely.
		[ $((tried % 8)) -ne 0 ] || chosen=$(((size - 1 - chosen % last) * 8 + chosen % 8))
	fi
	tried=$((tried + 1))
	wrong=
	at=$((chosen / 8))
	byte=$(od -An -tu1 -j $at -N 1 whole | tr -d ' ')
	mask=1
	shift_by=$((chosen % 8))
	while [ $shift_by -gt 0 ]; do
		mask=$((mask * 2))
		shift_by=$((shift_by - 1))
	done
	byte=$(((byte / mask) % 2 ? byte - mask : byte + mask))
	cp whole journal
	printf "$(printf '\\%03o' $byte)" | dd of=journal bs=1 seek=$at conv=notrunc 2>/dev/null
	cp journal before
	copy source copied --journal=journal --resume
	# The newline in front of the last line belongs to it here.
	if [ $at -ge $((size - last - 1)) ] && [ $status -eq 0 ]; then
		torn=$((torn + 1))
		"$trees/same_tree" source copied >"$out" 2>&1 || complain "$(head -n 3 "$out" | tr '\n' ' ')"
	elif [ $at -lt $((size - last)) ] && [ $status -eq 4 ]; then
		refused=$((refused + 1))
		cmp -s journal before || complain "it was changed"
		grep -q "journal: " "$err" || complain "not said: $(cat "$err")"
	else
		complain "exit status $status: $(tail -n 1 "$err")"
	fi
	[ -z "$wrong" ] || {
		bad="$bad $chosen"
		echo "# bit $chosen, byte $at of $size:$wrong"
	}
done
is "a bit changed, $tried of $bits, $refused refused and $torn torn" "" "$bad"
[ $refused -gt 0 ] && [ $torn -gt 0 ]
ok "there were both"

# No space for the journal: what was done is done, and with space it goes on.
mkdir small many
if mount -t tmpfs -o size=16k none small 2>"$err"; then
	i=0
	while [ $i -lt 300 ]; do
		echo $i >"many/a name that is not short at all, so that it takes some room, $i"
		i=$((i + 1))
	done
	find many -exec touch -d 2020-01-01 {} +
	copy many many2 --journal=small/j --journal-sync=none
	is "no space for the journal: ends the run" 3 $status
	is "with its end" error "$(value result.json end)"
	before=$(ls many2 | wc -l)
	[ "$before" -lt 300 ]
	ok "early: $before of 300"
	is "nothing is in part" "" "$(find many2 -name '*.iobatch-*')"
	wrong=
	"$iobatch" journal --check small/j >"$out" 2>&1 || complain "$(cat "$out")"
	done_then=$(awk -F'\t' '$1 == "done" { print $12 }' small/j | while read -r file; do
		[ -e "many2${file#many}" ] || echo "$file"
	done)
	is "the journal is good as far as it goes" "" "$wrong$done_then"
	copy many many2 --journal=small/j --resume
	[ $status -ne 0 ]
	ok "and without space it does not go on: $status"
	mount -o remount,size=4M small
	copy many many2 --journal=small/j --resume
	is "with space it does" 0 $status
	"$trees/same_tree" many many2 >"$out" 2>&1
	ok "and all is there"
	umount small
	mkdir -p small/read
	mount -t tmpfs -o size=1M none small && mkdir small/d && mount -o remount,ro small
	copy many many3 --journal=small/d/j
	is "a journal where nothing can be written" 3 $status
	[ ! -e many3 ]
	ok "and nothing was done"
	umount small
else
	skip "no space for the journal" "nothing can be mounted here"
fi
copy many many3 --journal=/dev/full
is "a journal that is a device" 2 $status
[ ! -e many3 ]
ok "and nothing was done"

# Two at once.
fault_start m
cp -a source m.back/source
# An op that a thread of the run waits in; reads may be nobody's when their process has gone.
fault m add "open 2 hang-ignore times 1"
"$iobatch" copy --executor=$executor --batch-size=1 --max-concurrent=1 --progress none m/source copied2 --journal=j2 \
	>"$work/first.out" 2>&1 &
first=$!
fault_wait m hung 1
copy m/source copied2 --journal=j2 --resume
is "two at once: the second is refused" 4 $status
holds "and is told why" "$err" "another run has it"
kill -KILL $first
copy m/source copied2 --journal=j2 --resume
is "after the first was killed, while an op of it hangs: still" 4 $status
fault_let_go m
copy m/source copied2 --journal=j2 --resume
is "when that has come back it is waited for" 0 $status
"$trees/same_tree" source copied2 >"$out" 2>&1
ok "and all is there"
# Waited for while it comes back.
rm -rf copied3
fault m add "open 2 delay 1200 times 1"
"$iobatch" copy --executor=$executor --batch-size=1 --max-concurrent=1 --progress none m/source copied3 --journal=j3 \
	>"$work/first.out" 2>&1 &
first=$!
fault_wait m delayed 1
kill -KILL $first
copy m/source copied3 --journal=j3 --resume
is "a killed run whose op takes its time is waited for" 0 $status
"$trees/same_tree" source copied3 >"$out" 2>&1
ok "and all is there"

# A run that could not remove what it had begun, but has ended and said so.
fault m clear
rm -rf m.back/*
fault m add "rename * error EIO"
fault m add "unlink * error EIO"
copy source m/copied --journal=j4
is "a copy that can neither be finished nor removed fails" 1 $status
[ -n "$(find m.back -name '*.iobatch-*')" ]
ok "and leaves something behind"
fault m clear
copy source m/copied --journal=j4 --resume
is "resumed, it is done" 0 $status
is "and nothing is left behind" "" "$(find m.back -name '*.iobatch-*')"
done_testing
