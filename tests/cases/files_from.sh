#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Lists of names: from files and standard input, ended by newlines or NULs, or columns of lines. A name
# that leads out of the root is refused before any other is touched.
. "$(dirname "$0")/common.sh"

odd=$(printf 'new\nline\377')
mkdir -p root/sub outside
echo a >root/a
echo b >root/sub/b
echo c >"root/$odd"
echo precious >outside/file
ln -s ../outside root/out

printf 'a\n\nsub/b\n' >list
exits "copy --files-from --root" 0 copy --files-from=list --root=root to
is "each at its place" "./a ./sub/b" "$(cd to && find . -type f | sort | tr '\n' ' ' | sed 's/ $//')"
printf 'a\0%s\0' "$odd" >nul
exits "names that end in NUL" 0 copy --files-from=nul --null --root=root to2
is "can have newlines" c "$(cat "to2/$odd")"
(cd root && find . -type f -print0) | "$iobatch" copy --files-from=- -0 --root=root to3 >"$out" 2>"$err"
ok "from standard input"
is "as find prints them" 3 "$(find to3 -type f -printf . | wc -c)"
printf '1\ta\tx\n2\tsub/b\ty\n' >table
exits "a column" 0 copy --files-from=table --column=2 --root=root to4
is "of a line" "./a ./sub/b" "$(cd to4 && find . -type f | sort | tr '\n' ' ' | sed 's/ $//')"
printf 'x,a\ny,sub/b\n' >table
exits "another delimiter" 0 copy --files-from=table --column=2 --delimiter=, --root=root to5
is "parts the columns" "./a ./sub/b" "$(cd to5 && find . -type f | sort | tr '\n' ' ' | sed 's/ $//')"
printf '%s\n' "$PWD/root/a" >list
exits "absolute names" 0 copy --files-from=list --root="$PWD/root" to6
is "below the root" a "$(cat to6/a)"
printf 'root/a\n' >list
exits "without --root" 0 hash --files-from=list
holds "they are below the current directory" "$out" "(root/a)"

# refused_list NAME BAD: a list with one that leads out, behind many that do not.
refused_list() {
	{
		printf 'a\nsub/b\n'
		printf '%b\n' "$2"
	} >list
	listing . >"$work/before"
	for command in "remove --files-from=list" "copy --files-from=list new" "touch --files-from=list" \
		"chmod 0777 --files-from=list" "move --files-from=list new"; do
		# shellcheck disable=SC2086 # words are what is wanted
		"$iobatch" ${command%% *} ${executor:+--executor="$executor"} --root=root ${command#* } >"$out" 2>"$err"
		is "$1: ${command%% *} refuses it" 2 $?
		grep -q '^iobatch: --files-from: list: .* leads out of the root, or is not below it$' "$err"
		ok "$1: ${command%% *} says where"
		is "$1: ${command%% *} says no more" 1 "$(wc -l <"$err" | tr -d ' ')"
		listing . >"$work/after"
		cmp -s "$work/before" "$work/after"
		ok "$1: ${command%% *} touches nothing"
	done
}

refused_list "a name above" '../outside/file'
refused_list "an absolute name elsewhere" "$PWD/outside/file"
refused_list "a way out and back in" 'a/../../outside/file'
refused_list "a way out in the middle" 'sub/../../outside/file'
refused_list "two dots at the end" 'sub/..'
refused_list "an absolute name with two dots" "$PWD/root/../outside/file"

# A link in the way is not followed; the other names are.
printf 'out/file\n' >list
exits "a name through a link" 1 remove --files-from=list --root=root
is "leads nowhere" precious "$(cat outside/file)"
exits "also for a copy" 1 copy --files-from=list --root=root to7
[ ! -e to7/out/file ]
ok "which makes nothing of it"
printf 'a\nsub/b\n' >list
exits "remove of a list" 0 remove --files-from=list --root=root
[ ! -e root/a ] && [ ! -e root/sub/b ] && [ -d root/sub ] && [ -e outside/file ]
ok "takes what is in it, and nothing else"
done_testing
