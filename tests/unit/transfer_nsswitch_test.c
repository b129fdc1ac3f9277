/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "transfer/nsswitch.h"

#include "tests.h"

static void test_files_and_dns_need_no_daemon(void **state)
{
	static const char *const texts[] = {"", "hosts:", "hosts: files dns", "passwd: sss\nhosts:\tfiles dns\n", "hosts: files # mymachines",
		"#hosts: sss\n hosts:files myhostname resolve [!UNAVAIL=return] dns", "hosts: files [ NOTFOUND=return ] dns", "hosts: [\nx"};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_false(nsswitch_asks_daemons(texts[i]));
}

static void test_other_services_do(void **state)
{
	static const char *const texts[] = {"hosts: files mdns4_minimal [NOTFOUND=return] dns", "hosts: sss", "hosts: files resolve",
		"passwd: files\nhosts: files[NOTFOUND=continue]wins dns\n", "hosts: dnsx", "hosts: file"};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_true(nsswitch_asks_daemons(texts[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_files_and_dns_need_no_daemon),
		cmocka_unit_test(test_other_services_do),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
