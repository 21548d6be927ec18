# SPDX-License-Identifier: MIT
#
# What the fault tests share, beside what the cases share. The fourth argument is faultfs, in the
# folder where the other programs of these tests are. A faultfs by the name of NAME is mounted on
# NAME in the test's own directory, over NAME.back, with the script NAME.script.

if [ ! -x "$4" ]; then
	printf 'TAP version 13\n1..0 # SKIP libfuse3 was not there when this was built\n'
	exit 0
fi
. "$(dirname "$0")/own_mounts.sh"

faultfs=$(realpath "$4")
. "$(dirname "$0")/../cases/common.sh"
programs=$(dirname "$faultfs")
mounted=

trap 'fault_stop_all; clean_up' EXIT

skip_all() {
	echo "1..0 # SKIP $1"
	exit 0
}

# patiently COMMAND...: tries it until it succeeds, for ten seconds at the most.
patiently() {
	tries=0
	until "$@"; do
		tries=$((tries + 1))
		[ $tries -lt 200 ] || return 1
		sleep 0.05
	done
}

fault_is_up() {
	[ -S "$1.socket" ] || ! kill -0 "$2" 2>/dev/null
}

# fault_start NAME [--cached]: without any rule.
fault_start() {
	[ -c /dev/fuse ] || skip_all "there is no /dev/fuse"
	mkdir -p "$1" "$1.back"
	: >"$1.script"
	"$faultfs" ${2-} "$1.back" "$1" "$1.script" "$1.socket" >"$work/$1.log" 2>&1 &
	patiently fault_is_up "$1" $!
	if [ ! -S "$1.socket" ]; then
		wait $!
		[ $? -ne 77 ] || skip_all "FUSE cannot be mounted here: $(head -n 1 "$work/$1.log")"
		echo "Bail out! faultfs: $(head -n 1 "$work/$1.log")"
		exit 1
	fi
	eval "fault_pid_$1=$!"
	mounted="$mounted $1"
}

# fault_stop NAME: what hangs in it ends, and it is unmounted.
fault_stop() {
	eval "kill \$fault_pid_$1 2>/dev/null; wait \$fault_pid_$1"
}

fault_stop_all() {
	for mount in $mounted; do
		fault_stop "$mount"
	done
	mounted=
}

# fault NAME COMMAND...: see faultfs.c.
fault() {
	socket=$1.socket
	shift
	"$faultfs" control "$socket" "$@"
}

# fault_rules NAME: the rules are read from stdin and are all that there are.
fault_rules() {
	cat >"$1.script"
	fault "$1" script
}

# fault_count NAME WORD: how often it was asked for WORD, or how many are hung, hung_total, ...
fault_count() {
	fault "$1" stats | sed -n "s/^$2 //p"
}

fault_count_is() {
	[ "$(fault_count "$1" "$2")" = "$3" ]
}

# fault_wait NAME WORD COUNT: until it is that, for ten seconds at the most.
fault_wait() {
	patiently fault_count_is "$@"
}

# fault_let_go NAME: no rules any more, and all that hangs is carried out.
fault_let_go() {
	fault "$1" clear
	fault "$1" release
	fault_wait "$1" hung 0
}

ended() {
	! kill -0 "$1" 2>/dev/null
}
