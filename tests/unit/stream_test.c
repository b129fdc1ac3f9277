/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Trees through a tar stream and back, without root. */
#include "stream/header.h"
#include "stream/owners.h"
#include "stream/tree.h"
#include "temp.h"

#include <sys/mman.h>

static int stream_of(const struct temp *t, const char *name, const char *as)
{
	struct nook_error e = NOOK_ERROR_INIT;
	int fd = memfd_create("stream", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(tree_write(t->dir, name, as, 0, fd, &e), 0);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

static void make_tree(const struct temp *t)
{
	assert_int_equal(mkdirat(t->dir, "tree", 0755), 0);
	assert_int_equal(mkdirat(t->dir, "tree/sub", 0700), 0);
	temp_write(t->dir, "tree/sub/file", "content");
	assert_int_equal(linkat(t->dir, "tree/sub/file", t->dir, "tree/hard", 0), 0);
	assert_int_equal(symlinkat("sub/file", t->dir, "tree/link"), 0);
	assert_int_equal(mkdirat(t->dir, "out", 0755), 0);
}

static struct tree_in into(const struct temp *t, const char *name)
{
	return (struct tree_in){.root = openat(t->dir, name, O_PATH | O_DIRECTORY | O_CLOEXEC), .prefix = ""};
}

static void test_a_tree_comes_back(void **state)
{
	struct temp *t = *state;
	struct nook_error e = NOOK_ERROR_INIT;
	struct stat one, other;

	make_tree(t);
	auto_close int fd = stream_of(t, "tree", "tree");
	struct tree_in in = into(t, "out");

	assert_int_equal(tree_read(&in, fd, &e), 0);
	(void)close(in.root);
	assert_int_equal(fstatat(t->dir, "out/tree/sub/file", &one, 0), 0);
	assert_int_equal(fstatat(t->dir, "out/tree/hard", &other, 0), 0);
	assert_int_equal(one.st_ino, other.st_ino);
	assert_int_equal(one.st_size, 7);
	assert_int_equal(fstatat(t->dir, "tree/sub", &one, 0), 0);
	assert_int_equal(fstatat(t->dir, "out/tree/sub", &other, 0), 0);
	assert_int_equal(other.st_mode, one.st_mode);
	assert_int_equal(other.st_mtim.tv_nsec, one.st_mtim.tv_nsec);
}

static enum tree_verdict judge(void *data, const char *name, const struct stat *st)
{
	(void)data;
	if (strcmp(name, "tree/sub") == 0 || S_ISLNK(st->st_mode))
		return TREE_LEAVE_OUT;
	return strcmp(name, "tree/hard") == 0 ? TREE_EMPTY : TREE_TAKE;
}

static void test_what_is_left_out_leaves_the_rest_whole(void **state)
{
	struct temp *t = *state;
	struct nook_error e = NOOK_ERROR_INIT;
	auto_close int fd = memfd_create("stream", MFD_CLOEXEC);
	struct stat st, top;

	make_tree(t);
	assert_int_equal(tree_write_some(t->dir, "tree", "tree", 0, &(struct tree_filter){.judge = judge}, fd, &e), 0);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	struct tree_in in = into(t, "out");

	assert_int_equal(tree_read(&in, fd, &e), 0);
	(void)close(in.root);
	assert_int_equal(fstatat(t->dir, "out/tree/link", &st, AT_SYMLINK_NOFOLLOW), -1);
	assert_int_equal(fstatat(t->dir, "out/tree/hard", &st, 0), 0);
	assert_int_equal(st.st_size, 0);
	/* An emptied name is no other name of a whole file; a directory that is left out is made for what is in it, as any. */
	assert_int_equal(fstatat(t->dir, "out/tree/sub/file", &st, 0), 0);
	assert_int_equal(st.st_size, 7);
	assert_int_equal(st.st_nlink, 1);
	assert_int_equal(fstatat(t->dir, "out/tree/sub", &top, 0), 0);
	assert_int_equal(top.st_mode & 0777, 0755);
}

static void test_the_top_gets_another_name_or_none(void **state)
{
	struct temp *t = *state;
	struct nook_error e = NOOK_ERROR_INIT;

	make_tree(t);
	for (int i = 0; i < 2; i++) {
		auto_close int fd = stream_of(t, "tree", "top");
		struct tree_in in = into(t, "out");

		in.top = i ? "" : "new";
		assert_int_equal(tree_read(&in, fd, &e), 0);
		(void)close(in.root);
	}
	assert_int_equal(faccessat(t->dir, "out/new/sub/file", F_OK, 0), 0);
	assert_int_equal(faccessat(t->dir, "out/sub/file", F_OK, 0), 0);
	assert_int_equal(faccessat(t->dir, "out/hard", F_OK, 0), 0);
	assert_int_equal(faccessat(t->dir, "out/top", F_OK, 0), -1);
}

static void test_links_on_the_way_are_refused(void **state)
{
	struct temp *t = *state;
	struct nook_error e = NOOK_ERROR_INIT;

	make_tree(t);
	assert_int_equal(mkdirat(t->dir, "elsewhere", 0755), 0);
	assert_int_equal(mkdirat(t->dir, "out/tree", 0755), 0);
	assert_int_equal(symlinkat("../../elsewhere", t->dir, "out/tree/sub"), 0);
	auto_close int fd = stream_of(t, "tree", "tree");
	struct tree_in in = into(t, "out");

	assert_true(tree_read(&in, fd, &e) < 0);
	(void)close(in.root);
	assert_int_equal(faccessat(t->dir, "elsewhere/file", F_OK, 0), -1);
}

static void write_entry(int fd, const char *name, const char *link, mode_t mode)
{
	struct entry *entry = calloc(1, sizeof(*entry));

	assert_non_null(entry);
	entry->mode = mode;
	(void)snprintf(entry->name, sizeof(entry->name), "%s", name);
	(void)snprintf(entry->link, sizeof(entry->link), "%s", link);
	entry->hard_link = S_ISREG(mode) && *link;
	assert_int_equal(entry_write(fd, entry, NULL), 0);
	free(entry);
}

static void test_hostile_streams_stay_below_the_root(void **state)
{
	static const struct {
		const char *name, *link;
		mode_t mode;
	} hostile[] = {
		{"../out.txt", "", S_IFREG | 0644}, {"a/../../out.txt", "", S_IFREG | 0644}, {"hard", "../secret", S_IFREG | 0644},
		{"hard", "/../secret", S_IFREG | 0644}, {"dir", "", S_IFREG | 0644},
	};
	struct temp *t = *state;
	struct nook_error e = NOOK_ERROR_INIT;

	temp_write(t->dir, "secret", "x");
	assert_int_equal(mkdirat(t->dir, "out", 0755), 0);
	assert_int_equal(mkdirat(t->dir, "out/dir", 0755), 0);
	for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
		auto_close int fd = memfd_create("stream", MFD_CLOEXEC);
		struct tree_in in = into(t, "out");

		write_entry(fd, hostile[i].name, hostile[i].link, hostile[i].mode);
		assert_int_equal(entry_write_end(fd, NULL), 0);
		assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
		assert_true(tree_read(&in, fd, &e) < 0);
		(void)close(in.root);
	}
	assert_int_equal(faccessat(t->dir, "out.txt", F_OK, 0), -1);
	assert_int_equal(faccessat(t->dir, "out/hard", F_OK, 0), -1);
	/* An absolute name is one below the root. */
	auto_close int fd = memfd_create("stream", MFD_CLOEXEC);
	struct tree_in in = into(t, "out");

	write_entry(fd, "/etc/x", "", S_IFREG | 0644);
	assert_int_equal(entry_write_end(fd, NULL), 0);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	assert_int_equal(tree_read(&in, fd, &e), 0);
	(void)close(in.root);
	assert_int_equal(faccessat(t->dir, "out/etc/x", F_OK, 0), 0);
}

static void test_times_before_1970_and_large_numbers_come_back(void **state)
{
	static const struct timespec times[] = {{-1, 500000000}, {0, 1}, {-2, 0}, {INT64_C(1) << 35, 999999999}};
	auto_close int fd = memfd_create("stream", MFD_CLOEXEC);
	struct entry *entry = calloc(1, sizeof(*entry));

	(void)state;
	assert_non_null(entry);
	entry->mode = S_IFDIR | 0755;
	entry->uid = 4000000000U;
	entry->gid = 3000000;
	(void)snprintf(entry->name, sizeof(entry->name), "d/");
	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		entry->mtime = times[i];
		assert_int_equal(entry_write(fd, entry, NULL), 0);
	}
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		assert_int_equal(entry_read(fd, entry, NULL), 1);
		assert_int_equal(entry->mtime.tv_sec, times[i].tv_sec);
		assert_int_equal(entry->mtime.tv_nsec, times[i].tv_nsec);
		assert_int_equal(entry->uid, 4000000000U);
		assert_int_equal(entry->gid, 3000000);
	}
	entry_done(entry);
	free(entry);
}

static void test_a_comment_is_found_and_passed_over(void **state)
{
	struct nook_error e = NOOK_ERROR_INIT;
	auto_close int fd = memfd_create("stream", MFD_CLOEXEC);
	auto_free struct entry *entry = xcalloc(1, sizeof(*entry));
	AUTO_VALUE(buf_done) struct buf found = {0};

	(void)state;
	assert_int_equal(entry_find_comment(fd, &found), 0);
	entry->mode = S_IFDIR | 0755;
	(void)strcpy(entry->name, "d/");
	assert_int_equal(entry_write(fd, entry, &e), 0);
	assert_int_equal(entry_find_comment(fd, &found), 0);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	assert_int_equal(entry_write_comment(fd, "a=b c\n\"d\"", &e), 0);
	assert_int_equal(entry_write(fd, entry, &e), 0);
	assert_int_equal(entry_find_comment(fd, &found), 1);
	assert_string_equal(buf_text(&found), "a=b c\n\"d\"");
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	entry->name[0] = 0;
	assert_int_equal(entry_read(fd, entry, &e), 1);
	assert_string_equal(entry->name, "d/");
	entry_done(entry);
}

static const char *missing(void *data, const char *folder, size_t *at)
{
	(void)data;
	return strcmp(folder, "sub") == 0 && (*at)++ == 0 ? "gone" : NULL;
}

static void test_what_is_missing_is_hidden_behind_its_directory(void **state)
{
	struct temp *t = *state;
	struct nook_error e = NOOK_ERROR_INIT;
	auto_close int fd = memfd_create("stream", MFD_CLOEXEC);
	const struct spec_idmap here = {7, getuid(), 1};
	const struct tree_filter filter = {.judge = judge, .missing = missing, .owners = {.uids = &here, .n_uids = 1}};
	struct entry *entry = calloc(1, sizeof(*entry));
	bool seen = false;

	assert_non_null(entry);
	make_tree(t);
	assert_int_equal(tree_write_some(t->dir, "tree", "", TREE_LAYER, &filter, fd, &e), 0);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	while (entry_read(fd, entry, &e) > 0) {
		if (strcmp(entry->name, "sub/.wh.gone") == 0)
			seen = true;
		else if (strcmp(entry->name, "./") == 0)
			assert_int_equal(entry->uid, 7);
		assert_true(lseek(fd, (off_t)entry_padded(entry->size), SEEK_CUR) > 0);
	}
	assert_true(seen);
	entry_done(entry);
	free(entry);
}

static void test_attributes_name_the_ids_inside(void **state)
{
	const struct spec_idmap maps[] = {{0, 524288, 65536}};
	const struct owners mapped = {maps, maps, 1, 1}, none = {0};
	/* Version 3 of a root that is 524288, then the same of another one. */
	uint8_t caps[24] = {0, 0, 0, 3, 0, 4, [20] = 0, 0, 8, 0}, others[24] = {0, 0, 0, 3, [20] = 1, 0, 8, 0};
	/* Version 2: the owner, user 524321, group 7, which nobody has, the mask, others. */
	uint8_t list[44] = {2, 0, 0, 0, 1, 0, 6, 0, 255, 255, 255, 255, 2, 0, 4, 0, 33, 0, 8, 0, 8, 0, 4, 0, 7, 0, 0, 0, 16, 0, 6, 0, 255, 255, 255, 255,
		32, 0, 4, 0, 255, 255, 255, 255};
	struct stat st = {.st_uid = 524321, .st_gid = 3};

	(void)state;
	owners_inside(&mapped, &st);
	assert_int_equal(st.st_uid, 33);
	assert_int_equal(st.st_gid, 65534);
	assert_int_equal(owners_inside_value(&none, "security.capability", caps, 24), 24);
	assert_int_equal(owners_inside_value(&mapped, "user.other", caps, 24), 24);
	assert_int_equal(caps[3], 3);
	assert_int_equal(owners_inside_value(&mapped, "security.capability", caps, 24), 20);
	assert_int_equal(caps[3], 2);
	assert_int_equal(owners_inside_value(&mapped, "security.capability", others, 24), 24);
	/* A list that is cut off has no more entries than are whole. */
	assert_int_equal(owners_inside_value(&mapped, "system.posix_acl_access", list, 14), 14);
	assert_int_equal(list[18], 8);
	assert_int_equal(owners_inside_value(&mapped, "system.posix_acl_access", list, sizeof(list)), sizeof(list));
	assert_memory_equal(list + 16, "\x21\0\0\0", 4);
	assert_memory_equal(list + 24, "\xfe\xff\0\0", 4);
	assert_memory_equal(list + 8, "\xff\xff\xff\xff", 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		temp_test(test_a_tree_comes_back),
		temp_test(test_what_is_left_out_leaves_the_rest_whole),
		temp_test(test_the_top_gets_another_name_or_none),
		temp_test(test_what_is_missing_is_hidden_behind_its_directory),
		temp_test(test_links_on_the_way_are_refused),
		temp_test(test_hostile_streams_stay_below_the_root),
		cmocka_unit_test(test_times_before_1970_and_large_numbers_come_back),
		cmocka_unit_test(test_a_comment_is_found_and_passed_over),
		cmocka_unit_test(test_attributes_name_the_ids_inside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
