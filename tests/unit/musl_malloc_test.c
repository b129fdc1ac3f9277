/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The heap of nook-oci and nook-shim, under names of its own. */
#include "tests.h"

#include <errno.h>
#include <sys/mman.h>

void *small_malloc(size_t size);
void *small_calloc(size_t n, size_t size);
void *small_realloc(void *p, size_t size);
void small_free(void *p);

#define malloc small_malloc
#define calloc small_calloc
#define realloc small_realloc
#define free small_free
#include "musl/malloc.c"

static void test_blocks_are_apart_aligned_and_used_again(void **state)
{
	enum { N = 20000 };
	static unsigned char *blocks[N];
	static size_t sizes[N];
	unsigned seed = 1;

	(void)state;
	for (int round = 0; round < 3; round++)
		for (int i = 0; i < N; i++) {
			size_t old = blocks[i] ? sizes[i] : 0;

			seed = seed * 1103515245 + 12345;
			sizes[i] = seed >> 16 & (seed & 0x700 ? 127 : 8191);
			if (round == 1) {
				blocks[i] = small_realloc(blocks[i], sizes[i] + 1);
			} else {
				small_free(blocks[i]);
				blocks[i] = small_malloc(sizes[i] + 1);
			}
			assert_non_null(blocks[i]);
			assert_int_equal((uintptr_t)blocks[i] % 16, 0);
			if (round == 1)
				for (size_t b = 0; b < (old < sizes[i] ? old : sizes[i]); b++)
					assert_int_equal(blocks[i][b], (unsigned char)i);
			memset(blocks[i], i, sizes[i]);
		}
	for (int i = 0; i < N; i++)
		for (size_t b = 0; b < sizes[i]; b++)
			assert_int_equal(blocks[i][b], (unsigned char)i);
	for (int i = 0; i < N; i++)
		small_free(blocks[i]);
	void *freed = blocks[N - 1];
	assert_ptr_equal(small_malloc(sizes[N - 1] + 1), freed);
}

static void test_large_ones_come_from_the_kernel_and_go_back(void **state)
{
	char *p = small_malloc(3 << 20);

	(void)state;
	if (!p)
		abort();
	p[(3 << 20) - 1] = 7;
	p = small_realloc(p, 9 << 20);
	if (!p)
		abort();
	assert_int_equal(p[(3 << 20) - 1], 7);
	small_free(p);
}

static void test_zeroed_and_impossible(void **state)
{
	volatile size_t huge = SIZE_MAX / 2;
	unsigned char *p = small_malloc(1000);

	(void)state;
	if (!p)
		abort();
	memset(p, 255, 1000);
	small_free(p);
	p = small_calloc(10, 100);
	if (!p)
		abort();
	for (int i = 0; i < 1000; i++)
		assert_int_equal(p[i], 0);
	assert_null(small_malloc(huge));
	assert_int_equal(errno, ENOMEM);
	assert_null(small_calloc(huge, 3));
	small_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_blocks_are_apart_aligned_and_used_again),
		cmocka_unit_test(test_large_ones_come_from_the_kernel_and_go_back),
		cmocka_unit_test(test_zeroed_and_impossible),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
