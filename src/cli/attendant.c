/* SPDX-License-Identifier: MIT */
/*
 * The attendant's thread: see attendant.h.
 *
 * Invariant: while it runs, all handlers of signals run on it, and what it prints goes through the
 * progress, so that no line is torn.
 */
#include "cli/attendant.h"

#include "cli/cli.h"
#include "cli/control_socket.h"
#include "cli/control_words.h"
#include "cli/progress.h"
#include "cli/signals.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

/* How long a stop waits for what has started: as often and as long as this. */
#define SETTLE_LOOKS 40
#define SETTLE_NS 25000000

struct attendant {
	struct attendant_options options;
	struct iobatch_control *control;
	struct control_socket *socket;
	int wake; /* an eventfd */
	bool running;
	bool held; /* by `pause` on the socket: only `resume` there lets it go on */
	atomic_bool ends;
	pthread_t thread;
};

/* The word for the bar, which is drawn anew, also if nothing settles for a while. */
static void show_state(const struct attendant *attendant)
{
	struct iobatch_progress now;
	enum iobatch_state state = iobatch_control_progress(attendant->control, &now);
	bool goes_on = state == IOBATCH_STATE_RUNNING || state == IOBATCH_STATE_WAITING;

	progress_set_state(attendant->options.progress, goes_on ? NULL : control_state_name(state),
	                   &now);
}

static void say_draining(const struct attendant *attendant)
{
	struct iobatch_progress now;

	iobatch_control_progress(attendant->control, &now);
	progress_say(attendant->options.progress,
	             "draining: %" PRIu64 " in flight; once more to cancel",
	             control_in_flight(&now, attendant->options.batch_size));
}

static void say_status(const struct attendant *attendant)
{
	const struct attendant_options *options = &attendant->options;
	struct iobatch_progress now;
	enum iobatch_state state = iobatch_control_progress(attendant->control, &now);
	double seconds = (double)now.elapsed_ns / 1e9;
	char bytes[32], duration[32];

	bar_format_bytes(bytes, sizeof(bytes), seconds > 0 ? (double)now.bytes / seconds : 0);
	bar_format_duration(duration, sizeof(duration), seconds);
	if (!progress_say(options->progress,
	                  "%s: %s: %" PRIu64 " of %s%" PRIu64 ", %" PRIu64 " failed, %" PRIu64
	                  " in flight, %.0f/s, %s/s, %s",
	                  options->job, control_state_name(state), now.processed,
	                  now.total_is_final ? "" : "at least ", now.processed + now.pending,
	                  now.failed, control_in_flight(&now, options->batch_size),
	                  seconds > 0 ? (double)now.processed / seconds : 0, bytes, duration))
		progress_show(options->progress, &now);
}

/* Waits until nothing settles any more, which is when nothing more was started, or long enough. */
static void wait_until_settled(const struct attendant *attendant)
{
	const struct timespec pause = {.tv_nsec = SETTLE_NS};
	struct iobatch_progress before, now;

	iobatch_control_progress(attendant->control, &now);
	for (unsigned i = 0; i < SETTLE_LOOKS && !signals_continued(); i++) {
		before = now;
		nanosleep(&pause, NULL);
		iobatch_control_progress(attendant->control, &now);
		/* Counts are told now and then: one look without change is no proof. */
		if (i >= 4 && now.processed == before.processed)
			return;
	}
}

static void go_on(const struct attendant *attendant)
{
	if (!attendant->held)
		iobatch_control_resume(attendant->control);
	show_state(attendant);
}

static void stop_and_go_on(const struct attendant *attendant)
{
	iobatch_control_pause(attendant->control);
	wait_until_settled(attendant);
	progress_clear(attendant->options.progress);
	signals_stop();
	go_on(attendant);
}

static void take_news(const struct attendant *attendant)
{
	unsigned news = signals_take();

	if (news & SIGNALS_DRAIN)
		say_draining(attendant);
	if (news & SIGNALS_CANCEL)
		progress_say(attendant->options.progress, "cancelling; once more to be killed");
	if (news & SIGNALS_STATUS)
		say_status(attendant);
	if (news & SIGNALS_STOP)
		stop_and_go_on(attendant);
	else if (news & SIGNALS_CONTINUE)
		go_on(attendant);
	else if (news & (SIGNALS_DRAIN | SIGNALS_CANCEL))
		show_state(attendant);
}

static size_t answer_line(void *context, char *line, char *answer)
{
	struct attendant *attendant = context;
	bool asks = !strcmp(line, "status");
	size_t length;

	if (!strcmp(line, "pause"))
		attendant->held = true;
	else if (!strcmp(line, "resume"))
		attendant->held = false;
	length = control_words(attendant->control, attendant->options.batch_size, line, answer);
	/* What only asks must not cost a redraw each time. */
	if (!asks)
		show_state(attendant);
	return length;
}

static void *attend(void *context)
{
	struct attendant *attendant = context;
	struct pollfd polls[1 + CONTROL_POLLS] = {{.fd = attendant->wake, .events = POLLIN}};
	uint64_t woken;

	signals_listen();
	while (!atomic_load(&attendant->ends)) {
		unsigned count = 1;

		if (attendant->socket)
			count += control_socket_polls(attendant->socket, polls + 1);
		if (poll(polls, count, -1) < 0)
			continue;
		/* First emptied, then looked at: what comes in between wakes once more. */
		if (polls[0].revents && read(attendant->wake, &woken, sizeof(woken)) > 0)
			take_news(attendant);
		if (attendant->socket)
			control_socket_serve(attendant->socket, polls + 1, answer_line, attendant);
	}
	return NULL;
}

static int start(struct attendant *attendant)
{
	int err;

	err = iobatch_control_new(&attendant->control);
	if (err)
		return err;
	attendant->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (attendant->wake < 0)
		return -errno;
	if (attendant->options.socket) {
		err = control_socket_open(attendant->options.socket, &attendant->socket);
		if (err)
			return err;
	}
	signals_catch(attendant->control, attendant->wake);
	err = pthread_create(&attendant->thread, NULL, attend, attendant);
	if (err) {
		signals_release();
		return -err;
	}
	attendant->running = true;
	return 0;
}

int attendant_start(const struct attendant_options *options, struct attendant **ret_attendant)
{
	struct attendant *attendant = calloc(1, sizeof(*attendant));
	int err;

	if (!attendant)
		return -ENOMEM;
	attendant->options = *options;
	attendant->wake = -1;
	err = start(attendant);
	if (err) {
		attendant_stop(attendant);
		attendant_free(attendant);
		return err;
	}
	*ret_attendant = attendant;
	return 0;
}

struct iobatch_control *attendant_control(const struct attendant *attendant)
{
	return attendant->control;
}

int attendant_code(const struct attendant *attendant, const struct iobatch_result *result, int code)
{
	(void)attendant;
	if (code == CLI_MACHINE)
		return code;
	/* A run of which nothing was left when the signal came has not been ended by it. */
	if (result->end != IOBATCH_END_DRAINED && result->end != IOBATCH_END_CANCELLED)
		return code;
	return signals_ending() ? 128 + signals_ending() : code;
}

void attendant_stop(struct attendant *attendant)
{
	const uint64_t one = 1;

	if (attendant->running) {
		atomic_store(&attendant->ends, true);
		if (write(attendant->wake, &one, sizeof(one)) < 0) {
			/* It is full, and so the thread is awake. */
		}
		pthread_join(attendant->thread, NULL);
		signals_release();
		attendant->running = false;
	}
	control_socket_close(attendant->socket);
	attendant->socket = NULL;
	if (attendant->wake >= 0)
		close(attendant->wake);
	attendant->wake = -1;
}

void attendant_free(struct attendant *attendant)
{
	iobatch_control_free(attendant->control);
	free(attendant);
}
