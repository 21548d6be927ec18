#!/bin/sh
# SPDX-License-Identifier: MIT
#
# hash over the files of this machine agrees with sha256sum, for each of them.
. "$(dirname "$0")/common.sh"

printf 'items: {walk: {root: /usr/share}}\nprocessor: {hash: {algorithm: sha256, manifest: m}}\n' >job.yaml
exits "hash /usr/share" 0 run job.yaml --result result.json
is "each file is in the manifest" "$(find /usr/share/ -type f | wc -l)" "$(wc -l <m)"
is "and in the result" "$(find /usr/share/ -type f | wc -l)" "$(value result.json successful)"
sha256sum --check --quiet --strict m >"$out" 2>"$err"
ok "sha256sum finds the same"
is "the bytes of the files" "$(find /usr/share/ -type f -printf '%s\n' |
	awk '{ sum += $1 } END { printf "%.0f", sum }')" "$(value result.json bytes)"
done_testing
