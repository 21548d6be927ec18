/* SPDX-License-Identifier: MIT */
/* What a killed run has left behind: see leftovers.h. */
#include "cli/leftovers.h"

#include <dirent.h>
#include <fts.h>
#include <iobatch.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

uint64_t leftovers_remove_of(const char *path)
{
	/* Behind a symbolic link it is the file that is replaced, not the link. */
	char *real = realpath(path, NULL);
	const char *whole = real ? real : path, *slash = strrchr(whole, '/');
	const char *name = slash ? slash + 1 : whole;
	size_t length = strlen(name);
	char *directory = slash ? strndup(whole, (size_t)(slash - whole) + 1) : strdup(".");
	uint64_t count = 0;
	DIR *entries = directory ? opendir(directory) : NULL;
	const struct dirent *entry;

	while (entries && (entry = readdir(entries)))
		if (!strncmp(entry->d_name + 1, name, length) &&
		    !strncmp(entry->d_name + 1 + length, ".iobatch-", 9) &&
		    iobatch_is_temporary(entry->d_name, 0))
			count += !unlinkat(dirfd(entries), entry->d_name, 0);
	if (entries)
		closedir(entries);
	free(directory);
	free(real);
	return count;
}

uint64_t leftovers_remove(const char *directory, bool deep, uint64_t mark)
{
	char *const roots[] = {(char *)directory, NULL};
	/* It goes by directories' descriptors, and looks at nothing that is no directory. */
	FTS *fts = fts_open(roots, FTS_PHYSICAL | FTS_COMFOLLOW | FTS_NOSTAT, NULL);
	uint64_t count = 0;
	FTSENT *entry;

	while (fts && (entry = fts_read(fts))) {
		if (entry->fts_info == FTS_D && entry->fts_level > 0 && !deep)
			(void)fts_set(fts, entry, FTS_SKIP);
		if (entry->fts_level > 0 &&
		    (entry->fts_info == FTS_NSOK || entry->fts_info == FTS_F ||
		     entry->fts_info == FTS_SL || entry->fts_info == FTS_SLNONE) &&
		    iobatch_is_temporary(entry->fts_name, mark))
			count += !unlink(entry->fts_accpath);
	}
	if (fts)
		fts_close(fts);
	return count;
}
