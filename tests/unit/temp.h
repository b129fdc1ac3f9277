/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A temporary directory of a test's own, removed again. */
#pragma once

#include "base/fd.h"
#include "tests.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

struct temp {
	char path[64];
	int dir;
};

static inline int temp_make(void **state)
{
	struct temp *t = calloc(1, sizeof(*t));

	if (!t)
		return -1;
	(void)snprintf(t->path, sizeof(t->path), "/tmp/nook-unit-XXXXXX");
	if (!mkdtemp(t->path))
		return -1;
	t->dir = open(t->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*state = t;
	return t->dir < 0 ? -1 : 0;
}

static inline int temp_remove(void **state)
{
	struct temp *t = *state;
	int r;

	(void)close(t->dir);
	r = tree_remove(AT_FDCWD, t->path, NULL);
	free(t);
	return r;
}

static inline void temp_write(int dir, const char *name, const char *text)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(fd_write(fd, text, strlen(text)), 0);
	(void)close(fd);
}

#define temp_test(f) cmocka_unit_test_setup_teardown(f, temp_make, temp_remove)
