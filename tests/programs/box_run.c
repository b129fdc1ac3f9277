/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* box_run RULES COMMAND [ARG...]: one box through libnook; prints how it ended. */
#include <nook.h>
#include <stdio.h>

int main(int argc, char **argv)
{
	struct nook_error e = NOOK_ERROR_INIT;
	struct nook_result r = NOOK_RESULT_INIT;
	char text[640];

	if (argc < 3)
		return 2;
	if (nook_run(argv[1], (const char *const *)argv + 2, &r, &e) < 0) {
		(void)nook_error_text(&e, text, sizeof(text));
		printf("error %s rule %d\n", text, e.rule);
		return 1;
	}
	printf("exit %d signal %d limit %d have %u cpu %llu max_rss %llu\n", r.exit_code, r.term_signal, r.limit, r.have,
	       (unsigned long long)(r.user_us + r.system_us), (unsigned long long)r.max_rss);
	return 0;
}
