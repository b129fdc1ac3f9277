/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "runtime/volume.h"
#include "temp.h"

struct place {
	struct temp *temp;
	struct arena *a;
	struct store_run *r;
};

static int place_make(void **state)
{
	struct place *p = calloc(1, sizeof(*p));

	if (!p || temp_make((void **)&p->temp) < 0)
		return -1;
	p->a = arena_new();
	*state = p;
	return runtime_open(arena_printf(p->a, "%s/run", p->temp->path), p->a, &p->r, NULL);
}

static int place_remove(void **state)
{
	struct place *p = *state;
	int r;

	runtime_close(p->r);
	arena_free(p->a);
	r = temp_remove((void **)&p->temp);
	free(p);
	return r;
}

static const struct volume web = {.name = "web", .driver = "dir"};

static void test_a_volume_is_made_once(void **state)
{
	struct place *p = *state;
	struct nook_error e = NOOK_ERROR_INIT;
	struct volume v, *list;
	size_t n;

	assert_int_equal(volume_create(p->temp->path, &web, p->a, &e), 0);
	assert_int_equal(volume_create(p->temp->path, &web, p->a, &e), -EEXIST);
	assert_int_equal(volume_load(p->temp->path, "web", p->a, &v, &e), 0);
	assert_string_equal(v.driver, "dir");
	assert_int_equal(volume_load(p->temp->path, "../web", p->a, &v, &e), -ENOENT);
	assert_int_equal(volume_list(p->temp->path, p->a, &list, &n, &e), 0);
	assert_int_equal(n, 1);
}

static void test_the_first_use_fills_and_the_next_does_not(void **state)
{
	struct place *p = *state;
	struct volume_use u = VOLUME_USE_INIT;
	struct volume v;

	assert_int_equal(volume_create(p->temp->path, &web, p->a, NULL), 0);
	assert_int_equal(volume_load(p->temp->path, "web", p->a, &v, NULL), 0);
	assert_int_equal(volume_use(p->temp->path, &v, VOLUME_COPY, &u, NULL), 0);
	assert_true(u.fill >= 0);
	temp_write(p->temp->dir, "volumes/web/data/half", "x");
	volume_use_done(&u);
	/* It was cut off: the next one starts with an empty one. */
	assert_int_equal(volume_use(p->temp->path, &v, VOLUME_COPY, &u, NULL), 0);
	assert_true(u.fill >= 0);
	assert_int_equal(faccessat(p->temp->dir, "volumes/web/data/half", F_OK, 0), -1);
	assert_int_equal(volume_filled(&u, NULL), 0);
	volume_use_done(&u);
	assert_int_equal(volume_use(p->temp->path, &v, VOLUME_COPY, &u, NULL), 0);
	assert_true(u.fill < 0);
	volume_use_done(&u);
}

static void test_what_is_used_stays(void **state)
{
	struct place *p = *state;
	struct nook_error e = NOOK_ERROR_INIT;
	struct volume_use u = VOLUME_USE_INIT;
	const char *texts[] = {"web:/srv:ro", "other:/x", NULL};
	struct container c = {.id = "abc", .creating = true, .exit_status = -1, .volumes = texts, .n_volumes = 2};
	struct volume v;

	assert_int_equal(volume_create(p->temp->path, &web, p->a, NULL), 0);
	assert_int_equal(volume_load(p->temp->path, "web", p->a, &v, NULL), 0);
	assert_int_equal(volume_use(p->temp->path, &v, VOLUME_NO_COPY, &u, NULL), 0);
	assert_int_equal(volume_remove(p->r, p->temp->path, "web", &e), -EBUSY);
	volume_use_done(&u);
	auto_close int dir = container_create(p->r, &c, NULL);

	assert_true(dir >= 0);
	assert_int_equal(volume_remove(p->r, p->temp->path, "web", &e), -EBUSY);
	assert_non_null(strstr(e.detail, "abc uses it"));
	close_fd(&dir);
	assert_int_equal(container_remove(p->r, &c, REMOVE_FORCE, NULL), 0);
	assert_int_equal(volume_remove(p->r, p->temp->path, "web", &e), 0);
	assert_int_equal(faccessat(p->temp->dir, "volumes/web", F_OK, 0), -1);
}

static void test_left_over_drafts_are_swept_but_those_in_work(void **state)
{
	struct place *p = *state;

	assert_int_equal(volume_create(p->temp->path, &web, p->a, NULL), 0);
	assert_int_equal(mkdirat(p->temp->dir, "volumes/.old.1", 0700), 0);
	assert_int_equal(volume_sweep(p->temp->path, NULL), 0);
	assert_int_equal(faccessat(p->temp->dir, "volumes/.old.1", F_OK, 0), -1);
	assert_int_equal(faccessat(p->temp->dir, "volumes/web", F_OK, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_a_volume_is_made_once, place_make, place_remove),
		cmocka_unit_test_setup_teardown(test_the_first_use_fills_and_the_next_does_not, place_make, place_remove),
		cmocka_unit_test_setup_teardown(test_what_is_used_stays, place_make, place_remove),
		cmocka_unit_test_setup_teardown(test_left_over_drafts_are_swept_but_those_in_work, place_make, place_remove),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
