/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Input: a registries.conf; where images would be asked for afterwards. */
#include "base/text.h"
#include "fuzz.h"
#include "registry/registries.h"

static void ask(const struct registries *r, const char *host, const char *repository, struct arena *a)
{
	for (int want = REGISTRIES_BY_TAG; want <= REGISTRIES_BY_DIGEST; want++) {
		struct registries_place *list = NULL;
		size_t n = 0;

		if (registries_places(r, host, repository, (enum registries_want)want, a, &list, &n, NULL) < 0)
			continue;
		MUST(n >= 1 && !list[n - 1].is_mirror);
		/* Nothing that could leave the URL it is put into. */
		for (size_t i = 0; i < n; i++)
			MUST(*list[i].host && !list[i].host[strcspn(list[i].host, "/?#@ \t\r\n")] && list[i].repository);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(arena_free) struct arena *a = arena_new();
	struct registries r = {0};

	if (registries_add(&r, (const char *)data, size, "conf", a, NULL) < 0)
		return 0;
	ask(&r, "docker.io", "library/debian", a);
	ask(&r, "a.example.org", "x/y", a);
	ask(&r, "localhost:5000", "x", a);
	for (size_t i = 0; i < r.n_aliases; i++)
		MUST(registries_alias(&r, r.aliases[i].name));
	return 0;
}
