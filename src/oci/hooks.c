/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "oci/hooks.h"

#include "base/fd.h"
#include "base/spawn.h"
#include "base/text.h"

#include <string.h>

/* The file that an annotation names, or -EBADF. */
static int open_log(const struct container *c, const char *key)
{
	for (size_t i = 0; i < c->n_annotations; i++)
		if (text_is(c->annotations[i].key, key) && c->annotations[i].value[0] == '/')
			return open(c->annotations[i].value, O_WRONLY | O_CREAT | O_APPEND | O_NOCTTY | O_CLOEXEC, 0700);
	return -EBADF;
}

static int run_one(const struct container *c, const struct spec_hook *h, const char *state, struct nook_error *e)
{
	auto_close int to_stdout = open_log(c, "run.oci.hooks.stdout"), to_stderr = open_log(c, "run.oci.hooks.stderr");
	static const char *const no_env[] = {NULL};
	const char *const alone[] = {h->path, NULL};
	AUTO_VALUE(buf_done) struct buf out = {0};
	struct spawn spawn = {
		.path = h->path,
		.argv = h->args && h->args[0] ? h->args : alone,
		.envp = h->env ? h->env : no_env,
		.input = state,
		.input_len = strlen(state),
		.stdout_fd = to_stdout,
		.stderr_fd = to_stderr,
		.timeout_ms = spec_hook_ms(h) ? spec_hook_ms(h) : -1,
	};
	int r = spawn_run(&spawn, &out, e);

	if (r < 0)
		return err_num(e, STEP_HOOK, h->path, r);
	if (r)
		return err_fmt(e, STEP_HOOK, h->path, EIO, "it ended with status %d%s%.*s", r, out.len ? ": " : "",
			(int)strcspn(buf_text(&out), "\n"), buf_text(&out));
	return 0;
}

int oci_hooks_run(const struct container *c, const struct spec_hook *hooks, size_t n, const char *state, struct nook_error *e)
{
	for (size_t i = 0; i < n; i++)
		TRY(run_one(c, &hooks[i], state, e));
	return 0;
}

void oci_hooks_run_all(const struct oci *o, const struct container *c, const struct spec_hook *hooks, size_t n, const char *state)
{
	for (size_t i = 0; i < n; i++) {
		struct nook_error e = NOOK_ERROR_INIT;
		char text[NOOK_OBJECT_MAX + NOOK_DETAIL_MAX + 128];

		if (run_one(c, &hooks[i], state, &e) == 0)
			continue;
		(void)nook_error_text(&e, text, sizeof(text));
		oci_warn(o, "%s", text);
	}
}
