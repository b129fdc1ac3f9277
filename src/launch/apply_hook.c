/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Hooks that the parent runs while the child waits. */
#include "launch/walk.h"

#include "base/buf.h"
#include "base/spawn.h"

#include <fcntl.h>
#include <string.h>

/* A NULL-terminated vector of pointers into the plan's strings; the caller frees the vector. */
static const char **vector(const struct plan *p, struct refs r)
{
	const char **list = xcalloc(r.n + 1, sizeof(*list));
	const char *at = plan_at(p, r.at);

	for (uint32_t i = 0; i < r.n; i++, at = plan_next(at))
		list[i] = at;
	return list;
}

/* The state document with the pid, which nobody knew when the plan was made. */
static void state_add(struct buf *b, const char *state, pid_t pid)
{
	static const char mark[] = "%PID%";
	const char *at = strstr(state, mark);

	if (!at) {
		buf_adds(b, state);
		return;
	}
	buf_add(b, state, (size_t)(at - state));
	buf_addf(b, "%d", (int)pid);
	buf_adds(b, at + strlen(mark));
}

int apply_hook_log(struct walk *w, const struct step *s, struct nook_error *e)
{
	const char *path = walk_str(w, s->object);

	w->slots[s->slot] = open(path, O_WRONLY | O_CREAT | O_APPEND | O_NOCTTY | O_CLOEXEC, 0700);
	return w->slots[s->slot] < 0 ? err_sys(e, STEP_HOOK, path) : 0;
}

int apply_hook(struct walk *w, const struct step *s, struct nook_error *e)
{
	const char *path = walk_str(w, s->hook.path);
	auto_free const char **argv = vector(w->plan, s->hook.argv);
	auto_free const char **env = vector(w->plan, s->hook.env);
	const char *alone[] = {path, NULL};
	struct buf state = {0}, out = {0};
	struct spawn spawn = {
		.path = path,
		.argv = s->hook.argv.n ? argv : alone,
		.envp = env,
		.stdout_fd = walk_slot(w, s->hook.out_slot),
		.stderr_fd = walk_slot(w, s->hook.err_slot),
		.timeout_ms = s->hook.timeout_ms > 0 ? (int)s->hook.timeout_ms : -1,
	};
	int r;

	state_add(&state, walk_str(w, s->hook.state), w->child);
	spawn.input = buf_text(&state);
	spawn.input_len = state.len;
	r = spawn_run(&spawn, &out, e);
	if (r > 0)
		r = err_fmt(e, STEP_HOOK, path, EIO, "it ended with status %d%s%.*s", r, out.len ? ": " : "",
			(int)strcspn(buf_text(&out), "\n"), buf_text(&out));
	else if (r < 0)
		r = err_num(e, STEP_HOOK, path, r);
	buf_done(&state);
	buf_done(&out);
	return r;
}
