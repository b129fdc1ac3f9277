/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "oci/hooks.h"

#include "base/spawn.h"

#include <string.h>

static int run_one(const struct spec_hook *h, const char *state, struct nook_error *e)
{
	static const char *const no_env[] = {NULL};
	const char *const alone[] = {h->path, NULL};
	AUTO_VALUE(buf_done) struct buf out = {0};
	struct spawn spawn = {
		.path = h->path,
		.argv = h->args && h->args[0] ? h->args : alone,
		.envp = h->env ? h->env : no_env,
		.input = state,
		.input_len = strlen(state),
		.timeout_ms = h->timeout.set ? (int)h->timeout.value * 1000 : -1,
	};
	int r = spawn_run(&spawn, &out, e);

	if (r < 0)
		return err_num(e, STEP_HOOK, h->path, r);
	if (r)
		return err_fmt(e, STEP_HOOK, h->path, EIO, "it ended with status %d%s%.*s", r, out.len ? ": " : "",
			(int)strcspn(buf_text(&out), "\n"), buf_text(&out));
	return 0;
}

int oci_hooks_run(const struct spec_hook *hooks, size_t n, const char *state, struct nook_error *e)
{
	for (size_t i = 0; i < n; i++)
		TRY(run_one(&hooks[i], state, e));
	return 0;
}

void oci_hooks_run_all(const struct oci *o, const struct spec_hook *hooks, size_t n, const char *state)
{
	for (size_t i = 0; i < n; i++) {
		struct nook_error e = NOOK_ERROR_INIT;
		char text[NOOK_OBJECT_MAX + NOOK_DETAIL_MAX + 128];

		if (run_one(&hooks[i], state, &e) == 0)
			continue;
		(void)nook_error_text(&e, text, sizeof(text));
		oci_warn(o, "%s", text);
	}
}
