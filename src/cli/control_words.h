/* SPDX-License-Identifier: MIT */
/*
 * The words of the control socket: one line asks, one line answers. Pure but for the control that
 * it is told to; where lines come from is not known here.
 */
#ifndef CLI_CONTROL_WORDS_H
#define CLI_CONTROL_WORDS_H

#include <iobatch.h>
#include <stddef.h>

/* Bytes of the longest line that is read, and of the longest answer, both with their newline. */
#define CONTROL_LINE_MAX 256u
#define CONTROL_ANSWER_MAX 1024u

/*
 * Does what `line` (ended by NUL, without a newline; it is cut up) says and fills `answer`: JSON
 * for `status`, else "ok" or "error: ..." , with a newline. Returns its length. `batch_size` is the
 * run's.
 */
size_t control_words(struct iobatch_control *control, uint64_t batch_size, char *line,
                     char answer[CONTROL_ANSWER_MAX]);

/* "running", and so on. */
const char *control_state_name(enum iobatch_state state);

/* Items of the batches begun that have no outcome yet. */
uint64_t control_in_flight(const struct iobatch_progress *progress, uint64_t batch_size);

#endif
