/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Superblocks made by hand: what is told of them, and what is refused. */
#include "sys/fsimage.h"
#include "temp.h"

#include <sys/file.h>
#include <sys/mman.h>

static void put(uint8_t *to, uint64_t value, int bytes)
{
	for (int i = 0; i < bytes; i++)
		to[i] = (uint8_t)(value >> 8 * i);
}

static int image_of(const uint8_t *super, size_t len, off_t at)
{
	int fd = memfd_create("image", MFD_CLOEXEC);

	assert_true(fd >= 0 && pwrite(fd, super, len, at) == (ssize_t)len);
	return fd;
}

static void ext4_super(uint8_t *s)
{
	put(s + 0x04, 1000, 4);
	put(s + 0x18, 2, 4); /* 4096 */
	put(s + 0x38, 0xef53, 2);
	memcpy(s + 0x78, "a label of 16...", 16);
}

static void test_what_a_superblock_says(void **state)
{
	uint8_t s[1024] = {0};
	struct fsimage f;

	(void)state;
	ext4_super(s);
	put(s + 0x60, 0x84, 4); /* 64bit, needs recovery */
	put(s + 0x150, 1, 4);
	auto_close int fd = image_of(s, sizeof(s), 1024);

	assert_int_equal(fsimage_probe(fd, "x", &f, NULL), 0);
	assert_int_equal(f.type, FSIMAGE_EXT4);
	assert_int_equal(f.bytes, ((UINT64_C(1) << 32) + 1000) * 4096);
	assert_string_equal(f.label, "a label of 16...");
	assert_true(f.dirty);
}

static void test_images_that_pull_in_other_devices_are_refused(void **state)
{
	uint8_t ext4[1024] = {0}, xfs[1024] = "XFSB", btrfs[1024] = {0}, erofs[1024] = "\xe2\xe1\xf5\xe0";
	struct nook_error e = NOOK_ERROR_INIT;
	struct fsimage f;

	(void)state;
	ext4_super(ext4);
	put(ext4 + 0xe4, 0x801, 4);
	memcpy(btrfs + 0x40, "_BHRfS_M", 8);
	put(btrfs + 0x88, 2, 8);
	put(erofs + 86, 1, 2);
	const struct {
		const uint8_t *super;
		off_t at;
		const char *why;
	} cases[] = {
		{ext4, 1024, "journal on another device"}, {xfs, 0, "log on another device"},
		{btrfs, 65536, "more than one device"}, {erofs, 1024, "on other devices"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		auto_close int fd = image_of(cases[i].super, 1024, cases[i].at);

		assert_int_equal(fsimage_probe(fd, "x", &f, &e), -EINVAL);
		assert_non_null(strstr(e.detail, cases[i].why));
	}
}

static void test_impossible_block_sizes_do_no_harm(void **state)
{
	uint8_t s[1024] = {0};
	struct fsimage f;

	(void)state;
	ext4_super(s);
	put(s + 0x18, 0xffffffff, 4);
	auto_close int fd = image_of(s, sizeof(s), 1024);

	assert_int_equal(fsimage_probe(fd, "x", &f, NULL), 0);
	assert_int_equal(f.block_bytes, 0);
	assert_int_equal(f.bytes, 0);
}

static void test_what_is_no_image(void **state)
{
	struct temp *t = *state;
	struct nook_error e = NOOK_ERROR_INIT;
	struct fsimage f;
	char path[128];

	temp_write(t->dir, "short", "XF");
	(void)snprintf(path, sizeof(path), "%s/short", t->path);
	auto_close int fd = fsimage_open(path, FSIMAGE_READ_ONLY, &e);

	assert_true(fd >= 0);
	assert_int_equal(fsimage_probe(fd, path, &f, &e), -EINVAL);
	assert_int_equal(fsimage_open(t->path, FSIMAGE_READ_ONLY, &e), -EINVAL);
	assert_int_equal(e.step, STEP_DISK);
	assert_int_equal(fsimage_find("vfat"), -1);
}

static void test_writers_are_alone_and_readers_share(void **state)
{
	struct temp *t = *state;
	struct nook_error e = NOOK_ERROR_INIT;
	char path[128];

	temp_write(t->dir, "disk", "");
	(void)snprintf(path, sizeof(path), "%s/disk", t->path);
	{
		auto_close int one = fsimage_open(path, FSIMAGE_READ_ONLY, &e);
		auto_close int other = fsimage_open(path, FSIMAGE_READ_ONLY, &e);

		assert_true(one >= 0 && other >= 0);
		assert_int_equal(fsimage_open(path, FSIMAGE_WRITABLE, &e), -EBUSY);
		assert_string_equal(e.detail, "is in use");
	}
	auto_close int alone = fsimage_open(path, FSIMAGE_WRITABLE, &e);

	assert_true(alone >= 0);
	assert_int_equal(fsimage_open(path, FSIMAGE_READ_ONLY, &e), -EBUSY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_a_superblock_says),
		cmocka_unit_test(test_images_that_pull_in_other_devices_are_refused),
		cmocka_unit_test(test_impossible_block_sizes_do_no_harm),
		temp_test(test_what_is_no_image),
		temp_test(test_writers_are_alone_and_readers_share),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
