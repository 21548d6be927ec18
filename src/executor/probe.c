/* SPDX-License-Identifier: MIT */
/*
 * What this machine's io_uring can do, and why it cannot when it cannot: for iobatch_probe() and
 * for the message of a run that found no ring.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "executor/ring.h"
#include "op/abi.h"
#include "op/op.h"

/* The number behind `key` in a file of "key<tab>number" lines or, without a key, the file's number.
 */
static bool read_number(const char *path, const char *key, long *ret)
{
	char line[256];
	bool found = false;
	FILE *file = fopen(path, "re");

	if (!file)
		return false;
	while (!found && fgets(line, sizeof(line), file)) {
		size_t skip = key ? strlen(key) : 0;

		if (key && strncmp(line, key, skip) != 0)
			continue;
		*ret = strtol(line + skip, NULL, 10);
		found = true;
	}
	fclose(file);
	return found;
}

void ring_explain(int error, char *ret_cause, size_t cause_size, char *ret_remedy,
                  size_t remedy_size)
{
	long disabled = 0, seccomp = 0;
	const char *cause, *remedy;

	if (!read_number("/proc/sys/kernel/io_uring_disabled", NULL, &disabled))
		disabled = 0;
	if (!read_number("/proc/self/status", "Seccomp:", &seccomp))
		seccomp = 0;
	switch (error) {
	case 0:
		cause = remedy = "";
		break;
	case -EPERM:
		if (disabled == 2) {
			cause = "kernel.io_uring_disabled is 2: io_uring is off for every process";
			remedy = "as root: sysctl kernel.io_uring_disabled=0";
		} else if (disabled == 1) {
			cause = "kernel.io_uring_disabled is 1: io_uring is off for this user";
			remedy = "as root: sysctl kernel.io_uring_disabled=0, or join the group of "
				 "kernel.io_uring_group";
		} else if (seccomp) {
			cause = "a seccomp filter forbids io_uring, as container runtimes do";
			remedy = "run the container with a seccomp profile that allows "
				 "io_uring_setup, "
				 "io_uring_enter and io_uring_register";
		} else {
			cause = "a security policy of this machine forbids io_uring";
			remedy = "allow io_uring in the security module's policy";
		}
		break;
	case -ENOSYS:
		if (seccomp) {
			cause = "a seccomp filter hides io_uring, or the kernel is older than 5.15";
			remedy =
				"allow io_uring_setup, io_uring_enter and io_uring_register in the "
				"seccomp profile, or use a kernel of 5.15 or later";
		} else {
			cause = "the kernel has no io_uring, or one that is too old";
			remedy = "use a kernel of 5.15 or later, built with CONFIG_IO_URING";
		}
		break;
	case -ENOMEM:
		cause = "no memory for the ring: its size or RLIMIT_MEMLOCK";
		remedy = "raise `ulimit -l`, or use fewer rings or a smaller batch_size";
		break;
	case -EMFILE:
	case -ENFILE:
		cause = "no descriptor is left for the ring";
		remedy = "raise `ulimit -n`, or use fewer rings";
		break;
	default:
		cause = strerror(-error);
		remedy = "see io_uring_setup(2)";
		break;
	}
	snprintf(ret_cause, cause_size, "%s", cause);
	snprintf(ret_remedy, remedy_size, "%s", remedy);
}

static void list_features(const struct io_uring *uring, char *ret, size_t size)
{
	static const struct {
		unsigned bit;
		const char *name;
	} bits[] = {
		{IORING_FEAT_NODROP, "nodrop"},
		{IORING_FEAT_SUBMIT_STABLE, "submit_stable"},
		{IORING_FEAT_FAST_POLL, "fast_poll"},
		{IORING_FEAT_EXT_ARG, "ext_arg"},
		{IORING_FEAT_NATIVE_WORKERS, "native_workers"},
		{IORING_FEAT_RSRC_TAGS, "rsrc_tags"},
		{IORING_FEAT_CQE_SKIP, "cqe_skip"},
		{IORING_FEAT_LINKED_FILE, "linked_file"},
	};
	static const struct {
		unsigned bit;
		const char *name;
	} setups[] = {
		{IORING_SETUP_SUBMIT_ALL, "submit_all"},
		{IORING_SETUP_COOP_TASKRUN, "coop_taskrun"},
		{IORING_SETUP_SINGLE_ISSUER, "single_issuer"},
		{IORING_SETUP_DEFER_TASKRUN, "defer_taskrun"},
	};
	size_t used = 0;

	ret[0] = '\0';
	for (size_t i = 0; i < sizeof(bits) / sizeof(bits[0]); i++) {
		if (uring->features & bits[i].bit)
			used += (size_t)snprintf(ret + used, size - used, "%s%s", used ? " " : "",
			                         bits[i].name);
	}
	for (size_t i = 0; i < sizeof(setups) / sizeof(setups[0]); i++) {
		if (uring->flags & setups[i].bit)
			used += (size_t)snprintf(ret + used, size - used, "%s%s", used ? " " : "",
			                         setups[i].name);
	}
}

static int probe_ring(struct iobatch_support *support)
{
	struct io_uring_probe *probe;
	struct io_uring uring;
	int result = ring_init_queue(&uring, 8, 16, false);

	if (result < 0)
		return result;
	list_features(&uring, support->features, sizeof(support->features));
	probe = io_uring_get_probe_ring(&uring);
	for (unsigned i = 0; probe && i < IOBATCH_OP_COUNT; i++) {
		int opcode = op_table[i].ring_opcode;

		support->ops[i] = opcode != OP_NO_RING && io_uring_opcode_supported(probe, opcode);
	}
	result = probe ? 0 : -ENOSYS;
	io_uring_free_probe(probe);
	io_uring_queue_exit(&uring);
	return result;
}

int iobatch_probe(struct iobatch_support *support)
{
	struct iobatch_support found = IOBATCH_SUPPORT_INIT;

	if (!support || !abi_known(support, support->size, sizeof(found)))
		return -EINVAL;
	found.size = support->size;
	found.error = probe_ring(&found);
	ring_explain(found.error, found.cause, sizeof(found.cause), found.remedy,
	             sizeof(found.remedy));
	abi_copy(support, &found, sizeof(found));
	return 0;
}
