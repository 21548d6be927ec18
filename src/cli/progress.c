/* SPDX-License-Identifier: MIT */
/* Progress on stderr: see progress.h. */
#include "cli/progress.h"

#include "cli/cli.h"
#include "cli/escape.h"
#include "journal/resume.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define REDRAW_MS 100
#define COLUMNS_DEFAULT 80
#define ERASE_TO_END "\033[K"

/* The terminal's line is one thing, whoever writes to it. */
static pthread_mutex_t terminal = PTHREAD_MUTEX_INITIALIZER;

int progress_parse_mode(const char *word, enum progress_mode *ret_mode)
{
	static const char *const words[] = {
		[PROGRESS_AUTO] = "auto",
		[PROGRESS_BAR] = "bar",
		[PROGRESS_JSON] = "json",
		[PROGRESS_NONE] = "none",
	};

	for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (!strcmp(word, words[i])) {
			*ret_mode = (enum progress_mode)i;
			return 0;
		}
	}
	return -EINVAL;
}

/* What stderr does not take is lost: a run does not fail because nobody watches it. */
static void put(const char *text, size_t length)
{
	if (write(STDERR_FILENO, text, length) < 0) {
		/* See above. */
	}
}

static size_t columns(void)
{
	struct winsize size;

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) || !size.ws_col)
		return COLUMNS_DEFAULT;
	return size.ws_col;
}

/* Whether the terminal is somebody else's now: the shell's, from which the run was sent away. */
static bool is_in_background(void)
{
	pid_t foreground = tcgetpgrp(STDERR_FILENO);

	return foreground > 0 && foreground != getpgrp();
}

static uint64_t left_out(const struct progress *progress)
{
	struct resume_counts counts;

	if (!progress->resume)
		return 0;
	resume_counts(progress->resume, &counts);
	return counts.done + counts.others;
}

static void draw_bar(struct progress *progress, const struct iobatch_progress *now)
{
	struct iobatch_progress counted = count_apply(&progress->count, now, left_out(progress));
	char line[BAR_COLUMNS_MAX + 16];
	size_t length;

	if (progress->ended || is_in_background()) {
		progress->drawn = false;
		return;
	}
	bar_sample(&progress->rates, now);
	line[0] = '\r';
	/* The last column stays free: some terminals wrap as soon as it is filled. */
	length = 1 +
	         bar_render(line + 1, columns() - 1, &counted, &progress->rates, progress->state);
	memcpy(line + length, ERASE_TO_END, sizeof(ERASE_TO_END) - 1);
	put(line, length + sizeof(ERASE_TO_END) - 1);
	progress->drawn = true;
}

size_t progress_json(char text[PROGRESS_JSON_MAX], const struct iobatch_progress *now)
{
	int length = snprintf(
		text, PROGRESS_JSON_MAX,
		"{\"processed\": %" PRIu64 ", \"successful\": %" PRIu64 ", \"failed\": %" PRIu64
		", \"pending\": %" PRIu64 ", \"current_batch\": %" PRIu64
		", \"total_batches\": %" PRIu64 ", \"total_is_final\": %s, \"bytes\": %" PRIu64
		", \"retries\": %" PRIu64 ", \"elapsed_ms\": %.3f, \"stuck\": %" PRIu64
		", \"skipped\": %" PRIu64 "}",
		now->processed, now->successful, now->failed, now->pending, now->current_batch,
		now->total_batches, now->total_is_final ? "true" : "false", now->bytes,
		now->retries, (double)now->elapsed_ns / 1e6, now->stuck, now->skipped);

	return (size_t)length;
}

static void print_json(const struct iobatch_progress *now)
{
	char line[PROGRESS_JSON_MAX + 1];
	size_t length = progress_json(line, now);

	line[length] = '\n';
	put(line, length + 1);
}

void progress_show(struct progress *progress, const struct iobatch_progress *now)
{
	pthread_mutex_lock(&terminal);
	if (progress->mode == PROGRESS_BAR)
		draw_bar(progress, now);
	else if (progress->mode == PROGRESS_JSON)
		print_json(now);
	pthread_mutex_unlock(&terminal);
}

void progress_init(struct progress *progress, enum progress_mode mode, struct job *job,
                   const struct resume *resume)
{
	struct iobatch_source *source = NULL;

	if (mode == PROGRESS_AUTO)
		mode = isatty(STDERR_FILENO) ? PROGRESS_BAR : PROGRESS_SUMMARY;
	pthread_mutex_lock(&terminal);
	*progress = (struct progress){.mode = mode, .state = progress->state, .resume = resume};
	pthread_mutex_unlock(&terminal);
	job->options.progress_interval_ms = REDRAW_MS;
	if (mode == PROGRESS_BAR && job_open_count(job, &source) == 0)
		count_start(&progress->count, source);
}

bool progress_deinit(struct progress *progress)
{
	return count_stop(&progress->count);
}

static void clear(struct progress *progress)
{
	if (progress->drawn)
		put("\r" ERASE_TO_END, sizeof("\r" ERASE_TO_END) - 1);
	progress->drawn = false;
}

void progress_clear(struct progress *progress)
{
	pthread_mutex_lock(&terminal);
	clear(progress);
	pthread_mutex_unlock(&terminal);
}

void progress_end(struct progress *progress)
{
	pthread_mutex_lock(&terminal);
	clear(progress);
	progress->ended = true;
	pthread_mutex_unlock(&terminal);
}

bool progress_say(struct progress *progress, const char *format, ...)
{
	va_list arguments;
	bool said;
	char *text;
	int length;

	va_start(arguments, format);
	length = vasprintf(&text, format, arguments);
	va_end(arguments);
	if (length < 0)
		return true;
	pthread_mutex_lock(&terminal);
	said = progress->mode != PROGRESS_JSON;
	if (said) {
		clear(progress);
		cli_complain("%s", text);
	}
	pthread_mutex_unlock(&terminal);
	free(text);
	return said;
}

bool progress_set_state(struct progress *progress, const char *state,
                        const struct iobatch_progress *now)
{
	bool changed;

	pthread_mutex_lock(&terminal);
	changed = !state != !progress->state || (state && strcmp(state, progress->state) != 0);
	progress->state = state;
	if (progress->mode == PROGRESS_BAR)
		draw_bar(progress, now);
	pthread_mutex_unlock(&terminal);
	return changed;
}

void progress_finish(struct progress *progress, const char *job,
                     const struct iobatch_result *result, const struct resume_counts *resumed)
{
	double seconds = result->processing_time_ms / 1e3;
	char bytes[32], rate[32], duration[32], skipped[48] = "", before[96] = "", *name, *line;
	int length;

	progress_clear(progress);
	if (progress->mode != PROGRESS_BAR && progress->mode != PROGRESS_SUMMARY)
		return;
	bar_format_bytes(bytes, sizeof(bytes), (double)result->bytes);
	bar_format_bytes(rate, sizeof(rate), seconds > 0 ? (double)result->bytes / seconds : 0);
	bar_format_duration(duration, sizeof(duration), seconds);
	if (result->skipped)
		snprintf(skipped, sizeof(skipped), ", %" PRIu64 " skipped", result->skipped);
	if (resumed)
		snprintf(before, sizeof(before), ", %" PRIu64 "%s done before",
		         resumed->carried ? resumed->carried : resumed->done,
		         resumed->carried ? " of them" : "");
	if (resumed && resumed->others)
		snprintf(before + strlen(before), sizeof(before) - strlen(before),
		         ", %" PRIu64 " not failed", resumed->others);
	name = escape_text(job, strlen(job));
	if (!name)
		return;
	length = asprintf(
		&line,
		"%s: %" PRIu64 " successful, %" PRIu64 " failed%s%s, %s in %s (%.0f/s, %s/s)\n",
		name, result->successful, result->failed, skipped, before, bytes, duration,
		seconds > 0 ? (double)result->total_processed / seconds : 0, rate);
	free(name);
	if (length < 0)
		return;
	put(line, (size_t)length);
	free(line);
}
