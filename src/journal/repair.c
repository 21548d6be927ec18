/* SPDX-License-Identifier: MIT */
/* Whether a journal is good, and cutting off what is not: see summary.h. */
#include "journal/journal.h"
#include "journal/lock.h"
#include "journal/scan.h"
#include "journal/summary.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int read_through(struct scan *scan)
{
	struct record record;
	int rc;

	do
		rc = scan_next(scan, &record);
	while (rc > 0);
	return rc;
}

int journal_check(const char *path, uint64_t *ret_lines, uint64_t *ret_offset, uint64_t *ret_torn,
                  char **ret_error)
{
	struct scan scan;
	int err = scan_open(&scan, path, O_RDONLY);

	if (!err) {
		err = read_through(&scan);
		*ret_lines = journal_reader_lines(scan.reader);
		*ret_offset = journal_reader_offset(scan.reader);
		*ret_torn = journal_reader_torn(scan.reader);
	}
	if (err)
		*ret_error = scan.error;
	scan_close(&scan);
	return err;
}

static int lock(struct scan *scan, unsigned wait_ms)
{
	int err = lock_take(scan->fd, wait_ms);

	if (err == -EBUSY)
		return scan_fail(scan, JOURNAL_LOCKED, "a run has it");
	return err ? scan_fail(scan, err, "it cannot be locked: %s", strerror(-err)) : 0;
}

/* Cuts the file behind its last good line. */
static int cut(struct scan *scan, uint64_t *ret_cut)
{
	uint64_t end = journal_reader_offset(scan->reader);
	struct stat stat_;

	if (fstat(scan->fd, &stat_))
		return scan_fail(scan, -errno, "%s", strerror(errno));
	if ((uint64_t)stat_.st_size == end) {
		*ret_cut = 0;
		return 0;
	}
	if (ftruncate(scan->fd, (off_t)end) || fsync(scan->fd))
		return scan_fail(scan, -errno, "it cannot be cut: %s", strerror(errno));
	*ret_cut = (uint64_t)stat_.st_size - end;
	return 0;
}

int journal_repair(const char *path, unsigned wait_ms, uint64_t *ret_cut, char **ret_error)
{
	struct scan scan;
	int err = scan_open(&scan, path, O_RDWR);

	if (!err)
		err = lock(&scan, wait_ms);
	if (!err) {
		err = read_through(&scan);
		/* A head that is not good leaves nothing that says whose it is; an empty file is
		 * as good as a new one. */
		if ((err == JOURNAL_BAD || !err) && journal_reader_begun(scan.reader)) {
			free(scan.error);
			scan.error = NULL;
			err = cut(&scan, ret_cut);
		} else if (!err && !journal_reader_torn(scan.reader)) {
			*ret_cut = 0;
		} else if (!err) {
			err = scan_fail(&scan, JOURNAL_BAD, "its head is not whole");
		}
	}
	if (err)
		*ret_error = scan.error;
	scan_close(&scan);
	return err;
}
