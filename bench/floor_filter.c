/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Prints nook's default filter as a table of C, so that the floor loads the same without making it. */
#include "security/seccomp.h"
#include "spec/spec_defaults.h"

#include <stdio.h>

int main(void)
{
	const struct spec_seccomp s = {.source = SECCOMP_DEFAULT};
	struct arena *a = arena_new();
	struct sock_filter *f;
	size_t n;

	if (seccomp_compile(a, &s, SPEC_DEFAULT_CAPS, &f, &n, NULL) < 0)
		return 1;
	(void)printf("#include <linux/filter.h>\n\nstatic const struct sock_filter floor_filter[] = {\n");
	for (size_t i = 0; i < n; i++)
		(void)printf("\t{%u, %u, %u, 0x%x},\n", f[i].code, f[i].jt, f[i].jf, f[i].k);
	(void)printf("};\n");
	arena_free(a);
	return 0;
}
