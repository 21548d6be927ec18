#!/bin/sh
# SPDX-License-Identifier: MIT
#
# What the README shows is so: its commands run, its job runs, and its result has the members that
# results have. (Its first two blocks are what builds and tests this, and its C is compiled and run in
# tests/unit/api.) The fourth argument is the README.
readme=$(realpath "$4")
. "$(dirname "$0")/common.sh"

mkdir bin photos photos/2025 cache backup
ln -s "$iobatch" bin/iobatch
PATH=$PWD/bin:$PATH
for name in a.JPG b.jpg 2025/c.JPG "2025/d e.jpg"; do
	echo "$name" >"photos/$name"
done
ln -s a.JPG photos/latest
touch -d 2001-01-01 cache/old
touch cache/new

# block LANGUAGE NUMBER: the lines of that block.
block() {
	awk -v start="\`\`\`$1" -v wanted="$2" '
		$0 == start { if (++count == wanted) inside = 1; next }
		/^```$/ { inside = 0 }
		inside { print }' "$readme"
}

# The runs that are shown: of jobs by these names. First, since commands speak of what they leave.
printf 'photos/b.jpg\n/etc/missing\nphotos/2025/d e.jpg\n' >names
printf 'job: names\nitems: {list: {file: names}}\nprocessor: {hash: {manifest: sums}}\noptions: {retries: 2}\n' >names.yaml
printf 'job: scan\nitems: {walk: {root: photos}}\nprocessor: {read: {}}\n' >scan.yaml
awk '/^```/ { plain = $0 == "```" && !inside; inside = !inside; next } plain && sub(/^\$ /, "")' "$readme" >lines
[ -s lines ]
ok "runs are shown"
while IFS= read -r line <&3; do
	sh -c "$line" >"$out" 2>"$err"
	[ $? -le 1 ]
	ok "$line"
done 3<lines

blocks=$(grep -c '^```sh$' "$readme")
[ "$blocks" -ge 3 ]
ok "there are commands beside the two"
i=3
while [ $i -le "$blocks" ]; do
	block sh $i >lines
	while IFS= read -r line <&3; do
		[ -n "$line" ] || continue
		sh -c "$line" >"$out" 2>"$err"
		is "$line" 0 $?
	done 3<lines
	i=$((i + 1))
done
diff -r --no-dereference photos backup/photos >"$out"
is "the last of them has copied what was renamed" "" "$(grep -v '^Only in backup' "$out")"
is "what is old was not removed in a dry run" "new old" "$(ls cache | tr '\n' ' ' | sed 's/ $//')"

blocks=$(grep -c '^```yaml$' "$readme")
[ "$blocks" -ge 1 ]
ok "there is a job"
i=1
while [ $i -le "$blocks" ]; do
	block yaml $i >job.yaml
	if [ -d /usr/share/doc ]; then
		exits "job $i runs" 0 run job.yaml
	else
		exits "job $i can be read" 0 check job.yaml
	fi
	i=$((i + 1))
done

block json 1 >shown.json
members() {
	sed -n 's/^  "\([a-z_]*\)":.*/\1/p' "$1"
}
is "the result has the members that are shown" "$(members shown.json)" "$(members result.json)"
is "also of what has failed" \
	"$(grep -o '{"item".*}' shown.json | grep -o '"[a-z]*":' | tr -d '\n')" \
	"$(grep -o '{"item".*}' result.json | grep -o '"[a-z]*":' | tr -d '\n')"

# Links lead somewhere.
is "each link leads to a file" "" "$(grep -o '](\([^)#]*\))' "$readme" | sed 's/^](//; s/)$//' | grep -v '^https*:' |
	while read -r link; do
		[ -e "$(dirname "$readme")/$link" ] || echo "$link"
	done)"
done_testing
