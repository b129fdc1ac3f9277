/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "runtime/idrange.h"
#include "temp.h"

static const struct spec_idmap everything[] = {{0, 0, UINT32_MAX}};

struct world {
	struct idrange_files files;
	int run;
	struct arena *arena;
};

static struct world world_make(const struct temp *t, const char *subuid, const char *subgid, const char *passwd)
{
	struct world w = {.files = {.uids = everything, .gids = everything, .n_uids = 1, .n_gids = 1}};

	assert_int_equal(mkdirat(t->dir, "etc", 0755), 0);
	assert_int_equal(mkdirat(t->dir, "run", 0755), 0);
	assert_int_equal(mkdirat(t->dir, "run/containers", 0755), 0);
	if (subuid)
		temp_write(t->dir, "etc/subuid", subuid);
	if (subgid)
		temp_write(t->dir, "etc/subgid", subgid);
	if (passwd)
		temp_write(t->dir, "etc/passwd", passwd);
	w.files.etc = openat(t->dir, "etc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	w.run = openat(t->dir, "run", O_PATH | O_DIRECTORY | O_CLOEXEC);
	w.arena = arena_new();
	return w;
}

static void world_done(struct world *w)
{
	close_fd(&w->files.etc);
	close_fd(&w->run);
	arena_free(w->arena);
}
#define auto_world AUTO_VALUE(world_done)

static void container(const struct world *w, const char *id)
{
	char name[64];

	(void)snprintf(name, sizeof(name), "containers/%s", id);
	assert_int_equal(mkdirat(w->run, name, 0700), 0);
}

static uint32_t take(const struct world *w, const char *id)
{
	struct nook_error e = NOOK_ERROR_INIT;
	uint32_t base = 0;

	assert_int_equal(idrange_take(&w->files, w->run, id, w->arena, &base, &e), 0);
	return base;
}

static void test_takes_a_free_aligned_range(void **state)
{
	auto_world struct world w = world_make(*state, NULL, NULL, NULL);
	uint32_t bases[20];

	for (uint32_t i = 0; i < 20; i++) {
		char id[16];

		(void)snprintf(id, sizeof(id), "c%u", i);
		container(&w, id);
		bases[i] = take(&w, id);
		assert_int_equal(bases[i] % IDRANGE_SIZE, 0);
		assert_in_range(bases[i], 524288, 1879048191);
		for (uint32_t j = 0; j < i; j++)
			assert_int_not_equal(bases[i], bases[j]);
		assert_int_equal(take(&w, id), bases[i]);
	}
}

static void test_two_that_want_the_same_range_get_two(void **state)
{
	auto_world struct world w = world_make(*state, "nook:1000000:131072\n", "nook:1000000:131072\n", NULL);
	uint32_t a, b;

	container(&w, "a");
	container(&w, "b");
	container(&w, "c");
	a = take(&w, "a");
	b = take(&w, "b");
	assert_true(a != b && (a == 1000000 || a == 1065536) && (b == 1000000 || b == 1065536));
	/* The entry is used up: the third one comes from the pool. */
	assert_int_equal(take(&w, "c") % IDRANGE_SIZE, 0);
}

static void test_released_and_stale_ranges_come_back(void **state)
{
	auto_world struct world w = world_make(*state, "nook:1000000:65536\n", "nook:1000000:65536\n", NULL);

	container(&w, "a");
	container(&w, "b");
	assert_int_equal(take(&w, "a"), 1000000);
	assert_int_not_equal(take(&w, "b"), 1000000);
	/* What is not b's is not b's to release. */
	assert_int_equal(idrange_release(w.run, "b", 1000000, NULL), 0);
	assert_int_equal(take(&w, "a"), 1000000);
	assert_int_equal(idrange_release(w.run, "a", 1000000, NULL), 0);
	assert_int_equal(idrange_release(w.run, "a", 1000000, NULL), 0);
	container(&w, "c");
	assert_int_equal(take(&w, "c"), 1000000);
	assert_int_equal(unlinkat(w.run, "containers/c", AT_REMOVEDIR), 0);
	container(&w, "d");
	assert_int_equal(take(&w, "d"), 1000000);
}

static void test_stays_away_from_ids_in_use(void **state)
{
	/* Everything but one range belongs to somebody, whose last id is that of a user. */
	auto_world struct world w = world_make(*state, "lxd:524288:1000000000\nbad:x:1\nbad\n:::\n",
		"podman:1000524288:878392832\n", "big:x:1878917120:0::/:\nroot:x:0:0::/:\n");

	container(&w, "a");
	assert_int_equal(take(&w, "a"), 1878982656);
	container(&w, "b");
	struct nook_error e = NOOK_ERROR_INIT;
	uint32_t base = 7;

	assert_int_equal(idrange_take(&w.files, w.run, "b", w.arena, &base, &e), -ENOSPC);
	assert_int_equal(base, 7);
}

static void test_both_files_must_agree(void **state)
{
	auto_world struct world w = world_make(*state, "root:2000000:200000\n", "root:2065536:65536\n", NULL);

	container(&w, "a");
	assert_int_equal(take(&w, "a"), 2065536);
}

static void test_nothing_mapped_is_said(void **state)
{
	static const struct spec_idmap nested[] = {{0, 100000, 65536}};
	auto_world struct world w = world_make(*state, NULL, NULL, NULL);
	uint32_t base = 7;

	w.files.uids = nested;
	assert_int_equal(idrange_take(&w.files, w.run, "a", w.arena, &base, NULL), 1);
	assert_int_equal(base, 7);
}

static void test_user_gets_own_id_and_subids(void **state)
{
	auto_world struct world w = world_make(*state, "other:1:5\nalice:100000:65536\n1000:300000:10\nalice:100005:5\n",
		"alice:200000:65536\n", "root:x:0:0::/:\nalice:x:1000:1000::/:\n");
	struct idrange r;

	assert_int_equal(idrange_subids(w.files.etc, 1000, 1001, w.arena, &r, NULL), 0);
	assert_int_equal(r.kind, IDRANGE_SUBID);
	assert_true(r.helper);
	assert_int_equal(r.n_uid_maps, 3);
	assert_memory_equal(r.uid_maps,
		((struct spec_idmap[]){{0, 1000, 1}, {1, 100000, 65536}, {65537, 300000, 10}}), 3 * sizeof(struct spec_idmap));
	assert_int_equal(r.n_gid_maps, 2);
	assert_memory_equal(r.gid_maps, ((struct spec_idmap[]){{0, 1001, 1}, {1, 200000, 65536}}),
		2 * sizeof(struct spec_idmap));
}

static void test_user_without_subids_gets_one_id(void **state)
{
	auto_world struct world w = world_make(*state, "alice:100000:65536\nbob:4294967290:100\nbob:5:0\n", NULL,
		"alice:x:1000:1000::/:\nbob:x:1001:1::/:\n");
	const uint32_t uids[] = {1000, 1001, 1002};

	for (size_t i = 0; i < 3; i++) {
		struct idrange r;

		assert_int_equal(idrange_subids(w.files.etc, uids[i], 5, w.arena, &r, NULL), 0);
		assert_int_equal(r.kind, IDRANGE_SINGLE);
		assert_false(r.helper);
		assert_int_equal(r.n_uid_maps, 1);
		assert_int_equal(r.uid_maps[0].outside, uids[i]);
		assert_int_equal(r.uid_maps[0].count, 1);
		assert_int_equal(r.gid_maps[0].outside, 5);
	}
}

static void test_reads_maps(void **state)
{
	struct temp *t = *state;
	AUTO(arena_free) struct arena *a = arena_new();
	struct spec_idmap *maps = NULL;
	size_t n = 0;

	temp_write(t->dir, "map", "         0       1000          1\n         1     100000      65536\n");
	assert_int_equal(idrange_read_map(t->dir, "map", a, &maps, &n, NULL), 0);
	assert_int_equal(n, 2);
	assert_int_equal(maps[1].outside, 100000);
	temp_write(t->dir, "map", "0 1\n");
	assert_int_equal(idrange_read_map(t->dir, "map", a, &maps, &n, NULL), -EINVAL);
	temp_write(t->dir, "map", "");
	assert_int_equal(idrange_read_map(t->dir, "map", a, &maps, &n, NULL), 0);
	assert_int_equal(n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		temp_test(test_takes_a_free_aligned_range),
		temp_test(test_two_that_want_the_same_range_get_two),
		temp_test(test_released_and_stale_ranges_come_back),
		temp_test(test_stays_away_from_ids_in_use),
		temp_test(test_both_files_must_agree),
		temp_test(test_nothing_mapped_is_said),
		temp_test(test_user_gets_own_id_and_subids),
		temp_test(test_user_without_subids_gets_one_id),
		temp_test(test_reads_maps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
