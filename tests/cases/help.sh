#!/bin/sh
# SPDX-License-Identifier: MIT
#
# What the command says about itself and about the machine.
. "$(dirname "$0")/common.sh"

exits "--version" 0 --version
grep -qx 'iobatch [0-9]*\.[0-9]*\.[0-9]*' "$out"
ok "is name and number"

# has_all FILE TEXT...: all the texts are in it.
has_all() {
	file=$1
	shift
	for text; do
		grep -qF -e "$text" "$file" || return 1
	done
}

verbs="copy move hash verify compare remove rename stat read write sync touch chmod chown truncate"

for command in "" run check journal ops doctor ctl $verbs; do
	# shellcheck disable=SC2086 # no word for none
	exits "'$command --help'" 0 $command --help
	holds "'$command --help' has examples" "$out" "Examples:"
	holds "'$command --help' has a usage line" "$out" "Usage: iobatch"
	is "'$command --help' says nothing on stderr" "" "$(cat "$err")"
	[ "$(awk '{ if (length($0) > longest) longest = length($0) } END { print longest }' "$out")" -le 79 ]
	ok "'$command --help' fits a terminal"
	# With room for any line what is not a list of options looks the same: nothing was wrapped.
	# shellcheck disable=SC2086
	ARGP_HELP_FMT=rmargin=500 "$iobatch" $command --help | grep -v '^  *-\|^Mandatory' >"$err"
	[ "$(awk '{ if (length($0) > longest) longest = length($0) } END { print longest }' "$err")" -le 78 ]
	ok "'$command --help' is not wrapped in the middle of a sentence"
done
for command in "" copy journal; do
	# shellcheck disable=SC2086
	"$iobatch" $command --help >"$work/wanted"
	# shellcheck disable=SC2086
	exits "help $command" 0 help $command
	cmp -s "$out" "$work/wanted"
	ok "'help $command' is the same"
done
exits "help of what is no command" 2 help copi
holds "is none" "$err" "copi is not a command; did you mean copy?"
"$iobatch" --help >"$out"
for verb in $verbs; do
	grep -q "^  $verb  *[a-z]" "$out"
	ok "--help lists $verb"
done
for verb in $verbs; do
	"$iobatch" "$verb" --help >"$out"
	has_all "$out" --set --executor --progress --result --list-successful --dry-run --print-job --batch-size \
		--max-concurrent --delay-ms --timeout-ms --retries --rings
	ok "$verb --help explains the common options"
	sed -n '/^Exit status/,$p' "$out" >"$err"
	has_all "$err" "status: 0" "; 1 some" "; 2 wrong" "; 3 this" "; 5 halted"
	ok "$verb --help explains exit statuses"
	[ "$(grep -c "^  .*iobatch $verb" "$out")" -ge 2 ]
	ok "$verb --help has two examples or more"
done
for verb in copy move hash compare remove rename stat read sync touch chmod chown truncate; do
	"$iobatch" "$verb" --help >"$out"
	has_all "$out" --types --include= --exclude= --include-path --exclude-path --min-size --max-size --older-than \
		--newer-than --min-depth --max-depth --one-file-system --cross-file-systems --order
	ok "$verb --help explains the filters"
done
for verb in copy move hash remove rename stat read sync touch chmod chown truncate; do
	"$iobatch" "$verb" --help >"$out"
	has_all "$out" --files-from --null --column --delimiter --root
	ok "$verb --help explains lists"
done
for verb in rename stat sync touch chmod chown truncate; do
	"$iobatch" "$verb" --help >"$out"
	holds "$verb --help explains --recursive" "$out" "-r, --recursive"
done
exits "a word that is nearly a verb" 2 remvoe a
says "is asked about" "$err" "iobatch: remvoe is not a command; did you mean remove?"
exits "a word that is none" 2 frobnicate
says "is told where to look" "$err" "iobatch: frobnicate is not a command; iobatch --help lists them"

"$iobatch" run --help >"$out"
for option in --set --executor --progress --result --list-successful --dry-run; do
	holds "run --help explains $option" "$out" "$option"
done
for code in 0 1 2 3 5; do
	grep -q "Exit status: .*" "$out" && sed -n '/^Exit status/,$p' "$out" | grep -qw "$code"
	ok "run --help explains exit status $code"
done
holds "run --help says what paths are relative to" "$out" "relative to the current directory"

exits "ops" 0 ops
for op in nop openat openat2 close read write fsync fdatasync fallocate fadvise statx renameat \
	unlinkat mkdirat symlinkat linkat timeout readlinkat fchmodat utimensat ftruncate fchmod fchown \
	futimens copy_file_range ficlone; do
	grep -Eq "^$op +(IORING_OP_[A-Z0-9_]+|-) +(ring|system call) +[A-Z]" "$out"
	ok "ops lists $op"
done
exits "ops --arguments" 0 ops --arguments
holds "ops --arguments names the words" "$out" "one of normal, sequential, random, noreuse"
holds "ops --arguments says what is required" "$out" "path: path (required)"

"$iobatch" doctor >"$out" 2>"$err"
code=$?
if [ $code -eq 0 ]; then
	holds "doctor: usable" "$out" "io_uring: can be used"
	holds "doctor: features" "$out" "features: "
	holds "doctor: what auto takes" "$out" "executor: auto takes ring"
else
	is "doctor: not usable is 3" 3 $code
	holds "doctor: the remedy" "$out" "remedy: "
	holds "doctor: what auto takes" "$out" "executor: auto takes syscall"
fi
holds "doctor: the kernel" "$out" "kernel: $(uname -r)"
holds "doctor: locked memory" "$out" "locked memory (memlock): "
holds "doctor: open files" "$out" "open files (nofile): "

printf 'items: {walk: {root: /nowhere}}\nprocessor: {nop: {}}\n' >job.yaml
exits "check looks at the job only" 0 check job.yaml
is "check sums it up" "job.yaml: ok
job: walk /nowhere; nop; 64 items a batch, 8 batches at once" "$(cat "$out")"
exits "check says which executor is asked for" 0 check job.yaml --set options.executor=syscall
holds "by name" "$out" "8 batches at once, by system calls"
done_testing
