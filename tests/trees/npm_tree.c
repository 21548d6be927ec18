/* SPDX-License-Identifier: MIT */
/*
 * A tree in the shape of a large node_modules, the same each time: many small files in many
 * directories, packages in packages, links to commands.
 *
 *     npm_tree DIRECTORY [FILES]      50,000 files unless it is given
 */
#include "make.h"

static struct {
	uint64_t random;
	long left;
	unsigned package;
} tree = {.random = 20260101};

static uint32_t below(uint32_t limit)
{
	return (uint32_t)(make_random(&tree.random) >> 32) % limit;
}

/* Most are small, some are not. */
static uint64_t size(void)
{
	uint32_t kind = below(1000);

	if (kind < 20)
		return 0;
	if (kind < 960)
		return 200 + below(8000);
	if (kind < 998)
		return 8192 + below(60000);
	return 200000 + below(400000);
}

static void file(int directory, const char *name)
{
	if (tree.left <= 0)
		return;
	make_file(directory, name, size(), make_random(&tree.random));
	tree.left--;
}

static void sources(int package, const char *name, const char *suffix, uint32_t count, int levels)
{
	int directory = make_directory(package, name, 0755);

	for (uint32_t i = 0; i < count && tree.left > 0; i++) {
		char part[64];

		snprintf(part, sizeof(part), "%s%u%s", below(2) ? "util-" : "index", i, suffix);
		file(directory, part);
		if (below(4) == 0) {
			strcat(part, ".map");
			file(directory, part);
		}
	}
	if (levels > 0 && below(2))
		sources(directory, "internal", suffix, count / 2 + 1, levels - 1);
	close(directory);
}

static void package_of(int modules, int commands, int levels)
{
	static const char *const words[] = {"left", "pad",    "async", "loader", "core",
	                                    "type", "stream", "is",    "parse",  "lib"};
	char name[64], target[96];
	int package, nested;

	snprintf(name, sizeof(name), "%s-%s-%u", words[below(10)], words[below(10)],
	         tree.package++);
	package = make_directory(modules, name, 0755);
	file(package, "package.json");
	file(package, "README.md");
	file(package, "LICENSE");
	file(package, "index.js");
	if (below(3) == 0)
		file(package, "index.d.ts");
	sources(package, "lib", ".js", 2 + below(12), 2);
	if (below(2))
		sources(package, "dist", ".min.js", 2 + below(6), 0);
	if (below(3) == 0)
		sources(package, "types", ".d.ts", 4 + below(10), 0);
	if (below(3) == 0)
		sources(package, "test", ".test.js", below(5), 0);
	if (below(5) == 0) {
		snprintf(target, sizeof(target), "../%s/index.js", name);
		if (symlinkat(target, commands, name))
			err(1, "%s", name);
		if (fchmodat(package, "index.js", 0755, 0) && errno != ENOENT)
			err(1, "%s", name);
	}
	if (levels > 0 && below(8) == 0) {
		nested = make_directory(package, "node_modules", 0755);
		for (uint32_t i = below(4) + 1; i > 0 && tree.left > 0; i--)
			package_of(nested, commands, levels - 1);
		close(nested);
	}
	close(package);
}

int main(int argc, char **argv)
{
	int root, modules, commands, scope;

	if (argc != 2 && argc != 3)
		errx(2, "usage: npm_tree DIRECTORY [FILES]");
	tree.left = argc == 3 ? atol(argv[2]) : 50000;
	umask(022);
	root = make_directory(AT_FDCWD, argv[1], 0755);
	modules = make_directory(root, "node_modules", 0755);
	commands = make_directory(modules, ".bin", 0755);
	scope = make_directory(modules, "@types", 0755);
	file(root, "package.json");
	file(root, "package-lock.json");
	while (tree.left > 0)
		package_of(below(6) ? modules : scope, commands, 3);
	return 0;
}
