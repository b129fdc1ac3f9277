/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files that get their names when they are whole, and files with holes. */
#include "disk/draft.h"
#include "disk/sparse.h"
#include "temp.h"

enum { BYTES = 8 << 20, ISLAND = 1 << 20 };

static off_t allocated(int fd)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	return st.st_blocks * 512;
}

static const char *in(const struct temp *t, const char *name, char *path)
{
	(void)snprintf(path, 128, "%s/%s", t->path, name);
	return path;
}

static void test_a_draft_has_no_name_until_it_is_published(void **state)
{
	struct temp *t = *state;
	struct nook_error e = NOOK_ERROR_INIT;
	AUTO_VALUE(draft_done) struct draft d = DRAFT_INIT;
	char path[128];

	assert_int_equal(draft_open(&d, in(t, "new", path), &e), 0);
	assert_int_equal(fd_write(d.fd, "x", 1), 0);
	assert_int_equal(faccessat(t->dir, "new", F_OK, 0), -1);
	assert_int_equal(draft_publish(&d, path, &e), 0);
	assert_int_equal(faccessat(t->dir, "new", F_OK, 0), 0);
	assert_int_equal(draft_open(&d, path, &e), -EEXIST);
}

static void test_who_is_faster_keeps_the_name(void **state)
{
	struct temp *t = *state;
	struct nook_error e = NOOK_ERROR_INIT;
	AUTO_VALUE(draft_done) struct draft d = DRAFT_INIT;
	char path[128];

	assert_int_equal(draft_open(&d, in(t, "new", path), &e), 0);
	temp_write(t->dir, "new", "theirs");
	assert_int_equal(draft_publish(&d, path, &e), -EEXIST);
}

static void test_copies_keep_holes(void **state)
{
	struct temp *t = *state;
	struct nook_error e = NOOK_ERROR_INIT;
	char data[2][4096];
	auto_close int from = openat(t->dir, "from", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	auto_close int to = openat(t->dir, "to", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	memset(data[0], 'x', sizeof(data[0]));
	assert_int_equal(ftruncate(from, BYTES), 0);
	assert_int_equal(pwrite(from, data[0], sizeof(data[0]), ISLAND), sizeof(data[0]));
	assert_int_equal(sparse_copy(from, to, REFLINK_NEVER, "to", &e), 0);
	assert_int_equal(pread(to, data[1], sizeof(data[1]), ISLAND), sizeof(data[1]));
	assert_memory_equal(data[0], data[1], sizeof(data[0]));
	assert_int_equal(lseek(to, 0, SEEK_END), BYTES);
	assert_true(allocated(to) < ISLAND);
}

static void test_zeros_are_dug_out_and_nothing_else(void **state)
{
	struct temp *t = *state;
	struct nook_error e = NOOK_ERROR_INIT;
	char *zeros = calloc(1, BYTES), byte = 'x';
	auto_close int fd = openat(t->dir, "file", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	assert_non_null(zeros);
	assert_int_equal(fd_write(fd, zeros, BYTES), 0);
	assert_int_equal(pwrite(fd, &byte, 1, ISLAND + 7), 1);
	assert_int_equal(sparse_dig(fd, "file", &e), 0);
	byte = 0;
	assert_int_equal(pread(fd, &byte, 1, ISLAND + 7), 1);
	assert_int_equal(byte, 'x');
	assert_int_equal(lseek(fd, 0, SEEK_END), BYTES);
	assert_true(allocated(fd) < ISLAND);
	free(zeros);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		temp_test(test_a_draft_has_no_name_until_it_is_published),
		temp_test(test_who_is_faster_keeps_the_name),
		temp_test(test_copies_keep_holes),
		temp_test(test_zeros_are_dug_out_and_nothing_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
