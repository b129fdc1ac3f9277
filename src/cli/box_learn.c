/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/box_learn.h"

#include "base/fd.h"
#include "base/plain.h"
#include "base/text.h"
#include "box/box.h"
#include "box/learned.h"
#include "box/view.h"
#include "spec/spec_defaults.h"

/* The command line as it was, on one line. */
static const char *command_text(struct arena *a, const char *const *command)
{
	AUTO_VALUE(buf_done) struct buf text = {0};

	for (; *command; command++) {
		buf_adds(&text, text.len ? " " : "");
		plain_add(*command, &text);
	}
	return arena_strdup(a, buf_text(&text));
}

/* Where execve(2) in the box finds it. */
static const char *program_of(struct arena *a, const struct nook_box *b, const char *name)
{
	const char *path = secure_getenv("PATH");

	if (strchr(name, '/'))
		return name[0] == '/' || !b->base ? name : arena_printf(a, "%s/%s", b->base, name);
	for (size_t i = 0; i < b->n_env; i++)
		if (text_is(b->env[i].name, "PATH") && b->env[i].value)
			path = b->env[i].value;
	for (const char *dir = path && *path ? path : spec_default_path; *dir;) {
		size_t len = strcspn(dir, ":");
		const char *file = arena_printf(a, "%.*s/%s", (int)len, dir, name);

		if (len && access(file, X_OK) == 0)
			return file;
		dir += len + (dir[len] == ':');
	}
	return NULL;
}

int box_learn_write(struct observer *o, int fd, const struct nook_box *b, const char *const *command, const char *const *hosts,
	struct arena *a, struct nook_error *e)
{
	AUTO_VALUE(buf_done) struct buf notes = {0}, text = {0};
	struct learned learned = {
		.command = command_text(a, command),
		.program = program_of(a, b, command[0]),
		.home = secure_getenv("HOME"),
		.box_home = box_home(a),
		.start = b->cwd ? b->cwd : b->base,
		.hosts = hosts,
		.proxy_port = b->learn_port ? b->learn_port : BOX_PROXY_PORT,
	};
	int r;

	TRY(observer_end(o, &notes, e));
	learned.notes = buf_text(&notes);
	learned_profile(&learned, &text);
	r = fd_write(fd, buf_text(&text), text.len);
	return r < 0 ? err_num(e, STEP_FILE, "profile", r) : 0;
}
