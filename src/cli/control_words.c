/* SPDX-License-Identifier: MIT */
/* The words of the control socket: see control_words.h. */
#include "cli/control_words.h"

#include "cli/escape.h"
#include "cli/progress.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *key;
	enum iobatch_limit limit;
} limits[] = {
	{"max_concurrent", IOBATCH_LIMIT_MAX_CONCURRENT},
	{"delay_ms", IOBATCH_LIMIT_DELAY_MS},
	{"items_per_s", IOBATCH_LIMIT_ITEMS_PER_S},
};

static const struct {
	const char *word;
	void (*act)(struct iobatch_control *control);
} acts[] = {
	{"pause", iobatch_control_pause},
	{"resume", iobatch_control_resume},
	{"drain", iobatch_control_drain},
	{"cancel", iobatch_control_cancel},
};

const char *control_state_name(enum iobatch_state state)
{
	static const char *const names[] = {
		[IOBATCH_STATE_WAITING] = "waiting",
		[IOBATCH_STATE_RUNNING] = "running",
		[IOBATCH_STATE_PAUSED] = "paused",
		[IOBATCH_STATE_ENDING] = "ending",
	};

	return names[state];
}

uint64_t control_in_flight(const struct iobatch_progress *progress, uint64_t batch_size)
{
	uint64_t known = progress->processed + progress->pending, begun = known;

	if (progress->current_batch <= known / batch_size)
		begun = progress->current_batch * batch_size;
	return begun > progress->processed ? begun - progress->processed : 0;
}

static size_t say(char answer[CONTROL_ANSWER_MAX], const char *subject, const char *text)
{
	char *escaped = escape_text(subject, strlen(subject));
	int length = snprintf(answer, CONTROL_ANSWER_MAX, "error: %.300s%s%s\n",
	                      escaped ? escaped : "", *subject ? ": " : "", text);

	free(escaped);
	return (size_t)length;
}

static size_t status(struct iobatch_control *control, uint64_t batch_size,
                     char answer[CONTROL_ANSWER_MAX])
{
	struct iobatch_progress now = {.processed = 0};
	enum iobatch_state state = iobatch_control_progress(control, &now);
	char json[PROGRESS_JSON_MAX];
	double seconds = (double)now.elapsed_ns / 1e9;

	progress_json(json, &now);
	/* Its opening brace makes room for what is said in addition. */
	return (size_t)snprintf(answer, CONTROL_ANSWER_MAX,
	                        "{\"state\": \"%s\", \"in_flight\": %" PRIu64
	                        ", \"items_per_s\": %.1f, %s\n",
	                        control_state_name(state), control_in_flight(&now, batch_size),
	                        seconds > 0 ? (double)now.processed / seconds : 0, json + 1);
}

/* A decimal number, and nothing else. */
static int parse_count(const char *text, uint64_t *ret_value)
{
	unsigned long long value;
	char *end;

	if (!*text || strspn(text, "0123456789") != strlen(text))
		return -EINVAL;
	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno || *end)
		return -ERANGE;
	*ret_value = value;
	return 0;
}

static size_t set(struct iobatch_control *control, char *setting, char answer[CONTROL_ANSWER_MAX])
{
	char *value = strchr(setting, '=');
	uint64_t count;
	int err;

	if (!value)
		return say(answer, "", "set needs KEY=VALUE");
	*value++ = '\0';
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		if (strcmp(setting, limits[i].key) != 0)
			continue;
		err = parse_count(value, &count);
		if (err == -EINVAL)
			return say(answer, setting, "a whole number is needed");
		if (err || iobatch_control_set(control, limits[i].limit, count))
			return say(answer, setting, "out of range for this run");
		return (size_t)snprintf(answer, CONTROL_ANSWER_MAX, "ok\n");
	}
	return say(answer, setting, "cannot be set: max_concurrent, delay_ms or items_per_s");
}

size_t control_words(struct iobatch_control *control, uint64_t batch_size, char *line,
                     char answer[CONTROL_ANSWER_MAX])
{
	if (!strcmp(line, "status"))
		return status(control, batch_size, answer);
	for (size_t i = 0; i < sizeof(acts) / sizeof(acts[0]); i++) {
		if (strcmp(line, acts[i].word) != 0)
			continue;
		acts[i].act(control);
		return (size_t)snprintf(answer, CONTROL_ANSWER_MAX, "ok\n");
	}
	if (!strncmp(line, "set ", 4))
		return set(control, line + 4, answer);
	return say(answer, line, "status, pause, resume, drain, cancel or set KEY=VALUE");
}
