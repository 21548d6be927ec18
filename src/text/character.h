/* SPDX-License-Identifier: MIT */
/*
 * Which bytes are text: what names are shown by, wherever they are shown. How other bytes are
 * written instead is each writer's own business.
 */
#ifndef TEXT_CHARACTER_H
#define TEXT_CHARACTER_H

#include <stddef.h>
#include <stdint.h>

/*
 * The length of the character that `bytes`, at least one, begin with when it is text, and 0 when it
 * must be escaped: it is no valid UTF-8, or a control character or a separator of lines.
 */
static inline size_t character_length(const unsigned char *bytes, size_t length)
{
	static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
	uint32_t character;
	size_t size;

	if (bytes[0] < 0x80)
		return bytes[0] >= 0x20 && bytes[0] != 0x7f;
	if ((bytes[0] & 0xe0) == 0xc0)
		size = 2;
	else if ((bytes[0] & 0xf0) == 0xe0)
		size = 3;
	else if ((bytes[0] & 0xf8) == 0xf0)
		size = 4;
	else
		return 0;
	if (size > length)
		return 0;
	character = bytes[0] & (0x7fu >> size);
	for (size_t i = 1; i < size; i++) {
		if ((bytes[i] & 0xc0) != 0x80)
			return 0;
		character = character << 6 | (bytes[i] & 0x3fu);
	}
	/* RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF. */
	if (character < smallest[size] || character > 0x10ffff)
		return 0;
	if (character >= 0xd800 && character <= 0xdfff)
		return 0;
	/* C1 controls, and the separators that some terminals take for a new line. */
	if (character < 0xa0 || character == 0x2028 || character == 0x2029)
		return 0;
	return size;
}

#endif
