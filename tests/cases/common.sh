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

# exits NAME CODE ARGUMENTS...: runs the command, with its output in $out and $err; a job or a verb
# on the executor that the case is about.
exits() {
	name=$1
	code=$2
	shift 2
	case ${1-} in
	check | ops | doctor | journal | ctl | --*) ;;
	*)
		if [ -n "$executor" ]; then
			verb=$1
			shift
			set -- "$verb" --executor="$executor" "$@"
		fi
		;;
	esac
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

# refused NAME TEXT ARGUMENTS...: it exits with 2, says so in one line, and leaves all that is here as
# it was.
refused() {
	refused_name=$1
	refused_text=$2
	shift 2
	listing . >"$work/before"
	exits "$refused_name" 2 "$@"
	holds "$refused_name: why" "$err" "$refused_text"
	is "$refused_name: nothing on stdout" "" "$(cat "$out")"
	listing . >"$work/after"
	cmp -s "$work/before" "$work/after"
	ok "$refused_name: nothing was touched"
}

# listing DIRECTORY: all that can be told of what is in it but for its content: type, mode, owner,
# modification time, names of the same file, size, target. Directories have no size of their own.
listing() {
	(cd "$1" && find . \( -type d -printf '%p %y %m %U:%G %T@\n' \) -o \
		-printf '%p %y %m %U:%G %T@ %n %s %l\n' | sort)
}

# same NAME DIRECTORY DIRECTORY: the two hold the same, to the last bit.
same() {
	listing "$2" >"$work/first.list"
	listing "$3" >"$work/second.list"
	diff "$work/first.list" "$work/second.list" >"$out" &&
		(cd "$2" && find . -type f -exec sha256sum {} + | sort) >"$work/first.list" &&
		(cd "$3" && find . -type f -exec sha256sum {} + | sort) >"$work/second.list" &&
		diff "$work/first.list" "$work/second.list" >"$out"
	ok "$1"
}

# Runs what follows as somebody who is not root, when root runs this; needs a case that has called
# can_be_nobody.
as_nobody() {
	if [ "$(id -u)" -ne 0 ]; then
		"$@"
	else
		setpriv --reuid=65534 --regid=65534 --clear-groups "$@"
	fi
}

# Whether as_nobody can be used; lets nobody into this directory and to the command.
can_be_nobody() {
	[ "$(id -u)" -eq 0 ] || return 0
	command -v setpriv >/dev/null || return 1
	chmod 755 "$work"
	chmod 777 .
	cp "$iobatch" "$work/iobatch"
	iobatch=$work/iobatch
}

# ran_on FILE: does the result say that it was the executor that the case is about?
ran_on() {
	is "the executor that was asked for" "$executor" "$(value "$1" executor)"
}

done_testing() {
	echo "1..$number"
}
