#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
Tests the random test: does it find bugs? Each mutation in the list is put into a copy of its source,
which is compiled and linked like the program itself but for the one object, and run. A mutant that
the program lets pass is a hole in the program's checks, and `not ok` here; so is a mutation whose
old text is not in its source exactly once any more. The first test is the control: without a
mutation, built in the same way, the program passes.

How to compile and link is asked of ninja. The copies, objects and programs are in a directory for
temporary files, and go with it.

    run.py NINJA BUILD_DIRECTORY SOURCE_DIRECTORY PROGRAM MUTATIONS SEEDS

The list: `@ FILE: NAME`, then lines that begin with a space (context), a `-` (taken out) or a `+`
(put in), as in a diff. Lines that begin with `#` and empty lines are not looked at.
"""
import concurrent.futures
import os
import pathlib
import re
import shlex
import signal
import subprocess
import sys
import tempfile

TIME_LIMIT_S = 10
# What is not mutated comes to an end, if slowly with sanitizers on a busy machine.
CONTROL_LIMIT_S = 240


class Mutation:
    def __init__(self, path, name):
        self.path = path
        self.name = name
        self.old = []
        self.new = []


def read_mutations(path):
    mutations = []
    for line in path.read_text().splitlines():
        if line.startswith('@ '):
            mutations.append(Mutation(*line[2:].split(': ', 1)))
        elif line[:1] in (' ', '-', '+'):
            if line[0] != '+':
                mutations[-1].old.append(line[1:])
            if line[0] != '-':
                mutations[-1].new.append(line[1:])
        elif line and not line.startswith('#'):
            sys.exit(f'{path}: not a line of a mutation: {line}')
    return mutations


class Project:
    """How the program is built: the commands of ninja that make it."""

    def __init__(self, ninja, build, source, program):
        self.build = pathlib.Path(build)
        self.source = pathlib.Path(source)
        target = os.path.relpath(program, build)
        commands = subprocess.run([ninja, '-C', build, '-t', 'commands', target], check=True,
                                  capture_output=True, text=True).stdout.splitlines()
        commands = [shlex.split(line) for line in commands]
        self.compiling = {}
        for command in commands:
            if '-c' in command:
                file = self.build / command[command.index('-c') + 1]
                self.compiling[file.resolve()] = command
        self.linking = commands[-1]

    def run(self, command):
        done = subprocess.run(command, cwd=self.build, capture_output=True, text=True)
        return None if done.returncode == 0 else done.stderr

    def compile(self, path, copy, to):
        """Compiles a copy of a source as the source itself. None, or what went wrong."""
        command = list(self.compiling[(self.source / path).resolve()])
        for option in ('-MQ', '-MF'):
            at = command.index(option)
            del command[at:at + 2]
        command.remove('-MD')
        command[command.index('-o') + 1] = str(to)
        command[command.index('-c') + 1] = str(copy)
        return self.run(command + ['-w'])

    def link(self, to, mutant):
        """The mutant stands before the library, whose own object is then not wanted."""
        command = list(self.linking)
        at = command.index('-o')
        command[at + 1:at + 2] = [str(to)] + ([str(mutant)] if mutant else [])
        return self.run(command)


def run_program(program, seeds, limit=TIME_LIMIT_S):
    """Returns what the program found, None when that is nothing."""
    process = subprocess.Popen([program, seeds], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               text=True, errors='replace')
    try:
        output = process.communicate(timeout=limit)[0]
    except subprocess.TimeoutExpired:
        # It says in which seed it is.
        process.send_signal(signal.SIGABRT)
        try:
            output = process.communicate(timeout=TIME_LIMIT_S)[0]
        except subprocess.TimeoutExpired:
            process.kill()
            output = process.communicate()[0]
        return 'it hangs\n' + output
    return None if process.returncode == 0 else output or f'it ended with {process.returncode}'


def try_mutation(project, directory, number, mutation, seeds):
    """Returns whether the mutant was found, and lines that say how, or why it was not."""
    place = pathlib.Path(directory) / str(number)
    place.mkdir()
    copy, mutant, program = place / pathlib.Path(mutation.path).name, place / 'mutant.o', place / 'program'
    text = (project.source / mutation.path).read_text()
    old, new = ('\n'.join(lines) + '\n' for lines in (mutation.old, mutation.new))
    if text.count(old) != 1:
        return False, f'does not apply any more: its old text is {text.count(old)} times in the source'
    copy.write_text(text.replace(old, new))
    wrong = project.compile(mutation.path, copy, mutant) or project.link(program, mutant)
    if wrong:
        return False, 'cannot be built:\n' + wrong
    found = run_program(program, seeds)
    return (True, found) if found else (False, f'lives: {seeds} seeds have not found it')


def try_control(project, directory, seeds):
    program = pathlib.Path(directory) / 'control'
    wrong = project.link(program, None) or run_program(program, seeds, CONTROL_LIMIT_S)
    return not wrong, wrong or ''


def say(number, good, name, lines):
    print('ok' if good else 'not ok', number, '-', re.sub('#', r'\#', name))
    for line in lines.splitlines():
        if not re.match(r'1\.\.|\s*$', line):
            print('#', line)
    sys.stdout.flush()


def main():
    ninja, build, source, program, mutations, seeds = sys.argv[1:]
    mutations = read_mutations(pathlib.Path(mutations))
    project = Project(ninja, build, source, program)
    print(f'1..{1 + len(mutations)}')
    with tempfile.TemporaryDirectory() as directory, \
         concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as threads:
        control = threads.submit(try_control, project, directory, seeds)
        tries = [threads.submit(try_mutation, project, directory, i, mutation, seeds)
                 for i, mutation in enumerate(mutations)]
        good, lines = control.result()
        say(1, good, 'without a mutation nothing is found', lines)
        for i, (mutation, result) in enumerate(zip(mutations, tries)):
            found, lines = result.result()
            say(2 + i, found, f'{mutation.path}: {mutation.name}', lines)


main()
