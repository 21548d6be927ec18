/* SPDX-License-Identifier: MIT */
/*
 * Owns the table of digest algorithms. Each row is a thin layer over a library: libxxhash,
 * OpenSSL's EVP and ISA-L. Values are big endian bytes, as they are printed. This part knows bytes;
 * neither files nor items.
 */
#include "processor/digest.h"

#include <errno.h>
#include <isa-l/crc.h>
#include <limits.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "processor/report.h"

struct digest {
	const struct digest_algorithm *algorithm;
	/* The one that the algorithm uses. */
	XXH3_state_t *xxh3;
	XXH64_state_t *xxh64;
	XXH32_state_t *xxh32;
	EVP_MD_CTX *evp;
	uint32_t crc;
};

/* ---------------------------------------------------------------- xxh3 -- */

static int xxh3_init(struct digest *digest)
{
	digest->xxh3 = XXH3_createState();
	return digest->xxh3 ? 0 : -ENOMEM;
}

static void xxh3_deinit(struct digest *digest)
{
	XXH3_freeState(digest->xxh3);
}

static void xxh3_64_once(const void *data, size_t length, uint8_t *ret_value)
{
	XXH64_canonical_t canonical;

	XXH64_canonicalFromHash(&canonical, XXH3_64bits(data, length));
	memcpy(ret_value, canonical.digest, sizeof(canonical.digest));
}

static int xxh3_64_start(struct digest *digest)
{
	return XXH3_64bits_reset(digest->xxh3) == XXH_OK ? 0 : -EIO;
}

static int xxh3_64_update(struct digest *digest, const void *data, size_t length)
{
	return XXH3_64bits_update(digest->xxh3, data, length) == XXH_OK ? 0 : -EIO;
}

static int xxh3_64_finish(struct digest *digest, uint8_t *ret_value)
{
	XXH64_canonical_t canonical;

	XXH64_canonicalFromHash(&canonical, XXH3_64bits_digest(digest->xxh3));
	memcpy(ret_value, canonical.digest, sizeof(canonical.digest));
	return 0;
}

static void xxh3_128_once(const void *data, size_t length, uint8_t *ret_value)
{
	XXH128_canonical_t canonical;

	XXH128_canonicalFromHash(&canonical, XXH3_128bits(data, length));
	memcpy(ret_value, canonical.digest, sizeof(canonical.digest));
}

static int xxh3_128_start(struct digest *digest)
{
	return XXH3_128bits_reset(digest->xxh3) == XXH_OK ? 0 : -EIO;
}

static int xxh3_128_update(struct digest *digest, const void *data, size_t length)
{
	return XXH3_128bits_update(digest->xxh3, data, length) == XXH_OK ? 0 : -EIO;
}

static int xxh3_128_finish(struct digest *digest, uint8_t *ret_value)
{
	XXH128_canonical_t canonical;

	XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(digest->xxh3));
	memcpy(ret_value, canonical.digest, sizeof(canonical.digest));
	return 0;
}

/* ----------------------------------------------- the xxhash of before -- */

static void xxh64_once(const void *data, size_t length, uint8_t *ret_value)
{
	XXH64_canonical_t canonical;

	XXH64_canonicalFromHash(&canonical, XXH64(data, length, 0));
	memcpy(ret_value, canonical.digest, sizeof(canonical.digest));
}

static int xxh64_init(struct digest *digest)
{
	digest->xxh64 = XXH64_createState();
	return digest->xxh64 ? 0 : -ENOMEM;
}

static void xxh64_deinit(struct digest *digest)
{
	XXH64_freeState(digest->xxh64);
}

static int xxh64_start(struct digest *digest)
{
	return XXH64_reset(digest->xxh64, 0) == XXH_OK ? 0 : -EIO;
}

static int xxh64_update(struct digest *digest, const void *data, size_t length)
{
	return XXH64_update(digest->xxh64, data, length) == XXH_OK ? 0 : -EIO;
}

static int xxh64_finish(struct digest *digest, uint8_t *ret_value)
{
	XXH64_canonical_t canonical;

	XXH64_canonicalFromHash(&canonical, XXH64_digest(digest->xxh64));
	memcpy(ret_value, canonical.digest, sizeof(canonical.digest));
	return 0;
}

static void xxh32_once(const void *data, size_t length, uint8_t *ret_value)
{
	XXH32_canonical_t canonical;

	XXH32_canonicalFromHash(&canonical, XXH32(data, length, 0));
	memcpy(ret_value, canonical.digest, sizeof(canonical.digest));
}

static int xxh32_init(struct digest *digest)
{
	digest->xxh32 = XXH32_createState();
	return digest->xxh32 ? 0 : -ENOMEM;
}

static void xxh32_deinit(struct digest *digest)
{
	XXH32_freeState(digest->xxh32);
}

static int xxh32_start(struct digest *digest)
{
	return XXH32_reset(digest->xxh32, 0) == XXH_OK ? 0 : -EIO;
}

static int xxh32_update(struct digest *digest, const void *data, size_t length)
{
	return XXH32_update(digest->xxh32, data, length) == XXH_OK ? 0 : -EIO;
}

static int xxh32_finish(struct digest *digest, uint8_t *ret_value)
{
	XXH32_canonical_t canonical;

	XXH32_canonicalFromHash(&canonical, XXH32_digest(digest->xxh32));
	memcpy(ret_value, canonical.digest, sizeof(canonical.digest));
	return 0;
}

/* -------------------------------------------------------------- crc32c -- */

static uint32_t crc_add(uint32_t crc, const void *data, size_t length)
{
	unsigned char *bytes = (unsigned char *)data;

	while (length > 0) {
		/* ISA-L takes an int; it only reads, whatever its prototype says. */
		int part = length < INT_MAX ? (int)length : INT_MAX;

		crc = crc32_iscsi(bytes, part, crc);
		bytes += part;
		length -= (size_t)part;
	}
	return crc;
}

static void crc_store(uint32_t crc, uint8_t *ret_value)
{
	uint32_t inverted = ~crc;

	for (unsigned i = 0; i < 4; i++)
		ret_value[i] = (uint8_t)(inverted >> (24 - 8 * i));
}

static void crc_once(const void *data, size_t length, uint8_t *ret_value)
{
	crc_store(crc_add(UINT32_MAX, data, length), ret_value);
}

static int crc_init(struct digest *digest)
{
	digest->crc = UINT32_MAX;
	return 0;
}

static int crc_update(struct digest *digest, const void *data, size_t length)
{
	digest->crc = crc_add(digest->crc, data, length);
	return 0;
}

static int crc_finish(struct digest *digest, uint8_t *ret_value)
{
	crc_store(digest->crc, ret_value);
	return 0;
}

/* ------------------------------------------------------------- OpenSSL -- */

static int evp_init(struct digest *digest, const char *name)
{
	EVP_MD *md = NULL;
	int result = -ENOMEM;

	digest->evp = EVP_MD_CTX_new();
	if (!digest->evp)
		return -ENOMEM;
	/* Looked up once: starting anew with NULL keeps the implementation. */
	md = EVP_MD_fetch(NULL, name, NULL);
	if (!md)
		result = -ENOTSUP;
	else if (EVP_DigestInit_ex2(digest->evp, md, NULL))
		result = 0;
	EVP_MD_free(md);
	return result;
}

static int sha256_init(struct digest *digest)
{
	return evp_init(digest, "SHA256");
}

static int blake2b_init(struct digest *digest)
{
	return evp_init(digest, "BLAKE2B-512");
}

static void evp_deinit(struct digest *digest)
{
	EVP_MD_CTX_free(digest->evp);
}

static int evp_start(struct digest *digest)
{
	return EVP_DigestInit_ex2(digest->evp, NULL, NULL) ? 0 : -EIO;
}

static int evp_update(struct digest *digest, const void *data, size_t length)
{
	return EVP_DigestUpdate(digest->evp, data, length) ? 0 : -EIO;
}

static int evp_finish(struct digest *digest, uint8_t *ret_value)
{
	return EVP_DigestFinal_ex(digest->evp, ret_value, NULL) ? 0 : -EIO;
}

/* --------------------------------------------------------------- table -- */

static const struct digest_algorithm algorithms[IOBATCH_HASH_COUNT] = {
	[IOBATCH_HASH_XXH3_64] = {.name = "xxh3-64",
                                  .size = 8,
                                  .format = DIGEST_TAGGED,
                                  .tag = "XXH3",
                                  .once = xxh3_64_once,
                                  .init = xxh3_init,
                                  .deinit = xxh3_deinit,
                                  .start = xxh3_64_start,
                                  .update = xxh3_64_update,
                                  .finish = xxh3_64_finish},
	[IOBATCH_HASH_XXH3_128] = {.name = "xxh3-128",
                                   .size = 16,
                                   .format = DIGEST_HEX_NAME,
                                   .tag = "XXH128",
                                   .once = xxh3_128_once,
                                   .init = xxh3_init,
                                   .deinit = xxh3_deinit,
                                   .start = xxh3_128_start,
                                   .update = xxh3_128_update,
                                   .finish = xxh3_128_finish},
	[IOBATCH_HASH_SHA256] = {.name = "sha256",
                                 .size = 32,
                                 .format = DIGEST_HEX_NAME,
                                 .tag = "SHA256",
                                 .escapes_backslash = true,
                                 .init = sha256_init,
                                 .deinit = evp_deinit,
                                 .start = evp_start,
                                 .update = evp_update,
                                 .finish = evp_finish},
	[IOBATCH_HASH_CRC32C] = {.name = "crc32c",
                                 .size = 4,
                                 .format = DIGEST_TAGGED,
                                 .tag = "CRC32C",
                                 .escapes_backslash = true,
                                 .once = crc_once,
                                 .init = crc_init,
                                 .start = crc_init,
                                 .update = crc_update,
                                 .finish = crc_finish},
	[IOBATCH_HASH_BLAKE2B] = {.name = "blake2b",
                                  .size = 64,
                                  .format = DIGEST_HEX_NAME,
                                  .tag = "BLAKE2b",
                                  .escapes_backslash = true,
                                  .init = blake2b_init,
                                  .deinit = evp_deinit,
                                  .start = evp_start,
                                  .update = evp_update,
                                  .finish = evp_finish},
	[IOBATCH_HASH_XXH64] = {.name = "xxh64",
                                .size = 8,
                                .format = DIGEST_HEX_NAME,
                                .tag = "XXH64",
                                .once = xxh64_once,
                                .init = xxh64_init,
                                .deinit = xxh64_deinit,
                                .start = xxh64_start,
                                .update = xxh64_update,
                                .finish = xxh64_finish},
	[IOBATCH_HASH_XXH32] = {.name = "xxh32",
                                .size = 4,
                                .format = DIGEST_HEX_NAME,
                                .tag = "XXH32",
                                .once = xxh32_once,
                                .init = xxh32_init,
                                .deinit = xxh32_deinit,
                                .start = xxh32_start,
                                .update = xxh32_update,
                                .finish = xxh32_finish},
};

const struct digest_algorithm *digest_algorithm(unsigned algorithm)
{
	return algorithm < IOBATCH_HASH_COUNT ? &algorithms[algorithm] : NULL;
}

unsigned digest_number(const struct digest_algorithm *algorithm)
{
	return (unsigned)(algorithm - algorithms);
}

int digest_new(const struct digest_algorithm *algorithm, struct digest **ret_digest)
{
	struct digest *digest;
	int result;

	digest = calloc(1, sizeof(*digest));
	if (!digest)
		return -ENOMEM;
	digest->algorithm = algorithm;
	result = algorithm->init(digest);
	if (result < 0) {
		digest_free(digest);
		return result;
	}
	*ret_digest = digest;
	return 0;
}

void digest_free(struct digest *digest)
{
	if (digest && digest->algorithm->deinit)
		digest->algorithm->deinit(digest);
	free(digest);
}

int digest_start(struct digest *digest)
{
	return digest->algorithm->start(digest);
}

int digest_update(struct digest *digest, const void *data, size_t length)
{
	return digest->algorithm->update(digest, data, length);
}

int digest_finish(struct digest *digest, uint8_t *ret_value)
{
	return digest->algorithm->finish(digest, ret_value);
}

/* --------------------------------------------------------------- lines -- */

static const char digits[] = "0123456789abcdef";

static char *put_hex(char *at, const uint8_t *value, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		*at++ = digits[value[i] >> 4];
		*at++ = digits[value[i] & 15];
	}
	return at;
}

static char *put_name(char *at, const char *name, bool escape)
{
	/* The tools take "-" for their standard input. */
	return report_put_name(at, strcmp(name, "-") == 0 ? "./-" : name, escape);
}

size_t digest_line(const struct digest_algorithm *algorithm, const uint8_t *value, const char *name,
                   char *ret_line)
{
	/*
	 * A newline would end the line, so it is escaped for every tool, also for those of before
	 * xxhsum 0.8.2, which cannot check such a name in any form.
	 */
	bool escape = strpbrk(name, algorithm->escapes_backslash ? "\\\n\r" : "\n");
	char *at = ret_line;

	if (escape)
		*at++ = '\\';
	if (algorithm->format == DIGEST_TAGGED) {
		at = stpcpy(at, algorithm->tag);
		at = stpcpy(at, " (");
		at = put_name(at, name, escape);
		at = stpcpy(at, ") = ");
		at = put_hex(at, value, algorithm->size);
	} else {
		at = put_hex(at, value, algorithm->size);
		at = stpcpy(at, "  ");
		at = put_name(at, name, escape);
	}
	*at++ = '\n';
	return (size_t)(at - ret_line);
}

/* --------------------------------------------------------------- notes -- */

size_t digest_note(const struct digest_algorithm *algorithm, const uint8_t *value, char *ret_note)
{
	char *at = stpcpy(ret_note, algorithm->name);

	*at++ = ':';
	return (size_t)(put_hex(at, value, algorithm->size) - ret_note);
}

/* Two digits as put_hex() writes them. */
static bool read_byte(const char *hex, uint8_t *ret_byte)
{
	const char *high = hex[0] ? strchr(digits, hex[0]) : NULL;
	const char *low = hex[1] ? strchr(digits, hex[1]) : NULL;

	if (!high || !low)
		return false;
	*ret_byte = (uint8_t)((high - digits) << 4 | (low - digits));
	return true;
}

bool digest_read_note(const struct digest_algorithm *algorithm, const char *note, size_t length,
                      uint8_t *ret_value)
{
	size_t name_length = strlen(algorithm->name);
	uint8_t value[DIGEST_SIZE_MAX];

	if (length != name_length + 1 + 2 * algorithm->size ||
	    memcmp(note, algorithm->name, name_length) != 0 || note[name_length] != ':')
		return false;
	note += name_length + 1;
	for (size_t i = 0; i < algorithm->size; i++)
		if (!read_byte(note + 2 * i, &value[i]))
			return false;
	memcpy(ret_value, value, algorithm->size);
	return true;
}
