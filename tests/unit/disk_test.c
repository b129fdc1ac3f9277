/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files that get their names when they are whole, and files with holes. */
#include "disk/draft.h"
#include "disk/note.h"
#include "disk/sparse.h"
#include "temp.h"

#include <endian.h>

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

static void test_a_note_is_found_behind_what_a_file_holds(void **state)
{
	struct temp *t = *state;
	struct nook_error e = NOOK_ERROR_INIT;
	AUTO(arena_free) struct arena *a = arena_new();
	auto_close int fd = openat(t->dir, "note", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	const size_t sizes[] = {0, 4079, 4080, 4081, 10000};
	const char *found = NULL;
	uint64_t bytes = 0;

	assert_int_equal(note_find(fd, a, &found, &bytes, "note", &e), 0);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		char *text = arena_alloc(a, sizes[i] + 1);
		struct stat st;

		memset(text, 'x', sizes[i]);
		assert_int_equal(ftruncate(fd, 5000), 0);
		assert_int_equal(note_append(fd, text, "note", &e), 0);
		assert_int_equal(note_find(fd, a, &found, &bytes, "note", &e), 1);
		assert_string_equal(found, text);
		assert_int_equal(fstat(fd, &st), 0);
		/* At a multiple of 4096, so that a loop device shows all of what was there. */
		assert_int_equal(st.st_size - (off_t)bytes, 8192);
		assert_int_equal(st.st_size % 4096, 0);
	}
}

static void test_a_note_with_a_wrong_length_is_refused(void **state)
{
	struct temp *t = *state;
	struct nook_error e = NOOK_ERROR_INIT;
	AUTO(arena_free) struct arena *a = arena_new();
	auto_close int fd = openat(t->dir, "note", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	const uint64_t lengths[] = {htole64(4081), htole64(UINT64_MAX), htole64(UINT64_MAX - 20)};
	const char *found = NULL;

	assert_int_equal(note_append(fd, "text", "note", &e), 0);
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		assert_int_equal(pwrite(fd, &lengths[i], sizeof(lengths[i]), 4096 - 16), 8);
		assert_int_equal(note_find(fd, a, &found, NULL, "note", &e), -EINVAL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		temp_test(test_a_draft_has_no_name_until_it_is_published),
		temp_test(test_who_is_faster_keeps_the_name),
		temp_test(test_copies_keep_holes),
		temp_test(test_zeros_are_dug_out_and_nothing_else),
		temp_test(test_a_note_is_found_behind_what_a_file_holds),
		temp_test(test_a_note_with_a_wrong_length_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
