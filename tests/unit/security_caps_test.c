/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "security/caps.h"
#include "tests.h"

#include <sys/prctl.h>

static void test_names_are_read_in_every_usual_spelling(void **state)
{
	uint64_t mask = 0;

	(void)state;
	assert_int_equal(caps_find("CAP_SYS_ADMIN"), CAP_SYS_ADMIN);
	assert_int_equal(caps_find("cap_sys_admin"), CAP_SYS_ADMIN);
	assert_int_equal(caps_find("sys_Admin"), CAP_SYS_ADMIN);
	assert_int_equal(caps_find("SYS_ADMI"), -1);
	assert_int_equal(caps_find("CAP_"), -1);
	assert_int_equal(caps_find(""), -1);
	assert_int_equal(caps_parse("all", &mask), 0);
	assert_int_equal(mask, CAPS_ALL);
	assert_int_equal(caps_parse("CAP_ALL", &mask), -EINVAL);
}

static void test_every_capability_has_a_name_that_is_found_again(void **state)
{
	(void)state;
	for (unsigned cap = 0; CAPS_BIT(cap) & CAPS_ALL; cap++)
		assert_int_equal(caps_find(caps_name(cap)), cap);
	assert_null(caps_name(CAP_CHECKPOINT_RESTORE + 1));
	assert_null(caps_name(64));
}

static void test_default_is_the_eleven(void **state)
{
	(void)state;
	assert_int_equal(__builtin_popcountll(CAPS_DEFAULT), 11);
	assert_false(CAPS_DEFAULT & (CAPS_BIT(CAP_NET_RAW) | CAPS_BIT(CAP_MKNOD) | CAPS_BIT(CAP_AUDIT_WRITE)));
}

static uint64_t adjusted(const char *const *add, const char *const *drop)
{
	uint64_t set = CAPS_DEFAULT;

	assert_int_equal(caps_adjust(&set, add, drop, NULL), 0);
	return set;
}

static void test_adjust_follows_docker(void **state)
{
	const char *const all[] = {"ALL", NULL};
	const char *const raw[] = {"net_raw", NULL};
	const char *const chown[] = {"CHOWN", NULL};

	(void)state;
	assert_int_equal(adjusted(NULL, NULL), CAPS_DEFAULT);
	assert_int_equal(adjusted(raw, NULL), CAPS_DEFAULT | CAPS_BIT(CAP_NET_RAW));
	assert_int_equal(adjusted(NULL, chown), CAPS_DEFAULT & ~CAPS_BIT(CAP_CHOWN));
	assert_int_equal(adjusted(raw, all), CAPS_BIT(CAP_NET_RAW));
	assert_int_equal(adjusted(NULL, all), 0);
	assert_int_equal(adjusted(all, raw), CAPS_ALL & ~CAPS_BIT(CAP_NET_RAW));
	assert_int_equal(adjusted(chown, chown), CAPS_DEFAULT);
}

static void test_adjust_names_what_it_does_not_know(void **state)
{
	const char *const unknown[] = {"CHOWN", "FLY", NULL};
	const char *const all[] = {"ALL", NULL};
	struct nook_error e = NOOK_ERROR_INIT;
	uint64_t set = 5;
	char text[512];

	(void)state;
	assert_int_equal(caps_adjust(&set, NULL, unknown, &e), -EINVAL);
	(void)nook_error_text(&e, text, sizeof(text));
	assert_string_equal(text, "capabilities \"FLY\": --cap-drop: no such capability");
	assert_int_equal(caps_adjust(&set, all, all, &e), -EINVAL);
	assert_int_equal(set, 5);
}

static void test_own_sets_agree_with_the_kernel(void **state)
{
	struct caps_own own = {0};

	(void)state;
	assert_int_equal(caps_own_load(&own, NULL), 0);
	for (unsigned cap = 0; cap <= CAP_CHECKPOINT_RESTORE; cap++)
		assert_int_equal(!!(own.bounding & CAPS_BIT(cap)), prctl(PR_CAPBSET_READ, cap, 0, 0, 0));
	assert_int_equal(own.effective & ~own.permitted, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names_are_read_in_every_usual_spelling),
		cmocka_unit_test(test_every_capability_has_a_name_that_is_found_again),
		cmocka_unit_test(test_default_is_the_eleven),
		cmocka_unit_test(test_adjust_follows_docker),
		cmocka_unit_test(test_adjust_names_what_it_does_not_know),
		cmocka_unit_test(test_own_sets_agree_with_the_kernel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
