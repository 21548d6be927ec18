/* SPDX-License-Identifier: MIT */
/*
 * Owns in which order the attributes of a copy are set: the owner first, because a change of it
 * takes set-user-ID bits and capabilities away; then extended attributes and lists; then mode and
 * times, and after the times nothing that would change them. Only what differs from what is there
 * is set. Whoever may not give files away keeps them: that is no error, as for cp -a, but such a
 * copy does not run under the rights of its new owner either.
 */
#include <errno.h>
#include <fcntl.h>

#include "processor/copy.h"

static int set_owner(struct copy_processor *copy, struct iobatch_item *item,
                     struct iobatch_chain *chain);
static int set_rest(struct copy_processor *copy, struct iobatch_item *item,
                    struct iobatch_chain *chain);

/* The user may not do that, or the user or group is not known here. */
static bool is_refusal(int64_t error)
{
	return error == -EPERM || error == -EINVAL;
}

uint32_t copy_mode(const struct copy_processor *copy, const struct iobatch_item *item)
{
	const struct copy_scratch *scratch = item->scratch;
	const struct copy_state *state = item->state;
	uint32_t mode = scratch->source.stx_mode & COPY_MODE_BITS;

	if (!copy_preserves(copy, IOBATCH_PRESERVE_MODE))
		return mode & 0777 & ~copy->umask;
	return state->owner_failed ? mode & ~(uint32_t)(S_ISUID | S_ISGID) : mode;
}

static bool owner_differs(const struct copy_scratch *scratch)
{
	return scratch->source.stx_uid != scratch->target.stx_uid ||
	       scratch->source.stx_gid != scratch->target.stx_gid;
}

static uint32_t xattr_classes(const struct copy_processor *copy, const struct copy_state *state)
{
	uint32_t classes = 0;

	if (copy_preserves(copy, IOBATCH_PRESERVE_ACLS))
		classes |= IOBATCH_XATTR_ACL;
	if (copy_preserves(copy, IOBATCH_PRESERVE_XATTRS))
		classes |= IOBATCH_XATTR_USER;
	if (copy_preserves(copy, IOBATCH_PRESERVE_XATTRS) && !state->plain_xattrs)
		classes |= IOBATCH_XATTR_SECURITY;
	if (copy_preserves(copy, IOBATCH_PRESERVE_XATTRS) && !state->plain_xattrs &&
	    copy->user == 0)
		classes |= IOBATCH_XATTR_TRUSTED;
	return classes;
}

/* ------------------------------------------- owner and extended attributes -- */

static int owner_answered(struct copy_processor *copy, struct iobatch_item *item,
                          const struct iobatch_op *op, copy_step step, struct iobatch_chain *chain)
{
	struct copy_state *state = item->state;

	if (!is_refusal(op->result))
		return copy_insist(item, chain, op, step);
	/* The group alone may be allowed. */
	state->owner_failed = true;
	if (op->op_flags == UINT32_MAX)
		state->owner_done = true;
	state->group_only = true;
	return set_owner(copy, item, chain);
}

static int owned(struct copy_processor *copy, struct iobatch_item *item,
                 const struct iobatch_chain *done, struct iobatch_chain *chain)
{
	struct copy_state *state = item->state;

	for (unsigned i = 0; i < done->count; i++) {
		const struct iobatch_op *op = &done->ops[i];

		if (op->opcode == IOBATCH_OP_FCHOWN && op->result < 0)
			return owner_answered(copy, item, op, owned, chain);
		if (op->opcode != IOBATCH_OP_COPY_XATTRS || op->result == 0)
			continue;
		if ((op->result != -EPERM && op->result != -EOPNOTSUPP) || state->plain_xattrs)
			return copy_insist(item, chain, op, owned);
		state->plain_xattrs = true;
		state->owner_done = true;
		return set_owner(copy, item, chain);
	}
	return set_rest(copy, item, chain);
}

static int set_owner(struct copy_processor *copy, struct iobatch_item *item,
                     struct iobatch_chain *chain)
{
	const struct copy_scratch *scratch = item->scratch;
	const struct copy_state *state = item->state;
	uint32_t user = state->group_only ? UINT32_MAX : scratch->source.stx_uid;
	uint32_t classes = xattr_classes(copy, state);
	unsigned before = chain->count;

	if (copy_preserves(copy, IOBATCH_PRESERVE_OWNER) && !state->owner_done &&
	    owner_differs(scratch))
		copy_add_may_fail(chain,
		                  iobatch_op_fchown(state->file, user, scratch->source.stx_gid));
	if (classes)
		copy_add_may_fail(chain, iobatch_op_copy_xattrs(COPY_SOURCE, state->file, classes));
	return chain->count > before ? copy_then(item, owned) : set_rest(copy, item, chain);
}

/* ---------------------------------------------------------- mode and times -- */

static int all_set(struct copy_processor *copy, struct iobatch_item *item,
                   const struct iobatch_chain *done, struct iobatch_chain *chain)
{
	const struct copy_state *state = item->state;

	(void)done;
	return state->attributes_then(copy, item, chain);
}

static bool times_differ(const struct copy_scratch *scratch)
{
	const struct statx_timestamp *atime = &scratch->target.stx_atime;
	const struct statx_timestamp *mtime = &scratch->target.stx_mtime;

	return atime->tv_sec != scratch->times[0].tv_sec ||
	       atime->tv_nsec != scratch->times[0].tv_nsec ||
	       mtime->tv_sec != scratch->times[1].tv_sec ||
	       mtime->tv_nsec != scratch->times[1].tv_nsec;
}

static int set_rest(struct copy_processor *copy, struct iobatch_item *item,
                    struct iobatch_chain *chain)
{
	struct copy_scratch *scratch = item->scratch;
	const struct copy_state *state = item->state;
	bool is_file = state->file >= 0;

	if (!state->later && copy_mode(copy, item) != (scratch->target.stx_mode & COPY_MODE_BITS))
		iobatch_chain_add(chain, iobatch_op_fchmod(state->file, copy_mode(copy, item)));
	if (!state->later && copy_preserves(copy, IOBATCH_PRESERVE_TIMES) &&
	    (is_file || times_differ(scratch)))
		iobatch_chain_add(chain, iobatch_op_futimens(state->file, scratch->times));
	if (is_file)
		return copy_close(copy, item, chain);
	return chain->count > 0 ? copy_then(item, all_set)
	                        : state->attributes_then(copy, item, chain);
}

/* ---------------------------------------------------------- a regular file -- */

/* What the first file that is made in a directory belongs to, all others do. */
static int owner_known(struct copy_processor *copy, struct iobatch_item *item,
                       const struct iobatch_chain *done, struct iobatch_chain *chain)
{
	struct copy_scratch *scratch = item->scratch;
	struct statx *target = &scratch->target;

	if (done)
		atomic_store(&scratch->place->owner,
		             (uint64_t)target->stx_uid << 32 | target->stx_gid);
	target->stx_mode = 0600;
	return set_owner(copy, item, chain);
}

int copy_file_attributes(struct copy_processor *copy, struct iobatch_item *item,
                         struct iobatch_chain *chain)
{
	struct copy_scratch *scratch = item->scratch;
	struct copy_state *state = item->state;
	uint64_t owner = atomic_load(&scratch->place->owner);

	state->file = COPY_TARGET;
	if (owner == PLACE_OWNER_UNKNOWN && copy_preserves(copy, IOBATCH_PRESERVE_OWNER)) {
		iobatch_chain_add(
			chain, iobatch_op_fstatx(COPY_TARGET, STATX_BASIC_STATS, &scratch->target));
		return copy_then(item, owner_known);
	}
	scratch->target.stx_uid = (uint32_t)(owner >> 32);
	scratch->target.stx_gid = (uint32_t)owner;
	return owner_known(copy, item, NULL, chain);
}

/* -------------------------------------------------------------- a directory -- */

int copy_directory_attributes(struct copy_processor *copy, struct iobatch_item *item,
                              struct iobatch_chain *chain, bool at_once, copy_go then)
{
	const struct copy_scratch *scratch = item->scratch;
	struct copy_state *state = item->state;

	state->file = IOBATCH_FD(scratch->place->fd);
	state->attributes_then = then;
	state->later = !at_once;
	return set_owner(copy, item, chain);
}

/* --------------------------------------------------------------- what is none -- */

static int node_set(struct copy_processor *copy, struct iobatch_item *item,
                    const struct iobatch_chain *done, struct iobatch_chain *chain)
{
	struct copy_state *state = item->state;
	const struct iobatch_op *op = &done->ops[0];

	if (op->opcode != IOBATCH_OP_FCHOWNAT || op->result == 0)
		return state->attributes_then(copy, item, chain);
	if (!is_refusal(op->result))
		return copy_insist(item, chain, op, node_set);
	state->owner_failed = true;
	state->owner_done = state->group_only;
	state->group_only = true;
	return copy_node_attributes(copy, item, chain, state->attributes_then);
}

int copy_node_attributes(struct copy_processor *copy, struct iobatch_item *item,
                         struct iobatch_chain *chain, copy_go then)
{
	struct copy_scratch *scratch = item->scratch;
	struct copy_state *state = item->state;
	const struct place *place = scratch->place;
	uint32_t user = state->group_only ? UINT32_MAX : scratch->source.stx_uid;
	uint64_t owner = (uint64_t)scratch->source.stx_uid << 32 | scratch->source.stx_gid;

	state->attributes_then = then;
	if (copy_preserves(copy, IOBATCH_PRESERVE_OWNER) && !state->owner_done &&
	    atomic_load(&place->owner) != owner)
		copy_add_may_fail(
			chain, copy_in(place, iobatch_op_fchownat(place->fd, scratch->temporary,
		                                                  user, scratch->source.stx_gid)));
	if (!S_ISLNK(scratch->source.stx_mode))
		iobatch_chain_add(chain,
		                  copy_in(place, iobatch_op_fchmodat(place->fd, scratch->temporary,
		                                                     copy_mode(copy, item),
		                                                     AT_SYMLINK_NOFOLLOW)));
	if (copy_preserves(copy, IOBATCH_PRESERVE_TIMES))
		iobatch_chain_add(
			chain,
			copy_in(place, iobatch_op_utimensat(place->fd, scratch->temporary,
		                                            scratch->times, AT_SYMLINK_NOFOLLOW)));
	return chain->count > 0 ? copy_then(item, node_set) : then(copy, item, chain);
}
