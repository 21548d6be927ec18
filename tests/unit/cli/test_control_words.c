/* SPDX-License-Identifier: MIT */
/* The words of the control socket, without a socket. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "cli/control_words.h"

static int make(void **state)
{
	struct iobatch_control *control;

	if (iobatch_control_new(&control))
		return -1;
	*state = control;
	return 0;
}

static int unmake(void **state)
{
	iobatch_control_free(*state);
	return 0;
}

static const char *answer_to(void *control, const char *line)
{
	static char answer[CONTROL_ANSWER_MAX + 1];
	char copy[CONTROL_LINE_MAX];
	size_t length;

	strcpy(copy, line);
	memset(answer, 'x', sizeof(answer));
	length = control_words(control, 4, copy, answer);
	assert_in_range(length, 1, CONTROL_ANSWER_MAX - 1);
	assert_int_equal(strlen(answer), length);
	assert_int_equal(answer[length - 1], '\n');
	assert_null(memchr(answer, '\n', length - 1));
	return answer;
}

static void status_is_an_object_of_one_line(void **state)
{
	const char *text = answer_to(*state, "status");
	json_error_t error;
	json_t *object = json_loads(text, 0, &error);

	assert_non_null(object);
	assert_string_equal(json_string_value(json_object_get(object, "state")), "waiting");
	assert_int_equal(json_integer_value(json_object_get(object, "in_flight")), 0);
	assert_int_equal(json_integer_value(json_object_get(object, "processed")), 0);
	assert_true(json_is_number(json_object_get(object, "items_per_s")));
	assert_true(json_is_false(json_object_get(object, "total_is_final")));
	json_decref(object);
}

static void what_can_be_done_is_done(void **state)
{
	static const char *const lines[] = {
		"pause",
		"resume",
		"drain",
		"cancel",
		"set max_concurrent=1",
		"set delay_ms=0",
		"set items_per_s=1000000000",
	};

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		assert_string_equal(answer_to(*state, lines[i]), "ok\n");
}

static void what_cannot_is_refused_in_one_line(void **state)
{
	static const char *const lines[] = {
		"",
		"paus",
		"pause ",
		"Status",
		"set",
		"set ",
		"set =",
		"set delay_ms",
		"set delay_ms=",
		"set delay_ms=-1",
		"set delay_ms=+1",
		"set delay_ms= 1",
		"set delay_ms=1s",
		"set delay_ms=18446744073709551615",
		"set delay_ms=18446744073709551616",
		"set max_concurrent=0",
		"set items_per_s=1000000001",
		"set rings=1",
		"set  delay_ms=1",
	};

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		assert_memory_equal(answer_to(*state, lines[i]), "error: ", 7);
}

static void what_a_terminal_would_obey_is_escaped(void **state)
{
	char line[CONTROL_LINE_MAX];

	memset(line, '\033', sizeof(line) - 1);
	line[sizeof(line) - 1] = '\0';
	assert_null(strchr(answer_to(*state, line), '\033'));
	memcpy(line, "set ", 4);
	line[sizeof(line) - 2] = '=';
	assert_null(strchr(answer_to(*state, line), '\033'));
}

static void what_is_in_flight_is_what_was_begun_and_is_not_over(void **state)
{
	struct iobatch_progress progress = {.processed = 0};

	(void)state;
	assert_int_equal(control_in_flight(&progress, 4), 0);
	progress.pending = 10;
	assert_int_equal(control_in_flight(&progress, 4), 0);
	progress.current_batch = 2;
	assert_int_equal(control_in_flight(&progress, 4), 8);
	progress.processed = 3;
	progress.pending = 7;
	assert_int_equal(control_in_flight(&progress, 4), 5);
	/* The last batch is not full. */
	progress.current_batch = 3;
	assert_int_equal(control_in_flight(&progress, 4), 7);
	progress.processed = 10;
	progress.pending = 0;
	assert_int_equal(control_in_flight(&progress, 4), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(status_is_an_object_of_one_line, make, unmake),
		cmocka_unit_test_setup_teardown(what_can_be_done_is_done, make, unmake),
		cmocka_unit_test_setup_teardown(what_cannot_is_refused_in_one_line, make, unmake),
		cmocka_unit_test_setup_teardown(what_a_terminal_would_obey_is_escaped, make,
	                                        unmake),
		cmocka_unit_test(what_is_in_flight_is_what_was_begun_and_is_not_over),
	};

	return cmocka_run_group_tests_name("cli/control_words", tests, NULL, NULL);
}
