/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Feeds files to a fuzz target without a fuzzer, so that every corpus is a test with any compiler.
 *
 *     replay_TARGET FILE|DIRECTORY...
 */
#include "base/fd.h"

#include <dirent.h>
#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_MAX = 64 << 20 };

static size_t replay_file(int dir, const char *name)
{
	AUTO_VALUE(buf_done) struct buf input = {0};
	struct nook_error e = NOOK_ERROR_INIT;
	char text[1024];

	(void)fprintf(stderr, "%s\n", name); /* the last name before a crash is the culprit */
	if (file_read(dir, name, INPUT_MAX, &input, &e) < 0) {
		(void)nook_error_text(&e, text, sizeof(text));
		(void)fprintf(stderr, "replay: %s\n", text);
		exit(1);
	}
	(void)LLVMFuzzerTestOneInput((const uint8_t *)buf_text(&input), input.len);
	return 1;
}

static size_t replay(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	size_t n = 0;

	if (!dir)
		return replay_file(AT_FDCWD, path);
	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			n += replay_file(dirfd(dir), entry->d_name);
	(void)closedir(dir);
	return n;
}

int main(int argc, char **argv)
{
	size_t n = 0;

	for (int i = 1; i < argc; i++)
		n += replay(argv[i]);
	(void)printf("%zu inputs\n", n);
	return n ? 0 : 1;
}
