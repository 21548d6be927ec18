/* SPDX-License-Identifier: MIT */
/*
 * Numbers as people write them in a job file: plain counts, sizes with a unit, durations with a
 * unit, permission bits in octal. Parsing is strict: the whole text is the number, without signs,
 * spaces or fractions, and what does not fit is an error and never wraps. This part knows nothing
 * of YAML or of which range a value may have.
 */
#ifndef JOB_NUMBER_H
#define JOB_NUMBER_H

#include <stdint.h>

/*
 * Each returns 0, -EINVAL when the text is no such number, or -ERANGE when it does not fit.
 *
 * count:    decimal digits
 * size:     bytes; B, K/KiB, M/MiB, G/GiB, T/TiB are powers of 1024 and kB, MB, GB, TB of 1000
 * duration: nanoseconds; the unit (ns, us, ms, s) must be given, except for 0
 * mode:     octal permission bits up to 7777, with or without leading zeros
 */
int number_parse_count(const char *text, uint64_t *ret_count);
int number_parse_size(const char *text, uint64_t *ret_bytes);
int number_parse_duration(const char *text, uint64_t *ret_duration_ns);
int number_parse_mode(const char *text, uint64_t *ret_mode);

#endif
