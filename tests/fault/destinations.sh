#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Places where things are not as one thinks: the destination is the source by another name, files
# that cannot be read, replaced or removed, mounts in a tree, and renames that a kernel refuses.
. "$(dirname "$0")/mounts.sh"

mount_fs fs ext4 64M || mount_fs fs tmpfs 64M || skip_all "$reason"
cd fs || exit 1
chmod 755 "$work" "$work/here"

# The destination is the source, by another name.
mkdir source destination
echo content >source/linked
ln source/linked destination/linked
echo other >source/other
ln -s ../source/other destination/other
mkdir source/directory elsewhere
echo sentinel >elsewhere/file
echo file >source/directory/file
ln -s ../elsewhere destination/directory
run "copy over a hard link of the source: has failed, or has nothing to do" 1 copy source/ destination
is "as such" ESAMEFILE "$(value result.json failed 0 error)"
is "its content is as it was" content "$(cat source/linked)"
is "a link to the source is replaced, the source is not" other "$(cat source/other)"
[ -f destination/other ] && [ ! -L destination/other ]
ok "by a copy"
is "what a link to a directory leads to is as it was" sentinel "$(cat elsewhere/file)"
run "copy of a file over itself" 1 copy source/linked source/linked
is "its content is as it was" content "$(cat source/linked)"
run "move of a file over itself" 1 move source/linked source/linked
is "its content is as it was" content "$(cat source/linked)"
run "move over a hard link of it" 1 move source/linked destination/linked
[ "$(cat source/linked 2>/dev/null || cat destination/linked)" = content ]
ok "one of them is there"
for verb in copy move; do
	"$iobatch" $verb --executor=$executor source source/directory/below >"$out" 2>"$err"
	is "$verb of a tree into itself: refused" 2 $?
done
is "and it is as it was" "directory directory/file linked other" \
	"$(cd source && find . -mindepth 1 | sort | sed 's,^./,,' | tr '\n' ' ' | sed 's/ $//')"
rm -rf source destination elsewhere

# What cannot be removed or replaced.
mkdir tree tree/a tree/b
echo 1 >tree/a/well
echo 2 >tree/a/immutable
echo 3 >tree/b/well
if chattr +i tree/a/immutable 2>"$err"; then
	run "remove: one file is immutable" 1 remove tree
	is "it has failed" "tree/a/immutable" "$(value result.json failed 0 item)"
	is "as such" EPERM "$(value result.json failed 0 error)"
	is "the directories above it, too" "tree/a tree" \
		"$(value result.json failed 1 item) $(value result.json failed 2 item)"
	is "nothing else is left" "tree/a/immutable" "$(find tree ! -type d)"
	mkdir new
	echo new >new/immutable
	echo new >new/well
	run "copy over an immutable file" 1 copy new/ tree/a
	is "it has failed" EPERM "$(value result.json failed 0 error)"
	is "and is as it was" 2 "$(cat tree/a/immutable)"
	is "the other is copied" new "$(cat tree/a/well)"
	no_temporaries "nothing temporary is left" tree
	run "move of an immutable file" 1 move tree/a/immutable moved
	is "it is where it was" 2 "$(cat tree/a/immutable)"
	run "chmod" 1 chmod --recursive 700 tree
	is "only it has failed" 1 "$(value result.json failed_count)"
	chattr -i tree/a/immutable
	chattr +a tree/a
	run "remove from a directory that may only grow" 1 remove tree
	is "the file is there" 2 "$(cat tree/a/immutable)"
	chattr -a tree/a
else
	skip "immutable files" "chattr does not work here"
fi
rm -rf tree new moved

# Somebody who may not.
cp "$iobatch" "$work/command"
chmod 755 "$work/command"
mkdir -m 777 open
mkdir tree tree/closed tree/well
echo 1 >tree/closed/file
echo 2 >tree/unreadable
echo 3 >tree/well/file
chmod 700 tree/closed
chmod 600 tree/unreadable
if command -v setpriv >/dev/null && setpriv --reuid=65534 --regid=65534 --clear-groups "$work/command" --version >"$out" 2>"$err"; then
	# as_nobody NAME CODE VERB ARGUMENTS...
	as_nobody() {
		name=$1
		code=$2
		shift 2
		rm -f open/result.json
		timeout 60 setpriv --reuid=65534 --regid=65534 --clear-groups "$work/command" "$@" --executor=$executor \
			--progress none --result open/result.json >"$out" 2>"$err"
		is "$name" "$code" $?
	}
	as_nobody "copy of what may be read in part" 1 copy tree open/copy
	is "what may be read is copied" 3 "$(cat open/copy/well/file)"
	is "what may not has failed" EACCES "$(value open/result.json failed 0 error)"
	[ ! -e open/copy/unreadable ]
	ok "and is not there"
	is "a directory that may not be read is said to be left out" 1 "$(value open/result.json source_errors)"
	is "what is copied is the copier's" 65534 "$(stat -c %u open/copy/well/file)"
	as_nobody "remove of what one may not" 1 remove tree
	is "all of it is there" 6 "$(find tree -printf . | wc -c)"
	as_nobody "move of what one may not" 1 move tree open/moved
	is "all of it is there" 6 "$(find tree -printf . | wc -c)"
	as_nobody "chmod of what one may not" 1 chmod --recursive 777 tree
	is "it has failed" EPERM "$(value open/result.json failed 0 error)"
	mkdir modes
	for mode in 4755 2755 6755; do
		echo $mode >modes/$mode
		chmod $mode modes/$mode
	done
	as_nobody "copy of programs of root" 0 copy modes open/modes
	is "gives nobody the rights of root" "" "$(find open/modes -type f -perm /6000 -user 0)"
else
	skip "somebody who may not" "no other user can be had here"
fi
rm -rf tree open modes

# A file system that was made read-only.
mkdir tree
echo 1 >tree/file
cd .. || exit 1
if mount -o remount,ro fs 2>"$err"; then
	run "remove, read-only" 1 remove fs/tree
	is "has failed" EROFS "$(value result.json failed 0 error)"
	run "copy to what is read-only" 1 copy fs/tree fs/copy
	run "move from what is read-only" 1 move fs/tree moved
	is "the source is there" 1 "$(cat fs/tree/file)"
	mount -o remount,rw fs
else
	skip "read-only" "it cannot be mounted so"
fi

# Mounts in a tree.
mkdir -p fs/tree/a/mounted fs/tree/b/bound fs/sentinel
echo 1 >fs/tree/a/file
echo 2 >fs/tree/b/file
echo sentinel >fs/sentinel/file
mount_fs fs/tree/a/mounted tmpfs 1M || skip_all "$reason"
echo other >fs/tree/a/mounted/file
mount --bind fs/sentinel fs/tree/b/bound
mounted_directories="fs/tree/b/bound $mounted_directories"
run "remove of a tree with mounts in it" 1 remove fs/tree
is "another file system in it is as it was" other "$(cat fs/tree/a/mounted/file)"
is "and what is bound into it from the same one" sentinel "$(cat fs/sentinel/file)"
[ ! -e fs/tree/a/file ] && [ ! -e fs/tree/b/file ]
ok "the rest is gone"
for place in fs/tree/a/mounted fs fs/ fs/tree/b/bound / . .. fs/tree/. fs/tree/..; do
	"$iobatch" remove --executor=$executor $place >"$out" 2>"$err"
	is "remove $place: refused" 2 $?
done
is "nothing has been removed" "othersentinel" "$(cat fs/tree/a/mounted/file fs/sentinel/file | tr -d '\n')"
run "copy of one file system alone" 0 copy --one-file-system fs/tree fs/copy
[ ! -e fs/copy/a/mounted/file ]
ok "has nothing of the other"

# A rename that the kernel refuses although the file system is the same: across a bind mount, and of
# a directory of an overlay's lower side.
mkdir -p fs/from fs/bound fs/there
echo moved >fs/from/file
ln fs/from/file fs/from/link
mount --bind fs/there fs/bound
mounted_directories="fs/bound $mounted_directories"
cp -a fs/from fs/before
run "move to a bind mount" 0 move fs/from fs/bound/to
[ ! -e fs/from ]
ok "the source is gone"
same "it is the same" fs/before fs/there/to
mkdir -p fs/lower/directory/below fs/upper fs/overlay_work fs/overlay
echo lower >fs/lower/directory/below/file
if mount -t overlay overlay -o lowerdir=fs/lower,upperdir=fs/upper,workdir=fs/overlay_work,redirect_dir=off fs/overlay 2>"$err"; then
	mounted_directories="fs/overlay $mounted_directories"
	cp -a fs/overlay/directory fs/expected
	run "move of a directory in an overlay" 0 move fs/overlay/directory fs/overlay/moved
	[ ! -e fs/overlay/directory ]
	ok "the source is gone"
	same "it is the same" fs/expected fs/overlay/moved
	run "copy in an overlay" 0 copy fs/overlay/moved fs/overlay/copied
	same "is the same" fs/expected fs/overlay/copied
	run "remove in an overlay" 0 remove fs/overlay/moved fs/overlay/copied
	is "nothing is left" "" "$(ls fs/overlay)"
else
	skip "an overlay" "it cannot be mounted here"
fi
done_testing
