/* SPDX-License-Identifier: MIT */
/* Users and groups: see owner.h. */
#include "job/owner.h"

#include "job/number.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>

#define BUFFER_SIZE (64u << 10)

static int parse_number(const char *text, uint64_t *ret_number)
{
	uint64_t number;
	int err = number_parse_count(text, &number);

	/* The largest says that none is meant. */
	if (!err && number >= UINT32_MAX)
		err = -ERANGE;
	if (!err)
		*ret_number = number;
	return err == -EINVAL ? -ENOENT : err;
}

int owner_find_user(const char *name, uint64_t *ret_number)
{
	struct passwd entry, *found = NULL;
	char *buffer = malloc(BUFFER_SIZE);

	if (!buffer)
		return -ENOMEM;
	(void)getpwnam_r(name, &entry, buffer, BUFFER_SIZE, &found);
	if (found)
		*ret_number = entry.pw_uid;
	free(buffer);
	return found ? 0 : parse_number(name, ret_number);
}

int owner_find_group(const char *name, uint64_t *ret_number)
{
	struct group entry, *found = NULL;
	char *buffer = malloc(BUFFER_SIZE);

	if (!buffer)
		return -ENOMEM;
	(void)getgrnam_r(name, &entry, buffer, BUFFER_SIZE, &found);
	if (found)
		*ret_number = entry.gr_gid;
	free(buffer);
	return found ? 0 : parse_number(name, ret_number);
}
