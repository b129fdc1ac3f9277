/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a process that was taken over may not order. */
#include "transfer/starter.h"

#include "temp.h"

#include <sys/stat.h>
#include <sys/wait.h>

enum { STARTED };

static int order_unpack(struct starter *s, const char *dir, const char *lower)
{
	const char *lowers[] = {lower, NULL};
	auto_close int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	const struct unpacker_job job = {.news = null, .said = null, .blob = null, .lowers = lower ? lowers : NULL};
	struct nook_error e = NOOK_ERROR_INIT;
	int answer = -1, status = 0, r;

	assert_int_equal(s->unpackers.start(s->unpackers.context, &job, dir, &answer, &e), 0);
	r = s->unpackers.wait(answer, &status, &e);
	(void)close(answer);
	/* It need not stand beside this test. */
	return r >= 0 || (r == -ENOENT && e.step == STEP_SPAWN) ? STARTED : r;
}

static void test_only_directories_of_the_ingest_are_unpacked_into(void **state)
{
	static const char *const names[] = {"", "/etc", "ingest", "ingest/", "ingest/layer-", "ingest/../../etc", "ingest/layer-/../x", "layers/x",
		"ingest/layer-x/y", "ingest/layer-.."};
	const struct temp *t = *state;
	struct starter s = {0};

	assert_int_equal(starter_start(&s, t->path, NULL), 0);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_int_equal(order_unpack(&s, names[i], NULL), -EPERM);
	assert_int_equal(order_unpack(&s, "ingest/layer-0", NULL), -ENOENT);
	assert_int_equal(order_unpack(&s, "ingest/layer-0", "/x/../../etc"), -EPERM);
	assert_int_equal(order_unpack(&s, "ingest/layer-0", "/x/.."), -EPERM);
	starter_done(&s);
}

static void test_a_link_is_no_directory_of_the_ingest(void **state)
{
	const struct temp *t = *state;
	struct starter s = {0};

	assert_int_equal(mkdirat(t->dir, "images", 0700), 0);
	assert_int_equal(mkdirat(t->dir, "images/ingest", 0700), 0);
	assert_int_equal(symlinkat("/", t->dir, "images/ingest/layer-1"), 0);
	assert_int_equal(starter_start(&s, t->path, NULL), 0);
	assert_int_equal(order_unpack(&s, "ingest/layer-1", NULL), -ENOTDIR);
	starter_done(&s);
}

/* What unpacks has more rights than who orders it. */
static void test_no_link_leads_out_of_the_depot(void **state)
{
	static const char key[] = "/layers/0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
	const struct temp *t = *state;
	struct starter s = {0};

	assert_int_equal(mkdirat(t->dir, "images", 0700), 0);
	assert_int_equal(mkdirat(t->dir, "elsewhere", 0700), 0);
	assert_int_equal(mkdirat(t->dir, "elsewhere/layer-1", 0700), 0);
	assert_int_equal(symlinkat("../elsewhere", t->dir, "images/ingest"), 0);
	assert_int_equal(starter_start(&s, t->path, NULL), 0);
	assert_int_equal(order_unpack(&s, "ingest/layer-1", NULL), -ENOENT);

	assert_int_equal(unlinkat(t->dir, "images/ingest", 0), 0);
	assert_int_equal(renameat(t->dir, "elsewhere", t->dir, "images/ingest"), 0);
	assert_int_equal(order_unpack(&s, "ingest/layer-1", NULL), STARTED);
	assert_int_equal(symlinkat("/", t->dir, "images/layers"), 0);
	assert_int_equal(order_unpack(&s, "ingest/layer-1", key), -ENOTDIR);

	assert_int_equal(unlinkat(t->dir, "images/layers", 0), 0);
	assert_int_equal(mkdirat(t->dir, "images/layers", 0700), 0);
	assert_int_equal(order_unpack(&s, "ingest/layer-1", key), STARTED);
	starter_done(&s);
}

static int order_helper(struct starter *s, const char *name, const char *verb)
{
	AUTO_VALUE(buf_done) struct buf out = {0};

	return s->helpers.run(s->helpers.context, name, verb, "host", &out, NULL);
}

static void test_only_credential_helpers_are_asked(void **state)
{
	const struct temp *t = *state;
	struct starter s = {0};

	assert_int_equal(starter_start(&s, t->path, NULL), 0);
	assert_int_equal(order_helper(&s, "nobody-has-this", "get"), -ENOENT);
	assert_int_equal(order_helper(&s, "nobody-has-this", "erase"), -EPERM);
	assert_int_equal(order_helper(&s, "x/../../bin/sh", "get"), -EINVAL);
	assert_int_equal(order_helper(&s, "", "get"), -EINVAL);
	starter_done(&s);
	starter_done(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		temp_test(test_only_directories_of_the_ingest_are_unpacked_into),
		temp_test(test_a_link_is_no_directory_of_the_ingest),
		temp_test(test_no_link_leads_out_of_the_depot),
		temp_test(test_only_credential_helpers_are_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
