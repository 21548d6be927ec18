/* SPDX-License-Identifier: MIT */
/*
 * Owns the grammar of modes, which is that of chmod(1):
 *
 *     mode    = digits | clause { "," clause }
 *     clause  = { "u" | "g" | "o" | "a" } action { action }  |  sign digits
 *     action  = sign ( { "r" | "w" | "x" | "X" | "s" | "t" } | "u" | "g" | "o" )
 *
 * and what it means. Invariant: a change that was made can be applied to any mode. As with GNU
 * chmod, set-user-ID and set-group-ID bits of directories stay unless the text says something about
 * them: "755" does not clear them, "00755" and "=755" do. It touches no file.
 */
#include "processor/mode.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ALL_BITS 07777u
#define ACCESS_BITS 0777u
#define SET_ID_BITS 06000u
#define STICKY_BIT 01000u

#define READ_BITS 0444u
#define WRITE_BITS 0222u
#define EXECUTE_BITS 0111u

enum value_kind {
	VALUE_BITS,
	VALUE_BITS_AND_X, /* and execution, where somebody may execute already */
	VALUE_COPY,       /* the bits of `value` as the file has them, for all three classes */
};

/* One sign with its operand. */
struct action {
	char sign;
	uint8_t kind; /* enum value_kind */
	uint16_t value;
	uint16_t who;       /* the bits that may change; 0 = nobody was named */
	uint16_t mentioned; /* bits that the text says something about */
};

struct mode_change {
	uint32_t umask;
	unsigned count;
	struct action actions[];
};

/* ------------------------------------------------------- taking apart -- */

static bool is_sign(char c)
{
	return c == '+' || c == '-' || c == '=';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '7';
}

/* Reads octal digits. Returns how many there were, 0 when their value is none. */
static size_t take_digits(const char **at, uint16_t *ret_value)
{
	const char *start = *at;
	uint32_t value = 0;

	while (is_digit(**at)) {
		value = value * 8 + (uint32_t)(*(*at)++ - '0');
		if (value > ALL_BITS)
			return 0;
	}
	*ret_value = (uint16_t)value;
	return (size_t)(*at - start);
}

/* All of "755". */
static int take_number(struct mode_change *change, const char *at)
{
	struct action *action = &change->actions[change->count++];
	size_t digits;

	action->sign = '=';
	digits = take_digits(&at, &action->value);
	if (digits == 0 || *at)
		return -EINVAL;
	/* Five digits say something about each bit. */
	if (digits < 5)
		action->mentioned =
			(uint16_t)((action->value & SET_ID_BITS) | STICKY_BIT | ACCESS_BITS);
	else
		action->mentioned = ALL_BITS;
	action->who = ALL_BITS;
	return 0;
}

static uint16_t class_bits(char c)
{
	switch (c) {
	case 'u':
		return S_ISUID | S_IRWXU;
	case 'g':
		return S_ISGID | S_IRWXG;
	case 'o':
		return S_ISVTX | S_IRWXO;
	case 'a':
		return ALL_BITS;
	default:
		return 0;
	}
}

static uint16_t permission_bits(char c)
{
	switch (c) {
	case 'r':
		return READ_BITS;
	case 'w':
		return WRITE_BITS;
	case 'x':
		return EXECUTE_BITS;
	case 's':
		return SET_ID_BITS;
	case 't':
		return STICKY_BIT;
	default:
		return 0;
	}
}

static void take_permissions(struct action *action, const char **at)
{
	for (; **at == 'X' || permission_bits(**at); ++*at) {
		if (**at == 'X')
			action->kind = VALUE_BITS_AND_X;
		action->value |= permission_bits(**at);
	}
}

static int take_action(struct mode_change *change, uint16_t who, const char **at)
{
	struct action *action = &change->actions[change->count++];

	action->sign = *(*at)++;
	action->who = who;
	if (is_digit(**at)) {
		if (take_digits(at, &action->value) == 0 || who || (**at && **at != ','))
			return -EINVAL;
		action->who = ALL_BITS;
		action->mentioned = ALL_BITS;
		return 0;
	}
	if (**at && strchr("ugo", **at)) {
		action->kind = VALUE_COPY;
		action->value = class_bits(*(*at)++) & ACCESS_BITS;
	} else {
		take_permissions(action, at);
	}
	action->mentioned = who ? who & action->value : action->value;
	return 0;
}

static int take_clauses(struct mode_change *change, const char *at)
{
	for (;; at++) {
		uint16_t who = 0;

		while (class_bits(*at))
			who |= class_bits(*at++);
		if (!is_sign(*at))
			return -EINVAL;
		while (is_sign(*at)) {
			int result = take_action(change, who, &at);

			if (result < 0)
				return result;
		}
		if (*at != ',')
			return *at ? -EINVAL : 0;
	}
}

static struct mode_change *allocate(const char *text)
{
	struct mode_change *change;
	size_t actions = 1;

	for (; *text; text++)
		actions += is_sign(*text);
	change = calloc(1, sizeof(*change) + actions * sizeof(change->actions[0]));
	return change;
}

int mode_new_masked(const char *text, uint32_t mask, struct mode_change **ret_change)
{
	struct mode_change *change = allocate(text);
	int result;

	if (!change)
		return -ENOMEM;
	change->umask = mask;
	result = is_digit(*text) ? take_number(change, text) : take_clauses(change, text);
	if (result < 0) {
		free(change);
		return result;
	}
	*ret_change = change;
	return 0;
}

void mode_free(struct mode_change *change)
{
	free(change);
}

/* ------------------------------------------------------------ the mask -- */

/*
 * umask(2) tells the mask only by setting it, for all threads of the process at once: a file that
 * another thread makes at that moment would have other permissions than it was to have. So the
 * kernel is asked by /proc, from Linux 4.7 on.
 */
static bool read_mask(uint32_t *ret_mask)
{
	static const char field[] = "\nUmask:";
	char text[4096], *at;
	int fd = open("/proc/thread-self/status", O_RDONLY | O_CLOEXEC);
	ssize_t length;

	if (fd < 0)
		return false;
	length = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (length <= 0)
		return false;
	text[length] = '\0';
	at = strstr(text, field);
	if (!at)
		return false;
	*ret_mask = (uint32_t)strtoul(at + sizeof(field) - 1, NULL, 8) & ACCESS_BITS;
	return true;
}

static uint32_t process_mask(void)
{
	uint32_t mask;

	if (read_mask(&mask))
		return mask;
	/* Without /proc. What is made at this moment is readable for too few, never for too many.
	 */
	mask = umask(077);
	umask((mode_t)mask);
	return mask & ACCESS_BITS;
}

int mode_new(const char *text, struct mode_change **ret_change)
{
	struct mode_change *change;
	int result;

	result = mode_new_masked(text, 0, &change);
	if (result < 0)
		return result;
	for (unsigned i = 0; i < change->count; i++) {
		if (!change->actions[i].who) {
			change->umask = process_mask();
			break;
		}
	}
	*ret_change = change;
	return 0;
}

/* ------------------------------------------------------------ applying -- */

/* Gives all three classes what any of them has in `bits`. */
static uint32_t spread(uint32_t bits)
{
	return (bits & READ_BITS ? READ_BITS : 0) | (bits & WRITE_BITS ? WRITE_BITS : 0) |
	       (bits & EXECUTE_BITS ? EXECUTE_BITS : 0);
}

/* The bits of a file that an action may not touch, besides those of its operand. */
static uint32_t spared(const struct action *action, bool directory)
{
	return directory ? SET_ID_BITS & ~(uint32_t)action->mentioned : 0;
}

static uint32_t apply(const struct mode_change *change, const struct action *action, uint32_t mode,
                      bool directory)
{
	uint32_t value = action->value, keep;

	if (action->kind == VALUE_COPY)
		value = spread(value & mode);
	else if (action->kind == VALUE_BITS_AND_X && (directory || mode & EXECUTE_BITS))
		value |= EXECUTE_BITS;
	value &= action->who ? action->who : ~change->umask;
	value &= ~spared(action, directory);
	switch (action->sign) {
	case '+':
		return mode | value;
	case '-':
		return mode & ~value;
	default:
		keep = action->who ? ALL_BITS & ~(uint32_t)action->who : 0;
		return (mode & (keep | spared(action, directory))) | value;
	}
}

uint32_t mode_apply(const struct mode_change *change, uint32_t mode, bool directory)
{
	mode &= ALL_BITS;
	for (unsigned i = 0; i < change->count; i++)
		mode = apply(change, &change->actions[i], mode, directory);
	return mode;
}

bool mode_is_fixed(const struct mode_change *change, bool directory)
{
	const struct action *action = &change->actions[0];

	/* An "=" for everybody, of bits that do not depend on the file, and nothing else. */
	return change->count == 1 && action->sign == '=' &&
	       (!action->who || action->who == ALL_BITS) && action->kind == VALUE_BITS &&
	       spared(action, directory) == 0;
}
