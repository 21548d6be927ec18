# SPDX-License-Identifier: MIT
#
# For cases about runs that are told something while they go on: bash, for its job control, in which a
# job is a group of its own, does not ignore SIGINT and can be stopped.
set -m

# until_true COMMAND...: tries it for ten seconds.
until_true() {
	tries=0
	until "$@"; do
		tries=$((tries + 1))
		[ $tries -lt 200 ] || return 1
		sleep 0.05
	done
}

# ask WORD...: of the run that goes on; the answer is in answer.
ask() {
	"$iobatch" ctl socket "$@" >answer 2>asked.err
}

has_begun() {
	ask status && [ "$(value answer state)" != waiting ]
}

has_settled() {
	ask status && [ "$(value answer processed)" -ge "$1" ]
}

has_state() {
	ask status && [ "$(value answer state)" = "$1" ]
}

# start ARGUMENTS...: in the background, with a control socket; $pid is it.
start() {
	verb=$1
	shift
	rm -f result.json
	"$iobatch" "$verb" ${executor:+--executor="$executor"} --control=socket --result=result.json "$@" \
		>"$out" 2>"$err" &
	pid=$!
	# However the case ends, nothing goes on behind it.
	trap 'kill -KILL $pid 2>/dev/null; clean_up' EXIT
	until_true has_begun
}

# ends NAME CODE: the run that was started.
ends() {
	# Not only until it stops, which it may have done on the way.
	wait -f $pid
	is "$1" "$2" $?
}

# accounts NAME: every item that was taken has one outcome.
accounts() {
	is "$1" "$(value result.json total_processed)" \
		$(($(value result.json successful) + $(value result.json failed_count)))
}

# state_of PID: a letter, as /proc has it.
is_in_state() {
	[ "$(sed 's/.*) //' "/proc/$1/stat" | cut -c1)" = "$2" ]
}
