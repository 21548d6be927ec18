# SPDX-License-Identifier: MIT
#
# What tests on file systems of their own share, beside what the cases share. The fourth argument is
# the folder of the programs of trees.

. "$(dirname "$0")/../fault/own_mounts.sh"
programs=$(realpath "$4")
. "$(dirname "$0")/../cases/common.sh"

umount_all() {
	cd / || return
	for directory in ${mounted_directories-}; do
		umount "$work/here/$directory" 2>/dev/null || umount -l "$work/here/$directory" 2>/dev/null
	done
}
trap 'umount_all; clean_up' EXIT

skip_all() {
	echo "1..0 # SKIP $1"
	exit 0
}

# mount_fs DIRECTORY TYPE SIZE [OPTIONS]: an empty file system. When it cannot be had: false, with the
# reason in $reason.
mount_fs() {
	mkdir -p "$1"
	reason=
	if [ "$2" = tmpfs ]; then
		mount -t tmpfs -o "size=$3,mode=755${4:+,$4}" none "$1" 2>"$err" || reason="tmpfs cannot be mounted here"
	elif ! command -v "mkfs.$2" >/dev/null; then
		reason="mkfs.$2 is not installed"
	else
		rm -f "$1.image"
		truncate -s "$3" "$1.image"
		"mkfs.$2" -q "$1.image" >"$out" 2>&1 || reason="mkfs.$2 has failed"
		[ -n "$reason" ] || mount -t "$2" -o "loop${4:+,$4}" "$1.image" "$1" 2>"$err" ||
			reason="$2 cannot be mounted here"
	fi
	[ -z "$reason" ] || return 1
	mounted_directories="$1 ${mounted_directories-}"
	chmod 755 "$1"
}

# run NAME CODE VERB ARGUMENTS...: the command, on the executor that the case is about, with its
# result in result.json.
run() {
	name=$1
	code=$2
	verb=$3
	shift 3
	rm -f result.json
	timeout 120 "$iobatch" "$verb" ${executor:+--executor=$executor} --progress none --result result.json "$@" \
		>"$out" 2>"$err"
	is "$name" "$code" $?
}

# same NAME [OPTIONS] A B: see same_tree.c.
same() {
	name=$1
	shift
	"$programs/same_tree" "$@" >"$out" 2>&1
	ok "$name"
}

# differs NAME [OPTIONS] A B
differs() {
	name=$1
	shift
	! "$programs/same_tree" "$@" >"$out" 2>&1
	ok "$name"
}

# no_temporaries NAME DIRECTORY: nothing is left by a temporary name below it.
no_temporaries() {
	is "$1" "" "$(find "$2" -name '.*.iobatch-*' 2>/dev/null | head -n 3)"
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
