/* SPDX-License-Identifier: MIT */
/*
 * Lets the command end although a part of it cannot. A process is gone only when the last of its
 * threads is, and a thread or kernel worker that is inside an operation that does not answer (a
 * dead network mount, a frozen file system) leaves when the kernel lets it, be the process told to
 * exit or killed. So a run that may give items up is made in a child process, and the parent, in
 * which nothing ever hangs, is what the user's shell waits for. Mostly it waits for the child to
 * end and ends the same way. When the child leaves something behind, it hands its exit code over
 * and the parent goes ahead, with the child left to the kernel.
 *
 * To the outside the two are one process: signals that are sent to the parent are passed on, it
 * stops and goes on with the child, dies of what the child dies of, and takes the child with it.
 * Nothing is known here of jobs.
 */
#ifndef CLI_SUPERVISE_H
#define CLI_SUPERVISE_H

/*
 * Parts the process into two. Returns in the child only, whose exit becomes that of the parent.
 * When no child can be made it returns in the process itself, which then goes on without a parent.
 * To be called before there is a thread or a ring.
 */
void supervise(void);

/*
 * Ends the process with `code`, at once for whoever waits for the parent: for when something of the
 * process hangs. What was written to standard output must have been flushed. Standard input, output
 * and error are closed, so that a pipe's other end sees that nothing more comes.
 */
_Noreturn void supervise_leave(int code);

#endif
