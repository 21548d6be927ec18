#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Nothing outside the tree is touched or read, whatever somebody does in it meanwhile: attack.c
# exchanges directories and files for links thousands of times, and squats temporary names. That each
# attack would hit what trusts paths is shown with naive.c. The fifth argument is the folder of both.
attacks=$(realpath "$5")
. "$(dirname "$0")/mounts.sh"

rounds=10
hits=10000
if ! mount_fs fs tmpfs 256M; then
	# On a disk all of it takes longer.
	echo "# $reason: done in a plain directory"
	rounds=3
	hits=500
fi
cd fs || exit 1
# Of each file of the sentinel.
sentinel=$({
	printf SECRET-of-the-sentinel
	head -c 4978 /dev/zero | tr '\0' .
} | sha256sum | cut -d ' ' -f 1)

# attack NAME MANNER HITS COMMAND...: in the directory `arena`.
attack() {
	name=$1
	manner=$2
	wanted=$3
	shift 3
	rm -rf arena
	timeout 240 "$attacks/attack" arena $manner $rounds $wanted "$@" >"$out" 2>"$err"
	status=$?
}

# trusting MANNER VERB ARGUMENTS...: what trusts paths is hit.
trusting() {
	manner=$1
	shift
	attack "" $manner $hits "$attacks/naive" "$@"
	if [ $status -eq 0 ] || [ $status -eq 4 ]; then
		skip "$manner: what trusts paths would be hit by $1" "it was not, this time"
	else
		is "$manner: what trusts paths is hit by $1" 1 $status
	fi
}

# confined MANNER HITS VERB ARGUMENTS...: ours is not.
confined() {
	manner=$1
	wanted=$2
	verb=$3
	shift 3
	attack "" $manner $wanted "$iobatch" "$verb" --executor=$executor "$@"
	is "$manner: $verb is not led out" 0 $status
	echo "# $verb $*: $(cat "$out")"
	grep -q ': [1-9][0-9]* successful' arena/output
	ok "$manner: and it did something"
	! grep -qs "$sentinel" arena/output
	ok "$manner: nor does it read what is there"
}

for verb in remove chmod chown touch truncate hash; do
	trusting swap $verb tree
done
trusting swap copy tree copy
trusting swap copy source tree
trusting source move source copy
trusting temporary copy source tree

confined swap $hits remove tree
confined swap $hits chmod --recursive 0777 tree
confined swap $hits chown --recursive 12345:12345 tree
confined swap $hits touch --recursive tree
confined swap $hits truncate --recursive --length 1 tree
confined swap $hits hash --algorithm sha256 tree
confined swap $hits read tree
confined swap $hits sync --recursive tree
confined swap $hits stat --recursive tree
confined swap $hits rename --recursive --to "{name}.new" tree
confined swap $hits copy tree copy
confined swap $hits copy source/ tree
confined swap $hits copy --xattrs --acls --verify --fsync=full source/ tree
confined swap $hits move source/ tree
confined source $hits move source copy
confined source $hits compare --content source tree
confined temporary 100 copy source/ tree
confined temporary 100 copy --verify --fsync=full --reflink=never source/ tree
done_testing
