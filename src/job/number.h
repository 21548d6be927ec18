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
 * age:      milliseconds; the unit (s, m, h, d, w) must be given, except for 0
 * factor:   percent: a number with at most two places, such as 2 or 1.25
 * mode:     octal permission bits up to 7777, with or without leading zeros
 * time:     nanoseconds since 1970: @SECONDS[.FRACTION], or YYYY-MM-DD with an optional
 *           Thh:mm[:ss[.fraction]] (or a space for the T) and Z or +hh:mm, local time without;
 *           INT64_MAX for "now" and INT64_MIN for "keep", as struct iobatch_set_options has them
 */
int number_parse_count(const char *text, uint64_t *ret_count);
int number_parse_size(const char *text, uint64_t *ret_bytes);
int number_parse_duration(const char *text, uint64_t *ret_duration_ns);
int number_parse_age(const char *text, uint64_t *ret_age_ms);
int number_parse_factor(const char *text, uint64_t *ret_percent);
int number_parse_mode(const char *text, uint64_t *ret_mode);
int number_parse_time(const char *text, int64_t *ret_time_ns);

#endif
