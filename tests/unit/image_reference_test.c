/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "image/reference.h"
#include "tests.h"

#include <string.h>

static void parses(const char *text, const char *canonical, const char *familiar)
{
	AUTO(arena_free) struct arena *a = arena_new();
	struct nook_error e = NOOK_ERROR_INIT;
	struct reference r = {0};

	assert_int_equal(reference_parse(text, a, &r, &e), 0);
	assert_string_equal(reference_text(&r, a), canonical);
	assert_string_equal(reference_familiar(canonical), familiar);
}

static void refuses(const char *text, const char *why)
{
	AUTO(arena_free) struct arena *a = arena_new();
	struct nook_error e = NOOK_ERROR_INIT;
	struct reference r = {0};

	assert_int_equal(reference_parse(text, a, &r, &e), -EINVAL);
	assert_non_null(strstr(e.detail, why));
}

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void test_short_names_stand_for_docker_io(void **state)
{
	parses("debian", "docker.io/library/debian:latest", "debian:latest");
	parses("debian:12", "docker.io/library/debian:12", "debian:12");
	parses("user/app", "docker.io/user/app:latest", "user/app:latest");
	parses("docker.io/debian", "docker.io/library/debian:latest", "debian:latest");
	parses("index.docker.io/library/debian:12", "docker.io/library/debian:12", "debian:12");
	parses("a__b/c-d--e.f", "docker.io/a__b/c-d--e.f:latest", "a__b/c-d--e.f:latest");
}

static void test_a_registry_is_told_by_dot_colon_or_localhost(void **state)
{
	parses("quay.io/x/y", "quay.io/x/y:latest", "quay.io/x/y:latest");
	parses("localhost/x", "localhost/x:latest", "localhost/x:latest");
	parses("host:5000/x:1", "host:5000/x:1", "host:5000/x:1");
	parses("[::1]:5000/x", "[::1]:5000/x:latest", "[::1]:5000/x:latest");
	parses("127.0.0.1:5000/a/b/c:v1.2_3-x", "127.0.0.1:5000/a/b/c:v1.2_3-x", "127.0.0.1:5000/a/b/c:v1.2_3-x");
}

static void test_digests(void **state)
{
	parses("debian@sha256:" HEX, "docker.io/library/debian@sha256:" HEX, "debian@sha256:" HEX);
	parses("debian:12@sha256:" HEX, "docker.io/library/debian:12@sha256:" HEX, "debian:12@sha256:" HEX);
	parses("x.io/a@sha512:" HEX HEX, "x.io/a@sha512:" HEX HEX, "x.io/a@sha512:" HEX HEX);
	refuses("debian@sha256:0123", "digest");
	refuses("debian@sha512:" HEX, "digest");
	refuses("debian@sha256:0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef", "digest");
	refuses("debian@sha256:../../../../etc/passwd", "digest");
	refuses("debian@md5:" HEX, "digest");
}

static void test_what_is_no_name_is_refused(void **state)
{
	refuses("", "empty");
	refuses("Debian", "upper-case");
	refuses("x.io/Debian", "upper-case");
	refuses(HEX, "id");
	refuses("a:", "tag");
	refuses("a:-x", "tag");
	refuses("a:x y", "tag");
	refuses("../a", "registry");
	refuses("a/../b", "spelled");
	refuses("a//b", "spelled");
	refuses("a/", "spelled");
	refuses("/a", "spelled");
	refuses("a___b", "spelled");
	refuses("-a", "spelled");
	refuses("a b", "spelled");
	refuses("a\nb", "spelled");
	refuses("x-.io/a", "registry");
	refuses("host:port/a", "registry");
	refuses("host:123456/a", "registry");
}

static void test_limits(void **state)
{
	char name[600];

	memset(name, 'a', sizeof(name));
	name[243] = 0; /* with "docker.io/library/" more than 255 */
	refuses(name, "255");
	name[243] = 'a';
	name[599] = 0;
	refuses(name, "too long");
	memcpy(name, "a:", 2);
	name[2 + 128] = 0;
	AUTO(arena_free) struct arena *a = arena_new();
	struct reference r;

	assert_int_equal(reference_parse(name, a, &r, NULL), 0);
	name[2 + 128] = 'a';
	name[2 + 129] = 0;
	refuses(name, "tag");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_short_names_stand_for_docker_io),
		cmocka_unit_test(test_a_registry_is_told_by_dot_colon_or_localhost),
		cmocka_unit_test(test_digests),
		cmocka_unit_test(test_what_is_no_name_is_refused),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
