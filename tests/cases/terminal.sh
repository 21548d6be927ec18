#!/bin/sh
# SPDX-License-Identifier: MIT
#
# A person at a terminal: control-Z, bg, fg, control-C, typed at a shell that runs the command.
. "$(dirname "$0")/common.sh"

if ! command -v python3 >/dev/null || ! command -v bash >/dev/null; then
	echo "1..0 # SKIP no python3 or no bash"
	exit 0
fi
mkdir tree
i=0
while [ $i -lt 300 ]; do
	echo $i >tree/$i
	i=$((i + 1))
done
# It answers a word for each step that went well.
cat >"$work/person.py" <<'END'
import json, os, pty, re, select, subprocess, sys, time
pid, fd = pty.fork()
if pid == 0:
    os.environ["PS1"] = "READY "
    os.execvp("bash", ["bash", "--norc", "--noprofile", "--noediting", "-i"])
seen = b""
def until(name, pattern):
    global seen
    end = time.time() + 20
    while time.time() < end:
        match = re.search(pattern, seen, re.S)
        if match:
            print(name)
            seen = seen[match.end():]
            return
        if select.select([fd], [], [], 0.1)[0]:
            seen += os.read(fd, 4096)
    print("no %s in %r" % (name, seen))
    os.close(fd)
    sys.exit(1)
def type_(text):
    os.write(fd, text)
until("prompt", rb"READY ")
command = (b"%s copy tree to/ --batch-size=4 --max-concurrent=2 --delay-ms=100 --journal=journal --control=socket %s" %
           (sys.argv[1].encode(), sys.argv[2].encode()))
type_(b"PS1='AGA''IN '; %s\n" % command)
until("bar", rb"\r\[[^\r]*/301")
subprocess.run([sys.argv[1], "ctl", "socket", "pause"], check=True, stdout=subprocess.DEVNULL)
until("paused", rb"\r\[[^\r]*/301[^\r]*  paused\x1b\[K")
subprocess.run([sys.argv[1], "ctl", "socket", "resume"], check=True, stdout=subprocess.DEVNULL)
until("left", rb"\r\[[^\r]*/301[^\r]*  ETA [^\r]*\x1b\[K")
type_(b"\x1a")
# Nothing of the bar is left on the line, and nothing comes behind the shell's word.
until("stopped", rb"\r\x1b\[K\r\n\[1\]\+  Stopped [^\r]*\r\nAGAIN $")
type_(b"fg\n")
until("bar again", rb"\r\[[^\r]*/301")
type_(b"\x1a")
until("stopped", rb"Stopped [^\r]*\r\nAGAIN $")
type_(b"bg\n")
until("prompt", rb"AGAIN $")
# In the background it goes on, and writes nothing over the shell's line.
def processed():
    text = subprocess.run([sys.argv[1], "ctl", "socket", "status"], check=True, stdout=subprocess.PIPE).stdout
    return json.loads(text)["processed"]
before = processed()
while processed() < before + 10:
    time.sleep(0.05)
if select.select([fd], [], [], 0)[0]:
    print("it writes %r" % os.read(fd, 4096))
type_(b"fg\n")
until("bar again", rb"\r\[[^\r]*/301")
type_(b"\x03")
until("draining", rb"\r\x1b\[Kiobatch: draining: [0-9]+ in flight; once more to cancel\r\n")
until("prompt again", rb"AGAIN ")
type_(b"echo code $?\n")
until("code", rb"\ncode 130\r\n")
# What is done is no part of what is left.
type_(b"%s --resume\n" % command)
until("rest", rb"\r\[[^\r]*/(?!301)[0-9]+")
type_(b"\x03")
until("prompt again", rb"AGAIN ")
type_(b"exit\n")
END
mkdir to
for with in "" --timeout-ms=60000; do
	rm -rf to/tree journal
	timeout 120 python3 "$work/person.py" "$iobatch" "$with" >"$out" 2>"$err"
	is "control-Z, bg, fg and control-C${with:+ with a deadline}" \
		"prompt bar paused left stopped bar again stopped prompt bar again draining prompt again code rest prompt again" \
		"$(tr '\n' ' ' <"$out" | sed 's/ $//')"
done
done_testing
