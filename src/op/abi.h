/* SPDX-License-Identifier: MIT */
/*
 * How the library takes a struct that begins with its own size, from callers built against an older
 * or a newer header. An older caller's struct is shorter: the members that it lacks have their
 * defaults. A newer caller's is longer: it is accepted as long as what this library does not know
 * is zero. This part knows nothing about what is in the structs.
 */
#ifndef OP_ABI_H
#define OP_ABI_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* No struct of this interface is ever this long: such a size was never set. */
#define ABI_SIZE_MAX 4096

/*
 * Whether `options`, which says that it is `size` bytes long, can be taken as a struct of which
 * `known` bytes are known: `-EINVAL` is the answer to the caller when not.
 */
static inline bool abi_known(const void *options, size_t size, size_t known)
{
	const unsigned char *bytes = options;

	if (size < sizeof(size_t) || size > ABI_SIZE_MAX)
		return false;
	for (size_t at = known; at < size; at++)
		if (bytes[at])
			return false;
	return true;
}

/*
 * Copies what the caller has given over `ret`, which holds the defaults and is `known` bytes long.
 * `from` begins with its size and was accepted by abi_known().
 */
static inline void abi_copy(void *ret, const void *from, size_t known)
{
	size_t size;

	memcpy(&size, from, sizeof(size));
	memcpy(ret, from, size < known ? size : known);
}

#endif
