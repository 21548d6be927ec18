/* SPDX-License-Identifier: MIT */
/*
 * Where faults happen: each call is matched against the script, and is carried out, failed, or
 * parked until its time comes, it is interrupted or it is released. What is parked holds no thread,
 * however much it is: one thread answers all of it. Also the commands that change the script and
 * release, and what was counted for the tests.
 */
#include "call.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MS ((uint64_t)1000000)

static struct {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct fault_script script;
	const char *file;
	struct call *parked;
	struct call **last;
	uint64_t asked[FAULT_OP_COUNT];
	uint64_t hung; /* parked now until they are released */
	uint64_t delayed;
	uint64_t hung_total;
	uint64_t interrupted;
} park = {.lock = PTHREAD_MUTEX_INITIALIZER, .last = &park.parked};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 * MS + (uint64_t)now.tv_nsec;
}

static void finish(struct call *call, int error)
{
	if (error)
		fuse_reply_err(call->req, error);
	else
		passthrough_perform(call);
	free(call->name);
	free(call->name2);
	free(call->data);
	free(call);
}

static bool hangs(const struct call *call)
{
	return call->action == FAULT_HANG || call->action == FAULT_HANG_IGNORE;
}

/* Takes the first call out whose time has come; NULL and when the next is due. */
static struct call *take_due(uint64_t *ret_next_ns)
{
	uint64_t now = now_ns(), next = UINT64_MAX;

	for (struct call **link = &park.parked; *link; link = &(*link)->next) {
		struct call *call = *link;

		if (call->due_ns <= now || call->interrupted) {
			*link = call->next;
			if (park.last == &call->next)
				park.last = link;
			park.interrupted += call->interrupted;
			return call;
		}
		if (call->due_ns < next)
			next = call->due_ns;
	}
	*ret_next_ns = next;
	return NULL;
}

static void *answer_parked(void *unused)
{
	uint64_t next;

	pthread_mutex_lock(&park.lock);
	for (;;) {
		struct call *call = take_due(&next);

		if (call) {
			uint64_t *counter = hangs(call) ? &park.hung : &park.delayed;

			pthread_mutex_unlock(&park.lock);
			/* From here on nobody can interrupt it, and nobody is just doing so. */
			if (call->action == FAULT_HANG)
				fuse_req_interrupt_func(call->req, NULL, NULL);
			finish(call, call->interrupted ? EINTR : 0);
			pthread_mutex_lock(&park.lock);
			/* Now it has taken effect, as a test that waits for this expects. */
			(*counter)--;
		} else if (next == UINT64_MAX) {
			pthread_cond_wait(&park.wake, &park.lock);
		} else {
			struct timespec until = {.tv_sec = (time_t)(next / (1000 * MS)),
			                         .tv_nsec = (long)(next % (1000 * MS))};

			pthread_cond_timedwait(&park.wake, &park.lock, &until);
		}
	}
	return unused;
}

static void interrupted(fuse_req_t req, void *data)
{
	struct call *call = data;

	(void)req;
	pthread_mutex_lock(&park.lock);
	call->interrupted = true;
	pthread_cond_signal(&park.wake);
	pthread_mutex_unlock(&park.lock);
}

static void park_call(struct call *call)
{
	call->due_ns = call->action == FAULT_DELAY ? now_ns() + call->value * MS : UINT64_MAX;
	/*
	 * Before it can be found in the list, for it is gone when it has been. When it has been
	 * interrupted already, this calls interrupted() at once.
	 */
	if (call->action == FAULT_HANG)
		fuse_req_interrupt_func(call->req, interrupted, call);
	pthread_mutex_lock(&park.lock);
	if (hangs(call)) {
		park.hung++;
		park.hung_total++;
	} else {
		park.delayed++;
	}
	*park.last = call;
	park.last = &call->next;
	pthread_cond_signal(&park.wake);
	pthread_mutex_unlock(&park.lock);
}

void park_submit(struct call *call)
{
	char path[4096];

	passthrough_path(call, path, sizeof(path));
	pthread_mutex_lock(&park.lock);
	park.asked[call->op]++;
	call->action = fault_script_match(&park.script, call->op, path, &call->value);
	pthread_mutex_unlock(&park.lock);
	switch (call->action) {
	case FAULT_DELAY:
	case FAULT_HANG:
	case FAULT_HANG_IGNORE:
		park_call(call);
		break;
	case FAULT_ERROR:
		finish(call, (int)call->value);
		break;
	case FAULT_KILL:
		/* The thread that asks stands for its process, which is not to see the answer. */
		if (fuse_req_ctx(call->req)->pid > 0)
			kill(fuse_req_ctx(call->req)->pid, SIGKILL);
		finish(call, EIO);
		break;
	default:
		finish(call, 0);
		break;
	}
}

static int read_script(char *text, size_t size)
{
	char content[FAULT_RULES_MAX * 64];
	struct fault_script script = {.count = 0};
	FILE *file = fopen(park.file, "re");
	size_t length;
	int result;

	if (!file) {
		snprintf(text, size, "%s: %s", park.file, strerror(errno));
		return -EINVAL;
	}
	length = fread(content, 1, sizeof(content), file);
	fclose(file);
	if (length == sizeof(content)) {
		snprintf(text, size, "%s: too long", park.file);
		return -EINVAL;
	}
	content[length] = '\0';
	result = fault_script_add(&script, content, text, size);
	if (result == 0)
		park.script = script;
	return result;
}

static void release(void)
{
	for (struct call *call = park.parked; call; call = call->next)
		if (hangs(call))
			call->due_ns = 0;
	pthread_cond_signal(&park.wake);
}

static void print_stats(char *text, size_t size)
{
	FILE *file = fmemopen(text, size, "w");

	if (!file)
		return;
	for (unsigned i = 0; i < FAULT_OP_COUNT; i++)
		fprintf(file, "%s %ju\n", fault_op_name(i), (uintmax_t)park.asked[i]);
	fprintf(file, "hung %ju\nhung_total %ju\ndelayed %ju\ninterrupted %ju\n",
	        (uintmax_t)park.hung, (uintmax_t)park.hung_total, (uintmax_t)park.delayed,
	        (uintmax_t)park.interrupted);
	fclose(file);
}

int park_command(const char *command, char *text, size_t size)
{
	int result = 0;

	pthread_mutex_lock(&park.lock);
	if (!strcmp(command, "script")) {
		result = read_script(text, size);
	} else if (!strncmp(command, "add ", 4)) {
		result = fault_script_add(&park.script, command + 4, text, size);
	} else if (!strcmp(command, "clear")) {
		park.script.count = 0;
	} else if (!strcmp(command, "release")) {
		release();
	} else if (!strcmp(command, "stats")) {
		print_stats(text, size);
	} else if (!strcmp(command, "reset")) {
		memset(park.asked, 0, sizeof(park.asked));
		park.hung_total = park.interrupted = 0;
	} else {
		snprintf(text, size, "no such command: %s", command);
		result = -EINVAL;
	}
	pthread_mutex_unlock(&park.lock);
	return result;
}

int park_init(const char *script)
{
	pthread_condattr_t attributes;
	pthread_t thread;
	char text[512];

	park.file = script;
	if (read_script(text, sizeof(text)) < 0) {
		fprintf(stderr, "faultfs: %s\n", text);
		return -EINVAL;
	}
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&park.wake, &attributes);
	return -pthread_create(&thread, NULL, answer_parked, NULL);
}
