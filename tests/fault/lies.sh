#!/bin/sh
# SPDX-License-Identifier: MIT
#
# A disk that gives back something else than was written, and one that moves less than it was asked
# to: copy --verify and move notice the first, and nothing is disturbed by the second.
. "$(dirname "$0")/common.sh"

fault_start m
mkdir healthy
head -c 500000 /dev/urandom >healthy/large
head -c 5000 /dev/urandom >healthy/small
: >healthy/empty

# fresh: m and `to` are empty.
fresh() {
	fault m clear
	rm -rf m.back/* to result.json
}

# run NAME CODE VERB ARGUMENTS...
run() {
	name=$1
	code=$2
	verb=$3
	shift 3
	rm -f result.json
	timeout 60 "$iobatch" "$verb" --executor=$executor --progress none --result result.json "$@" >"$out" 2>"$err"
	is "$name" "$code" $?
}

for offset in 0 4999 131072 499999; do
	for options in --verify "--verify --fsync=full" "--verify --direct"; do
		fresh
		fault m add "write .large.iobatch* flip $offset"
		fault m add "write .small.iobatch* flip $offset"
		run "a bit of byte $offset is written wrongly, copy $options: has failed" 1 copy $options healthy m/to
		failed=large
		[ $offset -ge 5000 ] || failed="large small"
		is "those with it have failed" $(echo $failed | wc -w) "$(value result.json failed_count)"
		is "as such" EVERIFY "$(value result.json failed 0 error)"
		is "and are not there, whole or not, as the others are" "" \
			"$(for name in large small empty; do
				case " $failed " in
				*" $name "*) [ ! -e m.back/to/$name ] || echo $name ;;
				*) cmp healthy/$name m.back/to/$name ;;
				esac
			done)"
		is "nothing temporary is left" "" "$(find m.back -name '.*.iobatch-*')"
	done
done

# A lie that does not last is no reason to fail for ever.
fresh
fault m add "write .large.iobatch* flip 7 times 4"
run "with retries: succeeds when it is true at last" 0 copy --verify --retries 5 healthy m/to
cmp healthy/large m.back/to/large
ok "and is right"

fresh
fault m add "read large flip 1000 after 4 times 1"
cp -r healthy m.back/from
run "a bit is read wrongly, once: the copy" 0 copy --retries 3 --verify m/from to
# Whether the wrong reading was the source's is for verify to find: then it was tried again.
cmp healthy/small to/small
ok "and the others are right"

cp -r healthy kept
fresh
fault m add "write .large.iobatch* flip 100"
run "move --verify, written wrongly: has failed" 1 move --verify kept m/to
cmp healthy/large kept/large
ok "and the source is kept"
[ ! -e kept/small ] && cmp healthy/small m.back/to/small
ok "what was written well has moved"
rm -rf kept

# A source that is changed after it was read, while its copy is made durable or has got its name.
for request in fsync rename fsyncdir; do
	cp -r healthy kept
	fresh
	fault m add "$request * delay 700 times 1"
	timeout 60 "$iobatch" move --executor=$executor --progress none --result result.json kept/large m/large \
		>"$out" 2>"$err" &
	pid=$!
	fault_wait m delayed 1
	echo more >>kept/large
	wait $pid
	is "move of what is changed before the $request: has failed" 1 $?
	is "as such" ECHANGED "$(value result.json failed 0 error)"
	tail -n 1 kept/large | grep -aq 'more$'
	ok "and it is where it was, with its change"
	rm -rf kept
done

fresh
cp -r healthy m.back/from
run "hash" 0 hash -a sha256 --manifest sums m/from
fault m add "read large flip 131073"
run "verify: reads a bit wrongly" 1 verify sums
holds "says which" "$out" "m/from/large: FAILED"
holds "and which is well" "$out" "m/from/small: OK"
is "that has failed" EMISMATCH "$(value result.json failed 0 error)"
fault m clear
run "verify: reads it well" 0 verify sums
mkdir to
cp healthy/* to
fault m add "read large flip 131073"
run "compare --content: reads a bit wrongly" 1 compare --content m/from to
fault m clear
run "compare --content: reads it well" 0 compare --what content,size m/from to

# What is short is gone on with.
for length in 1 511 4095 4096 4097 65535; do
	fresh
	[ $length -gt 1 ] || head -c 3000 healthy/small >healthy/large
	cp -r healthy m.back/from
	fault m add "read * short $length"
	run "reads of $length: hash" 0 hash -a sha256 --manifest sums m/from
	(cd m.back && sed 's,  m/,  ,' ../sums | sha256sum --check --quiet) >"$out" 2>&1
	ok "is right"
	run "reads of $length: copy" 0 copy --reflink=never m/from to
	diff -r healthy to >"$out"
	ok "is the same"
	fault m clear
	fault m add "write * short $length"
	# Of a write that was handed over by io_uring FUSE says EIO when it is short.
	short=0
	[ "$executor" != ring ] || short=1
	run "writes of $length: copy" $short copy --verify healthy m/to
	diff -r healthy m.back/to >"$out"
	is "what is there is the same, and on the syscall executor all is" "" \
		"$(grep -v "^Only in healthy" "$out" || [ $short = 1 ] || cat "$out")"
	[ $length -gt 1 ] || head -c 500000 /dev/urandom >healthy/large
done
done_testing
