/* SPDX-License-Identifier: MIT */
/*
 * For the shell: prints one value of a JSON file.
 *
 *     json_get FILE KEY...     such as: json_get result.json failed 0 error
 *
 * Each KEY is a member's name or a list's index. A text is printed as it is, an object or a list as
 * the number of what is in it, anything else as JSON. Exit status 1 when there is no such value.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
	json_error_t error;
	json_t *root, *value;

	if (argc < 2)
		return 2;
	root = json_load_file(argv[1], JSON_DECODE_ANY, &error);
	if (!root) {
		fprintf(stderr, "%s:%d: %s\n", argv[1], error.line, error.text);
		return 1;
	}
	value = root;
	for (int i = 2; i < argc && value; i++) {
		if (json_is_array(value))
			value = json_array_get(value, strtoul(argv[i], NULL, 10));
		else
			value = json_object_get(value, argv[i]);
	}
	if (json_is_string(value))
		fputs(json_string_value(value), stdout);
	else if (json_is_array(value) || json_is_object(value))
		printf("%zu",
		       json_is_array(value) ? json_array_size(value) : json_object_size(value));
	else if (value)
		json_dumpf(value, stdout, JSON_ENCODE_ANY);
	putchar('\n');
	json_decref(root);
	return value ? 0 : 1;
}
