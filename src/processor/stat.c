/* SPDX-License-Identifier: MIT */
/*
 * The processor that asks for the attributes of each item, and the lines of its report. Invariant:
 * what a line says of a name is about that name, not about what it may lead to. Owners are
 * numbers, because their names come from services that may block; times are of UTC, because the
 * zone would come from the environment.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <iobatch.h>

#include "op/abi.h"
#include "processor/file.h"
#include "processor/report.h"
#include "processor/text.h"

/* A line besides what its name takes; what has more is made in memory of its own. */
#define ATTRIBUTES_MAX 1024u
#define LINE_SMALL 4096u
#define TIME_MAX 64u

struct stat_state {
	struct statx statx;
};

struct stat_processor {
	struct iobatch_processor processor;
	uint32_t format;
	struct report *report;
};

/* ---------------------------------------------------------------- lines -- */

/* The seconds that have a date with a year of four digits. */
#define FIRST_SECOND (INT64_C(-62167219200))
#define LAST_SECOND INT64_C(253402300799)

struct date {
	unsigned year, month, day, hour, minute, second;
};

/*
 * The date of a second of UTC in the range above. gmtime_r(3) would look for a time zone first.
 * Years begin in March here, so that a leap day is the last of its year; an era has 400 of them.
 */
static struct date date_of(int64_t seconds)
{
	uint64_t since = (uint64_t)(seconds - FIRST_SECOND), second = since % 86400;
	/* Since 1 March of the year -400: an era before 1 March of the year 0, which is 60 days
	 * behind the first. */
	uint64_t day = since / 86400 + 146097 - 60, era = day / 146097, of_era = day % 146097;
	uint64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	uint64_t of_year = of_era - (365 * year + year / 4 - year / 100);
	uint64_t month = (5 * of_year + 2) / 153;

	return (struct date){
		.year = (unsigned)(year + era * 400 - 400 + (month >= 10)),
		.month = (unsigned)(month < 10 ? month + 3 : month - 9),
		.day = (unsigned)(of_year - (153 * month + 2) / 5 + 1),
		.hour = (unsigned)(second / 3600),
		.minute = (unsigned)(second / 60 % 60),
		.second = (unsigned)(second % 60),
	};
}

/* RFC 3339; and what has no such date, as date(1) takes it. */
static void put_time(const struct statx_timestamp *time, bool short_form, char text[TIME_MAX])
{
	struct date date;
	int used;

	if (time->tv_sec < FIRST_SECOND || time->tv_sec > LAST_SECOND) {
		snprintf(text, TIME_MAX, "@%" PRId64 ".%09u", (int64_t)time->tv_sec, time->tv_nsec);
		return;
	}
	date = date_of(time->tv_sec);
	used = snprintf(text, TIME_MAX, "%04u-%02u-%02uT%02u:%02u:%02u", date.year, date.month,
	                date.day, date.hour, date.minute, date.second);
	if (!short_form)
		used += snprintf(text + used, TIME_MAX - (size_t)used, ".%09u", time->tv_nsec);
	snprintf(text + used, TIME_MAX - (size_t)used, "Z");
}

static const char *type_word(uint32_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return "file";
	case S_IFDIR:
		return "directory";
	case S_IFLNK:
		return "symlink";
	case S_IFIFO:
		return "fifo";
	case S_IFSOCK:
		return "socket";
	case S_IFCHR:
		return "character";
	case S_IFBLK:
		return "block";
	default:
		return "unknown";
	}
}

static void add_time(struct text_object *line, const char *key, const struct statx_timestamp *time)
{
	char text[TIME_MAX];

	put_time(time, false, text);
	text_add(line, key, "\"%s\"", text);
}

static bool is_device(const struct statx *statx)
{
	return S_ISCHR(statx->stx_mode) || S_ISBLK(statx->stx_mode);
}

static size_t json_line(const struct iobatch_file *object, const struct statx *statx, char *memory)
{
	struct text_object line;

	text_object_begin(&line, memory);
	text_add_bytes(&line, "item", object->path, object->path_length);
	text_add(&line, "type", "\"%s\"", type_word(statx->stx_mode));
	text_add(&line, "size", "%" PRIu64, (uint64_t)statx->stx_size);
	text_add(&line, "blocks", "%" PRIu64, (uint64_t)statx->stx_blocks);
	text_add(&line, "mode", "\"%04o\"", statx->stx_mode & 07777u);
	text_add(&line, "uid", "%u", statx->stx_uid);
	text_add(&line, "gid", "%u", statx->stx_gid);
	text_add(&line, "nlink", "%u", statx->stx_nlink);
	text_add(&line, "ino", "%" PRIu64, (uint64_t)statx->stx_ino);
	text_add(&line, "device", "\"%u:%u\"", statx->stx_dev_major, statx->stx_dev_minor);
	if (is_device(statx))
		text_add(&line, "rdev", "\"%u:%u\"", statx->stx_rdev_major, statx->stx_rdev_minor);
	add_time(&line, "atime", &statx->stx_atime);
	add_time(&line, "mtime", &statx->stx_mtime);
	add_time(&line, "ctime", &statx->stx_ctime);
	if (statx->stx_mask & STATX_BTIME)
		add_time(&line, "btime", &statx->stx_btime);
	else
		text_add(&line, "btime", "null");
	return text_object_end(&line);
}

/* The ten letters that ls(1) has for a mode. */
static void put_mode(uint32_t mode, char text[11])
{
	static const char letters[] = "rwxrwxrwx";
	static const uint32_t special[] = {S_ISUID, S_ISGID, S_ISVTX};

	text[0] = "?pc?d?b?-?l?s???"[mode >> 12 & 15];
	for (unsigned i = 0; i < 9; i++)
		text[i + 1] = mode & (0400u >> i) ? letters[i] : '-';
	for (unsigned i = 0; i < 3; i++) {
		char *letter = &text[3 * i + 3];

		if (mode & special[i])
			*letter = (*letter == 'x' ? "sst" : "SST")[i];
	}
	text[10] = '\0';
}

static size_t table_line(const struct iobatch_file *object, const struct statx *statx, char *memory)
{
	char mode[11], size[32], time[TIME_MAX], *at = memory;

	put_mode(statx->stx_mode, mode);
	put_time(&statx->stx_mtime, true, time);
	if (is_device(statx))
		snprintf(size, sizeof(size), "%u, %u", statx->stx_rdev_major,
		         statx->stx_rdev_minor);
	else
		snprintf(size, sizeof(size), "%" PRIu64, (uint64_t)statx->stx_size);
	at += sprintf(at, "%s %3u %5u %5u %12s %s ", mode, statx->stx_nlink, statx->stx_uid,
	              statx->stx_gid, size, time);
	at = text_put_escaped(at, object->path, object->path_length);
	*at++ = '\n';
	return (size_t)(at - memory);
}

/* The line in memory of its own when it may be long: *ret_long is to be freed. */
static int make_line(const struct stat_processor *stat, const struct iobatch_file *object,
                     const struct statx *statx, char small[LINE_SMALL], char **ret_long,
                     size_t *ret_length)
{
	size_t most = ATTRIBUTES_MAX + TEXT_BYTES_MAX(strlen("item"), object->path_length);
	char *memory = small;

	if (most > LINE_SMALL) {
		memory = malloc(most);
		if (!memory)
			return -ENOMEM;
		*ret_long = memory;
	}
	*ret_length = stat->format == IOBATCH_STAT_JSON ? json_line(object, statx, memory)
	                                                : table_line(object, statx, memory);
	return 0;
}

/* ------------------------------------------------------------ processor -- */

static int stat_next(void *context, struct iobatch_item *item, const struct iobatch_chain *done,
                     struct iobatch_chain *chain)
{
	const struct iobatch_file *object = file_object(item);
	struct stat_state *state = item->state;

	(void)context;
	if (done->count > 0)
		return IOBATCH_DONE;
	if (!object)
		return -EINVAL;
	iobatch_chain_add(
		chain,
		file_at(object, iobatch_op_statx(0, NULL, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT,
	                                         STATX_BASIC_STATS | STATX_BTIME, &state->statx)));
	return IOBATCH_MORE;
}

static int stat_settled(void *context, struct iobatch_item *item,
                        const struct iobatch_outcome *outcome)
{
	struct stat_processor *stat = context;
	const struct stat_state *state = item->state;
	const struct iobatch_file *object = item->object;
	char small[LINE_SMALL], *memory = NULL;
	size_t length = 0;
	int result = 0, added;

	if (!outcome->error && !report_is(stat->report, object))
		result = make_line(stat, object, &state->statx, small, &memory, &length);
	/* Also without a line, since others wait for this one. */
	added = report_add(stat->report, item->index, memory ? memory : small, length);
	free(memory);
	return result < 0 ? result : added;
}

static void stat_abandon(void *context, int error)
{
	struct stat_processor *stat = context;

	(void)error;
	report_abandon(stat->report);
}

static int stat_finish(void *context)
{
	struct stat_processor *stat = context;

	return report_finish(stat->report);
}

static void stat_free(struct iobatch_processor *processor)
{
	struct stat_processor *stat = processor->context;

	report_free(stat->report);
	free(stat);
}

int iobatch_stat_new(const struct iobatch_stat_options *given,
                     struct iobatch_processor **ret_processor)
{
	struct iobatch_stat_options options = IOBATCH_STAT_OPTIONS_INIT;
	struct stat_processor *stat;
	int result;

	if (!given || !ret_processor || !abi_known(given, given->size, sizeof(options)))
		return -EINVAL;
	abi_copy(&options, given, sizeof(options));
	if (options.format > IOBATCH_STAT_TABLE)
		return -EINVAL;
	stat = calloc(1, sizeof(*stat));
	if (!stat)
		return -ENOMEM;
	stat->format = options.format;
	stat->processor = (struct iobatch_processor){
		.size = sizeof(stat->processor),
		.name = "stat",
		.context = stat,
		.state_size = sizeof(struct stat_state),
		.chain_ops_max = 1,
		.next = stat_next,
		.settled = options.report ? stat_settled : NULL,
		.abandon = stat_abandon,
		.finish = stat_finish,
		.free = stat_free,
	};
	if (options.report) {
		result = report_new(options.report, &stat->report);
		if (result < 0) {
			free(stat);
			return result;
		}
	}
	*ret_processor = &stat->processor;
	return 0;
}
