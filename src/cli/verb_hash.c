/* SPDX-License-Identifier: MIT */
/* `iobatch hash`, `iobatch verify` and `iobatch compare`. */
#include "cli/verb.h"
#include "cli/verbs.h"

#include <stdio.h>
#include <string.h>

#define BLOCK_OPTIONS                                                                    \
	{"block-size",  0,   "SIZE", "Bytes that are read at once (128KiB)", VERB_VALUE, \
	 ".block_size", NULL},                                                           \
		{"depth", 0, "N", "Blocks of one file in flight (4)", VERB_VALUE, ".depth", NULL},

static const struct verb_option hash_options[] = {
	{"algorithm", 'a', "NAME", "xxh3 (the default), xxh3-128, sha256, blake2b or crc32c",
         VERB_VALUE, ".algorithm", NULL},
	{"manifest", 'm', "FILE", "Write the digests to FILE, whole at the end (stdout)",
         VERB_VALUE, ".manifest", NULL},
	BLOCK_OPTIONS{0},
};

static void build_hash(struct verb_run *run, char **names, size_t count)
{
	verb_items(run, names, count, "a PATH");
	verb_put_default(run, "processor.hash.manifest", "-");
}

const struct verb verb_hash = {
	.name = "hash",
	.full_name = (char[]){"iobatch hash"},
	.processor = "hash",
	.arguments = "PATH...\n--files-from=FILE",
	.summary = "print the checksum of each file",
	.doc = "Print the checksum of each file, in the form that sha256sum and others check.\v"
	       "Directories stand for the files in them. xxh3 is the fastest, and no\n"
	       "protection against somebody who means to deceive: sha256 and blake2b are.\n"
	       "\n"
	       "Examples:\n"
	       "  iobatch hash -a sha256 /usr/share/doc >doc.sha256\n"
	       "  iobatch hash --manifest=photos.xxh3 --rings=auto photos\n" VERB_EXIT_STATUS,
	.groups = {{"Digests:", hash_options}, VERB_FILTERS, VERB_LISTS, VERB_COMMON},
	.build = build_hash,
};

static const struct verb_option verify_options[] = {
	{"algorithm", 'a', "NAME", "Of lines that do not say (by the digest's length)", VERB_VALUE,
         "items.manifest.algorithm", NULL},
	{"root", 0, "DIR", "The files are below DIR, and none may lead out of it", VERB_VALUE,
         "items.manifest.root", NULL},
	{"quiet", 'q', NULL, "No lines for what is OK", VERB_FIXED, ".quiet", "yes"},
	{"report", 0, "FILE", "Write the lines to FILE, whole at the end (stdout)", VERB_VALUE,
         ".report", NULL},
	BLOCK_OPTIONS{0},
};

static void build_verify(struct verb_run *run, char **names, size_t count)
{
	if (count != 1 || !*names[0])
		verb_refuse(run, "one MANIFEST at a time is verified");
	verb_put(run, "items.manifest.file", names[0]);
	verb_put_default(run, "processor.verify.report", "-");
}

const struct verb verb_verify = {
	.name = "verify",
	.full_name = (char[]){"iobatch verify"},
	.processor = "verify",
	.arguments = "MANIFEST",
	.summary = "check files against the checksums of a manifest",
	.doc = "Check files against a manifest of sha256sum, b2sum, xxhsum or iobatch hash.\v"
	       "A line for each file: OK, FAILED, MISSING, or ERROR with its reason. - is\n"
	       "standard input.\n"
	       "\n"
	       "Examples:\n"
	       "  iobatch verify --quiet doc.sha256\n"
	       "  iobatch verify --root=/mnt/copy photos.xxh3\n" VERB_EXIT_STATUS,
	.groups = {{"Digests:", verify_options}, VERB_COMMON},
	.build = build_verify,
};

static const struct verb_option compare_options[] = {
	{"content", 'c', NULL, "Compare every byte, and not the modification time", VERB_NOTE, NULL,
         NULL},
	{"what", 0, "LIST", "Of type, size, mtime, mode, owner, content (the first five)",
         VERB_WORDS, ".what", NULL},
	{"report", 0, "FILE", "Write the differences to FILE, whole at the end (stdout)",
         VERB_VALUE, ".report", NULL},
	BLOCK_OPTIONS{0},
};

static void build_compare(struct verb_run *run, char **names, size_t count)
{
	if (count != 2 || !*names[0] || !*names[1])
		verb_refuse(run, "two trees are compared, A and B");
	if (verb_noted(run, "content"))
		verb_words_default(run, "processor.compare.what", "type,size,mode,owner,content");
	verb_put(run, "processor.compare.first", names[0]);
	verb_put(run, "processor.compare.other", names[1]);
	verb_put_default(run, "processor.compare.report", "-");
}

const struct verb verb_compare = {
	.name = "compare",
	.full_name = (char[]){"iobatch compare"},
	.processor = "compare",
	.arguments = "A B",
	.summary = "say how two trees differ",
	.doc = "Say how two trees differ, in what they have and in what it is.\v"
	       "A line for each difference, and exit status 1 when there is one.\n"
	       "\n"
	       "Examples:\n"
	       "  iobatch compare photos /backup/photos\n"
	       "  iobatch compare --content --exclude=.git a b\n" VERB_EXIT_STATUS,
	.groups = {{"What is compared:", compare_options}, VERB_FILTERS, VERB_COMMON},
	.build = build_compare,
};
