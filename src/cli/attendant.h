/* SPDX-License-Identifier: MIT */
/*
 * The thread that attends to a run while it goes on: it hears the signals, serves the control
 * socket and says on stderr what came of it. The run itself never waits for it.
 */
#ifndef CLI_ATTENDANT_H
#define CLI_ATTENDANT_H

#include <iobatch.h>

struct progress;

struct attendant;

struct attendant_options {
	const char *socket; /* path of the control socket; NULL = none */
	const char *job;    /* name of the job, for the status line */
	uint64_t batch_size;
	struct progress *progress; /* what messages must not be written over */
};

/*
 * Starts one. To be called while the process has one thread, before anything is opened for the run.
 * -EADDRINUSE and others: of the socket (control_socket.h).
 */
int attendant_start(const struct attendant_options *options, struct attendant **ret_attendant);

/* The run's control. */
struct iobatch_control *attendant_control(const struct attendant *attendant);

/*
 * The exit code of a run that has come to this result and otherwise to `code`: the signal's, when
 * that has ended it. That its journal is not whole is more.
 */
int attendant_code(const struct attendant *attendant, const struct iobatch_result *result,
                   int code);

/* Ends it, with the socket. attendant_free() may follow when no run has the control any more. */
void attendant_stop(struct attendant *attendant);
void attendant_free(struct attendant *attendant);

#endif
