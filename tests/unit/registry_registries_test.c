/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "registry/registries.h"

#include "base/buf.h"
#include "tests.h"

static const char conf[] =
	"unqualified-search-registries = ['docker.io', \"quay.io\"]\n"
	"[[registry]]\n"
	"location = \"internal.example:5000\"\n"
	"insecure = true\n"
	"[[registry]]\n"
	"prefix = \"docker.io\"\n"
	"location = \"registry-1.docker.io\"\n"
	"[[registry.mirror]]\n"
	"location = \"mirror.example/hub\"\n"
	"[[registry.mirror]]\n"
	"location = \"localhost:5001\"\n"
	"insecure = true\n"
	"pull-from-mirror = \"digest-only\"\n"
	"[[registry]]\n"
	"prefix = \"docker.io/library\"\n"
	"location = \"own.example/debian-team\"\n"
	"[[registry]]\n"
	"prefix = \"bad.example/team\"\n"
	"blocked = true\n"
	"[[registry]]\n"
	"prefix = \"*.example.org\"\n"
	"insecure = true\n"
	"[[registry]]\n"
	"prefix = \"*.deep.example.org\"\n"
	"location = \"elsewhere.example\"\n"
	"[aliases]\n"
	"\"debian\" = \"docker.io/library/debian\"\n";

static void load(struct registries *r, struct arena *a)
{
	struct nook_error e = NOOK_ERROR_INIT;

	if (registries_add(r, conf, strlen(conf), "conf", a, &e) < 0)
		fail_msg("%s: %s", e.object, e.detail);
}

/* "mirror!host/repository?" of each: ! marks insecure ones, ? mirrors. */
static const char *places(const struct registries *r, const char *host, const char *repository, enum registries_want want)
{
	AUTO(arena_free) struct arena *a = arena_new();
	AUTO_VALUE(buf_done) struct buf b = {0};
	struct registries_place *list = NULL;
	static char text[512];
	size_t n = 0;

	if (registries_places(r, host, repository, want, a, &list, &n, NULL) < 0)
		return "blocked";
	for (size_t i = 0; i < n; i++)
		buf_addf(&b, "%s%s/%s%s%s", i ? " " : "", list[i].host, list[i].repository, list[i].insecure ? "!" : "",
			list[i].is_mirror ? "?" : "");
	return strcpy(text, buf_text(&b));
}

static void test_places(void **state)
{
	static const struct {
		const char *host, *repository;
		enum registries_want want;
		const char *places;
	} cases[] = {
		{"plain.example", "a/b", REGISTRIES_BY_TAG, "plain.example/a/b"},
		{"internal.example:5000", "x", REGISTRIES_BY_TAG, "internal.example:5000/x!"},
		{"docker.io", "team/app", REGISTRIES_BY_TAG, "mirror.example/hub/team/app? registry-1.docker.io/team/app"},
		{"docker.io", "team/app", REGISTRIES_BY_DIGEST,
			"mirror.example/hub/team/app? localhost:5001/team/app!? registry-1.docker.io/team/app"},
		{"docker.io", "library/debian", REGISTRIES_BY_TAG, "own.example/debian-team/debian"},
		{"docker.io", "libraryx/debian", REGISTRIES_BY_TAG, "mirror.example/hub/libraryx/debian? registry-1.docker.io/libraryx/debian"},
		{"bad.example", "team/x", REGISTRIES_BY_TAG, "blocked"},
		{"bad.example", "team", REGISTRIES_BY_TAG, "blocked"},
		{"bad.example", "teams/x", REGISTRIES_BY_TAG, "bad.example/teams/x"},
		{"a.example.org", "x", REGISTRIES_BY_TAG, "a.example.org/x!"},
		{"a.b.example.org", "x", REGISTRIES_BY_TAG, "a.b.example.org/x!"},
		{"example.org", "x", REGISTRIES_BY_TAG, "example.org/x"},
		{"notexample.org", "x", REGISTRIES_BY_TAG, "notexample.org/x"},
		{"a.deep.example.org", "x/y", REGISTRIES_BY_TAG, "elsewhere.example/x/y"},
	};
	AUTO(arena_free) struct arena *a = arena_new();
	struct registries r = {0};

	load(&r, a);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(places(&r, cases[i].host, cases[i].repository, cases[i].want), cases[i].places);
}

static void test_docker_io_lives_elsewhere(void **state)
{
	struct registries r = {0};

	assert_string_equal(places(&r, "docker.io", "library/x", REGISTRIES_BY_TAG), "registry-1.docker.io/library/x");
}

static void test_short_names(void **state)
{
	AUTO(arena_free) struct arena *a = arena_new();
	struct registries r = {0};

	load(&r, a);
	assert_string_equal(registries_alias(&r, "debian"), "docker.io/library/debian");
	assert_null(registries_alias(&r, "debia"));
	assert_string_equal(r.search[1], "quay.io");
	assert_null(r.search[2]);
}

static void test_later_files_replace(void **state)
{
	static const char later[] = "[[registry]]\nprefix='docker.io'\nlocation='other.example'\n[aliases]\ndebian='quay.io/x/debian'\n";
	AUTO(arena_free) struct arena *a = arena_new();
	struct registries r = {0};

	load(&r, a);
	assert_int_equal(registries_add(&r, later, strlen(later), "later", a, NULL), 0);
	assert_string_equal(places(&r, "docker.io", "team/app", REGISTRIES_BY_TAG), "other.example/team/app");
	assert_string_equal(registries_alias(&r, "debian"), "quay.io/x/debian");
	assert_string_equal(r.search[0], "docker.io");
}

static void test_refused(void **state)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
		{"[registries.search]\nregistries = ['a']", "first format"},
		{"[[registry]]\ninsecure = true", "neither prefix nor location"},
		{"[[registry]]\nlocation = 'https://a'", "no place of a registry"},
		{"[[registry]]\nlocation = 'a/'", "no place of a registry"},
		{"[[registry]]\nprefix = 'a.*.b'\nlocation='c'", "a * stands only at the start"},
		{"[[registry]]\nprefix = 'a'\n[[registry.mirror]]\ninsecure = true", "missing"},
		{"[[registry]]\nprefix = 'a'\n[[registry.mirror]]\nlocation='b'\npull-from-mirror='never'", "unknown here"},
		{"[[registry]]\nprefix = 'a'\nmirror-by-digest-only=true\n[[registry.mirror]]\nlocation='b'\npull-from-mirror='tag-only'", "for digests and for tags only"},
		{"unqualified-search-registries = ['https://a']", "no place of a registry"},
		{"unqualified-search-registries = 'a'", "expected an array"},
		{"nonsense", "= is missing"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		AUTO(arena_free) struct arena *a = arena_new();
		struct nook_error e = NOOK_ERROR_INIT;
		struct registries r = {0};

		assert_true(registries_add(&r, cases[i].text, strlen(cases[i].text), "conf", a, &e) < 0);
		if (!strstr(e.detail, cases[i].why))
			fail_msg("\"%s\" is not in \"%s\"", cases[i].why, e.detail);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_docker_io_lives_elsewhere),
		cmocka_unit_test(test_short_names),
		cmocka_unit_test(test_later_files_replace),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
