/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "image/platform.h"

#include "base/text.h"

#include <stdlib.h>
#include <sys/utsname.h>

/* Other words for an architecture, and the variant that goes with them. */
static const struct {
	const char *word, *architecture, *variant;
} words[] = {
	{"x86_64", "amd64", NULL},  {"x86-64", "amd64", NULL},  {"aarch64", "arm64", NULL}, {"armhf", "arm", "v7"},
	{"armv7l", "arm", "v7"},    {"armv6l", "arm", "v6"},    {"armel", "arm", "v6"},     {"i386", "386", NULL},
	{"i486", "386", NULL},      {"i586", "386", NULL},      {"i686", "386", NULL},      {"loongarch64", "loong64", NULL},
};

/* Go's names of those that run Linux, with which images are made. */
static const char *const architectures[] = {
	"386", "amd64", "arm", "arm64", "loong64", "mips", "mips64", "mips64le", "mipsle", "ppc64", "ppc64le", "riscv64", "s390x", NULL,
};

static bool is_known(const char *architecture)
{
	for (const char *const *one = architectures; *one; one++)
		if (text_is(*one, architecture))
			return true;
	return false;
}

static void plain_words(struct platform *p)
{
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (p->architecture && text_is(words[i].word, p->architecture)) {
			p->architecture = words[i].architecture;
			if (!p->variant)
				p->variant = words[i].variant;
			return;
		}
}

void platform_host(struct platform *ret)
{
	static struct utsname u; /* the same for all time */

	*ret = (struct platform){.os = "linux", .architecture = uname(&u) == 0 ? u.machine : "amd64"};
	plain_words(ret);
}

int platform_parse(const char *text, struct arena *a, struct platform *ret, struct nook_error *e)
{
	char *first = arena_strdup(a, text), *second = strchr(first, '/'), *third = NULL;
	struct platform p = {.os = "linux"};

	if (second) {
		*second++ = 0;
		third = strchr(second, '/');
		if (third)
			*third++ = 0;
	}
	if (!*first || (second && !*second) || (third && (!*third || strchr(third, '/'))))
		return err_why(e, STEP_OPTION, text, EINVAL, "is not OS/ARCHITECTURE[/VARIANT], such as linux/arm64");
	if (second)
		p = (struct platform){.os = first, .architecture = second, .variant = third};
	else if (text_is(first, "linux"))
		platform_host(&p);
	else
		p.architecture = first;
	plain_words(&p);
	/* What stands alone could be anything, mistyped. */
	if (!second && !is_known(p.architecture))
		return err_why(e, STEP_OPTION, text, EINVAL, "is no architecture that is known: name OS/ARCHITECTURE, such as linux/arm64");
	*ret = p;
	return 0;
}

/* What an absent variant stands for. */
static const char *variant_of(const struct platform *p)
{
	if (p->variant && *p->variant)
		return p->variant;
	if (p->architecture && text_is(p->architecture, "arm64"))
		return "v8";
	if (p->architecture && text_is(p->architecture, "arm"))
		return "v7";
	if (p->architecture && text_is(p->architecture, "amd64"))
		return "v1";
	return "";
}

/* "v7" is 7, "v8.1" is 81, anything else is -1. */
static int variant_number(const char *variant)
{
	char *end = NULL;
	long major, minor = 0;

	if (*variant != 'v')
		return -1;
	major = strtol(variant + 1, &end, 10);
	if (*end == '.')
		minor = strtol(end + 1, &end, 10);
	return *end || major < 0 || major > 99 || minor < 0 || minor > 9 ? -1 : (int)(major * 10 + minor);
}

int platform_score(const struct platform *wanted, const struct platform *offered)
{
	const char *have = variant_of(offered), *want = variant_of(wanted);
	struct platform plain = *offered;
	int runs, can;

	plain_words(&plain);
	if (!plain.os || !plain.architecture || !text_is(plain.os, wanted->os) || !text_is(plain.architecture, wanted->architecture))
		return 0;
	if (wanted->os_version && offered->os_version && !text_is(wanted->os_version, offered->os_version))
		return 0;
	if (text_is(have, want))
		return 10000;
	runs = variant_number(have);
	can = variant_number(want);
	/* A machine runs what was made for an older variant of it. */
	return runs >= 0 && can >= 0 && runs < can ? 1 + runs : 0;
}

bool platform_is_unknown(const struct platform *p)
{
	return p->os && text_is(p->os, "unknown");
}

const char *platform_text(const struct platform *p, struct arena *a)
{
	const bool has_variant = p->variant && *p->variant;

	return arena_printf(a, "%s/%s%s%s", p->os ? p->os : "?", p->architecture ? p->architecture : "?", has_variant ? "/" : "",
		has_variant ? p->variant : "");
}
