/* SPDX-License-Identifier: MIT */
/* Times of day and year, strictly: see number.h. strptime() takes too much and depends on the
 * locale. */
#include "job/number.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#define NS_PER_S 1000000000

/* Exactly `digits` digits at `*at`, which moves behind them; -1 when they are not there. */
static int take_digits(const char **at, unsigned digits)
{
	int value = 0;

	for (unsigned i = 0; i < digits; i++, ++*at) {
		if (**at < '0' || **at > '9')
			return -1;
		value = value * 10 + (**at - '0');
	}
	return value;
}

static bool take(const char **at, char wanted)
{
	if (**at != wanted)
		return false;
	++*at;
	return true;
}

/* ".5" and the like, if there is one: nanoseconds; what is finer is cut off. -1: it has no digits.
 */
static long take_fraction(const char **at)
{
	long fraction = 0, unit = NS_PER_S / 10;

	if (!take(at, '.') && !take(at, ','))
		return 0;
	if (**at < '0' || **at > '9')
		return -1;
	for (; **at >= '0' && **at <= '9'; ++*at, unit /= 10)
		fraction += (**at - '0') * unit;
	return fraction;
}

/* "Z", "+01:00", "-0930" or nothing at the end of the text. */
static int take_zone(const char *at, bool *ret_local, long *ret_offset_s)
{
	long sign = *at == '-' ? -1 : 1;
	int hours, minutes;

	*ret_local = !*at;
	*ret_offset_s = 0;
	if (!*at || !strcmp(at, "Z"))
		return 0;
	if (*at != '+' && *at != '-')
		return -EINVAL;
	at++;
	hours = take_digits(&at, 2);
	take(&at, ':');
	minutes = hours < 0 ? -1 : take_digits(&at, 2);
	if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59 || *at)
		return -EINVAL;
	*ret_offset_s = sign * (hours * 3600L + minutes * 60L);
	return 0;
}

static int to_ns(int64_t seconds, long fraction, int64_t *ret_time_ns)
{
	int64_t time_ns;

	if (__builtin_mul_overflow(seconds, (int64_t)NS_PER_S, &time_ns) ||
	    __builtin_add_overflow(time_ns, (int64_t)fraction, &time_ns) || time_ns == INT64_MAX ||
	    time_ns == INT64_MIN)
		return -ERANGE;
	*ret_time_ns = time_ns;
	return 0;
}

static int parse_seconds(const char *at, int64_t *ret_time_ns)
{
	bool negative = take(&at, '-');
	uint64_t seconds = 0;
	long fraction;

	if (*at < '0' || *at > '9')
		return -EINVAL;
	for (; *at >= '0' && *at <= '9'; at++) {
		if (__builtin_mul_overflow(seconds, (uint64_t)10, &seconds) ||
		    __builtin_add_overflow(seconds, (uint64_t)(*at - '0'), &seconds) ||
		    seconds > INT64_MAX)
			return -ERANGE;
	}
	fraction = take_fraction(&at);
	if (fraction < 0 || *at)
		return -EINVAL;
	return to_ns(negative ? -(int64_t)seconds : (int64_t)seconds,
	             negative ? -fraction : fraction, ret_time_ns);
}

static int take_clock(const char **at, struct tm *tm, long *ret_fraction)
{
	*ret_fraction = 0;
	tm->tm_hour = take_digits(at, 2);
	tm->tm_min = take(at, ':') ? take_digits(at, 2) : -1;
	if (take(at, ':')) {
		tm->tm_sec = take_digits(at, 2);
		*ret_fraction = take_fraction(at);
	}
	if (tm->tm_hour < 0 || tm->tm_hour > 23 || tm->tm_min < 0 || tm->tm_min > 59 ||
	    tm->tm_sec < 0 || tm->tm_sec > 60 || *ret_fraction < 0)
		return -EINVAL;
	return 0;
}

static int parse_date(const char *at, int64_t *ret_time_ns)
{
	struct tm tm = {.tm_isdst = -1}, made;
	long fraction = 0, offset_s;
	bool local;
	time_t seconds;

	tm.tm_year = take_digits(&at, 4) - 1900;
	if (tm.tm_year < -1900 || !take(&at, '-'))
		return -EINVAL;
	tm.tm_mon = take_digits(&at, 2) - 1;
	if (tm.tm_mon < 0 || !take(&at, '-'))
		return -EINVAL;
	tm.tm_mday = take_digits(&at, 2);
	if (tm.tm_mday < 1)
		return -EINVAL;
	if ((take(&at, 'T') || take(&at, ' ')) && take_clock(&at, &tm, &fraction))
		return -EINVAL;
	if (take_zone(at, &local, &offset_s))
		return -EINVAL;
	made = tm;
	seconds = local ? mktime(&made) : timegm(&made);
	/* The thirtieth of February is made the second of March. */
	if (tm.tm_mon > 11 || made.tm_mday != tm.tm_mday || made.tm_mon != tm.tm_mon) {
		/* But for a leap second at the end of a day. */
		if (tm.tm_mon > 11 || tm.tm_sec != 60)
			return -EINVAL;
	}
	return to_ns((int64_t)seconds - offset_s, fraction, ret_time_ns);
}

int number_parse_time(const char *text, int64_t *ret_time_ns)
{
	if (!strcmp(text, "now")) {
		*ret_time_ns = INT64_MAX;
		return 0;
	}
	if (!strcmp(text, "keep")) {
		*ret_time_ns = INT64_MIN;
		return 0;
	}
	return *text == '@' ? parse_seconds(text + 1, ret_time_ns) : parse_date(text, ret_time_ns);
}
