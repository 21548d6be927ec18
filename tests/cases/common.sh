# SPDX-License-Identifier: MIT
#
# What the cases share. A case is called with the command, json_get and the folder of the job files;
# it is then in an empty directory of its own, and $out and $err are files in it. It speaks TAP. A case
# that finds an executor in EXECUTOR is about that one: see exits().
set -u

iobatch=$(realpath "$1")
json_get=$(realpath "$2")
configs=$(realpath "$3")
executor=${EXECUTOR-}
on=${executor:+ ($executor)}

export LC_ALL=C
work=$(mktemp -d)
clean_up() {
	chmod -R u+rwX "$work" 2>/dev/null
	rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 1' HUP INT TERM
mkdir "$work/here"
cd "$work/here" || exit 1
out=$work/out
err=$work/err
number=0

echo "TAP version 13"

if [ "$executor" = ring ] && ! "$iobatch" doctor >"$out" 2>&1; then
	echo "1..0 # SKIP $(sed -n 's/^cause: //p' "$out")"
	exit 0
fi

# ok NAME: the last command decides.
ok() {
	if [ $? -eq 0 ]; then
		number=$((number + 1))
		echo "ok $number - $1$on"
	else
		not_ok "$1"
	fi
}

# not_ok NAME, with what the last run said.
not_ok() {
	number=$((number + 1))
	echo "not ok $number - $1$on"
	[ ! -e "$out" ] || head -n 20 "$out" | tr -d '\000' | sed 's/^/# out: /'
	[ ! -e "$err" ] || head -n 20 "$err" | tr -d '\000' | sed 's/^/# err: /'
}

# is NAME EXPECTED ACTUAL
is() {
	[ "$2" = "$3" ]
	ok "$1"
	[ "$2" = "$3" ] || printf 'expected: %s\nbut it is: %s\n' "$2" "$3" | sed 's/^/# /'
}

# skip NAME REASON
skip() {
	number=$((number + 1))
	echo "ok $number - $1$on # SKIP $2"
}

# exits NAME CODE ARGUMENTS...: runs the command, with its output in $out and $err; a job on the
# executor that the case is about.
exits() {
	name=$1
	code=$2
	shift 2
	if [ -n "$executor" ] && [ "$1" = run ]; then
		shift
		set -- run --executor="$executor" "$@"
	fi
	"$iobatch" "$@" >"$out" 2>"$err"
	is "$name" "$code" $?
}

# says NAME FILE LINE: the file is this one line.
says() {
	is "$1" "$3" "$(cat "$2")"
}

# holds NAME FILE TEXT: a line of the file has this text in it.
holds() {
	grep -qF -e "$3" "$2"
	ok "$1"
}

# value FILE KEY...: of a JSON file.
value() {
	"$json_get" "$@"
}

# ran_on FILE: does the result say that it was the executor that the case is about?
ran_on() {
	is "the executor that was asked for" "$executor" "$(value "$1" executor)"
}

done_testing() {
	echo "1..$number"
}
