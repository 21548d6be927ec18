#!/bin/sh
# SPDX-License-Identifier: MIT
#
# What docs/FIDELITY.md says of cp and rsync.
. "$(dirname "$0")/../fault/mounts.sh"

command -v rsync >/dev/null || skip_all "rsync is not installed"
mount_fs fs tmpfs 512M || skip_all "$reason"
cd fs || exit 1
"$programs/every_tree" every 67108864 >"$out" 2>"$err"
access() {
	is "$1" "$2" "$(stat -c %x "$3/times/access" | cut -d ' ' -f 2)"
}

cp -a every cp
same "cp -a keeps all but what is said" every cp
access "cp -a: the access time" 03:33:20.000000123 cp
rsync -aHAXS every/ options
# It takes a time of the same second for the same.
same "rsync -aHAXS keeps all but what is said" --but mtime every options
rsync -a every/ plain
same "rsync -a keeps what is left" --but links,xattrs,holes,mtime every plain
for what in links xattrs holes; do
	others=$(echo links,xattrs,holes | sed "s/$what//; s/,,/,/; s/^,//; s/,$//")
	differs "rsync -a: not $what" --but "$others,mtime" every plain
done
rsync -aU every/ accessed
access "rsync -aU: the access time, in seconds" 03:33:20.000000000 accessed
"$programs/every_tree" --deep deep 2000
! cp -a deep deep2 2>"$err"
ok "cp -a: no paths longer than PATH_MAX"
! rsync -a deep/ deep3 2>"$err"
ok "rsync -a: no paths longer than PATH_MAX"
done_testing
