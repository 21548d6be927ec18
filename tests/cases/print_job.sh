#!/bin/sh
# SPDX-License-Identifier: MIT
#
# What --print-job prints runs as a job, and comes to the same as the verb.
. "$(dirname "$0")/common.sh"

odd=$(printf 'caf\351 new\nline: "x" #{1}')
scene() {
	mkdir -p "$1/tree/sub" "$1/other"
	echo a >"$1/tree/a"
	echo b >"$1/tree/sub/$odd"
	echo c >"$1/tree/c.txt"
	echo d >"$1/$odd"
	echo e >"$1/other/a"
	ln -s a "$1/tree/link"
	(cd "$1" && sha256sum tree/a "$odd" >manifest && printf 'tree/a\0%s\0' "$odd" >list)
	find "$1" -exec touch -h -d '2003-04-05 06:07:08' {} +
}

# both ARGUMENTS...: once as it is and once as the job that it prints.
both() {
	shown=$(printf '%s ' "$@" | tr -d '\n\351')
	rm -rf by_verb by_job
	scene by_verb
	scene by_job
	(cd by_verb && "$iobatch" "$@" --progress none) >verb.out 2>verb.err
	verb_code=$?
	(cd by_job && "$iobatch" "$@" --print-job) >job.yaml 2>"$err"
	ok "'$shown' prints its job"
	scene by_nothing
	same "'$shown' and touches nothing" by_nothing by_job
	rm -rf by_nothing
	exits "'$shown': the job is valid" 0 check job.yaml
	(cd by_job && "$iobatch" run ../job.yaml --progress none) >job.out 2>job.err
	is "'$shown': the same exit code" "$verb_code" $?
	# What was made by now has a time of now.
	sed 's/"[acb]time": "[^"]*", *//g; s/"btime": "[^"]*"//; s/"ino": [0-9]*//' verb.out >verb.text
	sed 's/"[acb]time": "[^"]*", *//g; s/"btime": "[^"]*"//; s/"ino": [0-9]*//' job.out >job.text
	is "'$shown': the same output" "$(cat verb.text)" "$(cat job.text)"
	is "'$shown': the same complaints" "$(cat verb.err)" "$(cat job.err)"
	find by_verb by_job -newermt 2020-01-01 -exec touch -h -d '2021-01-01' {} +
	same "'$shown': the same files" by_verb by_job
}

both copy tree new
both copy --update --exclude='*.txt' --max-size=1MiB -X --preserve=mode,times tree/ "$odd" new/
both copy --files-from=list --null new
both move tree "$odd" other
both move --types=file tree/ "moved $odd"
both hash -a sha256 tree "$odd"
both hash --files-from=list -0 --manifest=m
both verify manifest
both compare tree other
both compare --content --exclude=sub tree other
both remove tree "$odd"
both remove --min-depth=1 --include='[ac]*' --older-than=1d tree
both rename --to='{stem}-{index}' "$odd" tree/a
both rename -r --match='^(.)\.txt$' --to='{1}.text' tree
both stat "$odd" tree
both stat -r tree --format=table
both read tree
both write --length=1000 --seed=3 "new $odd" '{index}'
both write --length=1000 --count=3 'new{index:2}' --manifest=m
both sync -r tree
both touch --date=@5 "$odd" "new $odd"
both touch -r --date=2001-01-01T00:00:00Z tree
both chmod -r u+rwX,go= tree
both chmod 0600 "$odd"
both truncate --length=10 "$odd"
[ "$(id -u)" -ne 0 ] || both chown -r 1:2 tree "$odd"

cd by_verb || exit
exits "common options" 0 hash tree --batch-size=3 --max-concurrent=2 --delay-ms=1 --timeout-ms=1000 --retries=4 \
	--rings=auto --executor=syscall --set options.backoff_ms=5 --print-job
is "go where they belong" "options:
  batch_size: 3
  max_concurrent: 2
  delay_ms: 1
  timeout_ms: 1000
  retries: 4
  rings: auto
  executor: syscall
  backoff_ms: 5" "$(sed -n '/^options/,$p' "$out")"
exits "--set wins over an option" 0 hash tree --batch-size=3 --set options.batch_size=4 --print-job
holds "whatever it set" "$out" "  batch_size: 4"
exits "a name in bytes" 0 hash "$odd" --print-job
holds "is tagged" "$out" 'root: !bytes "caf'
cat >job.yaml <<'END'
items: { list: { names: [!bytes "caf\xe9 new\nline: \"x\" #{1}"] } }
processor: { hash: { manifest: "-" } }
END
exits "and can be written with escapes" 0 run job.yaml
is "which is that file" "$("$iobatch" hash "$odd" 2>/dev/null)" "$(cat "$out")"
exits "run --print-job" 0 run job.yaml --set options.rings=2 --print-job
holds "prints what --set has made of it" "$out" "  rings: 2"
done_testing
