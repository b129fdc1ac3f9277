/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "archive/deflate.h"
#include "archive/inflate.h"

#include "temp.h"

#include <sys/mman.h>

/* Text that compresses, and more of it than any buffer holds. */
static char *make(size_t size)
{
	char *data = malloc(size + 1);
	uint32_t state = 1;

	for (size_t i = 0; i < size; i++) {
		state = state * 1664525 + 1013904223;
		data[i] = (char)('a' + (state >> 24) % 7);
	}
	return data;
}

static void round_trip(enum compression how, size_t size, size_t piece)
{
	auto_close int fd = memfd_create("deflate", MFD_CLOEXEC);
	AUTO(deflate_free) struct deflate *d = deflate_new(how, fd);
	AUTO(inflate_free) struct inflate *f = NULL;
	auto_free char *data = make(size);
	char digest[DIGEST_TEXT_MAX];
	const void *back = NULL;
	uint64_t written = 0;
	size_t at = 0;
	ssize_t n;

	for (size_t i = 0; i < size; i += piece)
		assert_int_equal(deflate_write(d, data + i, size - i < piece ? size - i : piece, NULL), 0);
	assert_int_equal(deflate_finish(d, digest, &written, NULL), 0);
	assert_int_equal(lseek(fd, 0, SEEK_END), written);
	assert_true(digest_is_valid(digest));
	if (how != COMPRESSION_NONE && size > 1000)
		assert_true(written < size / 2);
	f = inflate_new(fd, -1, DIGEST_SHA256);
	while ((n = inflate_read(f, &back, NULL)) > 0) {
		assert_true(at + (size_t)n <= size);
		assert_memory_equal(back, data + at, (size_t)n);
		at += (size_t)n;
	}
	assert_int_equal(n, 0);
	assert_int_equal(at, size);
}

static void test_what_was_compressed_comes_back(void **state)
{
	static const size_t sizes[] = {1, 1000, 65536, 1 << 20, (5 << 20) + 13};

	for (enum compression how = COMPRESSION_NONE; how < COMPRESSIONS; how++)
		for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
			round_trip(how, sizes[i], sizes[i]);
			round_trip(how, sizes[i], 4099);
		}
}

static void test_the_same_bytes_give_the_same_file(void **state)
{
	auto_free char *data = make(100000);

	for (enum compression how = COMPRESSION_NONE; how < COMPRESSIONS; how++) {
		char digests[2][DIGEST_TEXT_MAX];

		for (int i = 0; i < 2; i++) {
			auto_close int fd = memfd_create("deflate", MFD_CLOEXEC);
			AUTO(deflate_free) struct deflate *d = deflate_new(how, fd);
			uint64_t size;

			assert_int_equal(deflate_write(d, data, 100000, NULL), 0);
			assert_int_equal(deflate_finish(d, digests[i], &size, NULL), 0);
		}
		assert_string_equal(digests[0], digests[1]);
	}
}

static void test_a_full_disk_is_told(void **state)
{
	auto_close int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
	AUTO(deflate_free) struct deflate *d = deflate_new(COMPRESSION_GZIP, fd);
	auto_free char *data = make(1 << 20);
	char digest[DIGEST_TEXT_MAX];
	uint64_t size;
	int r = deflate_write(d, data, 1 << 20, NULL);

	assert_int_equal(r < 0 ? r : deflate_finish(d, digest, &size, NULL), -ENOSPC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_was_compressed_comes_back),
		cmocka_unit_test(test_the_same_bytes_give_the_same_file),
		cmocka_unit_test(test_a_full_disk_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
