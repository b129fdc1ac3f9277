/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/box_more.h"

#include "base/fd.h"
#include "box/check.h"
#include "box/watch.h"
#include "launch/launch.h"

#include <sys/wait.h>

static const char *const states[] = {[CHECK_OK] = "ok", [CHECK_LIMITED] = "limited", [CHECK_MISSING] = "missing"};

static void print(const struct check *list, size_t n, struct buf *out)
{
	for (size_t i = 0; i < n; i++) {
		buf_addf(out, "%-8s %-26s %s\n", states[list[i].state], list[i].what, list[i].detail);
		if (list[i].fix)
			buf_addf(out, "         fix: %s\n", list[i].fix);
	}
}

/* Starts the box with a command that does nothing. */
static int try_box(struct cli *c, const struct nook_box *b, struct nook_error *e)
{
	static const char *const command[] = {"true", NULL};
	struct launched l = LAUNCHED_INIT;
	struct box_plan plan = {0};
	struct box_links links = {0};
	const struct launch_hooks hooks = {.adopted = box_links_adopted, .data = &links};
	int r;

	TRY(box_compile(b, command, c->arena, &plan, e));
	r = box_links_begin(&links, &plan.network, plan.hosts, e);
	if (r >= 0)
		r = launch(plan.plan, &hooks, &l, e);
	if (r >= 0)
		while (waitpid(l.pid, NULL, 0) < 0 && errno == EINTR)
			;
	box_links_done(&links);
	launched_done(&l);
	box_remove_groups(plan.plan);
	plan_free(plan.plan);
	return r;
}

int box_check_run(struct cli *c, const struct nook_box *b, struct nook_error *e)
{
	AUTO_VALUE(buf_done) struct buf out = {0};
	auto_close int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct nook_error why = NOOK_ERROR_INIT;
	struct check *list = NULL;
	struct plan_host host;
	size_t n = 0;
	int r, written;

	if (proc < 0)
		return err_sys(e, STEP_PROC, "/proc");
	TRY(plan_host_probe(&host, e));
	check_proc(proc, host.privileged, c->arena, &list, &n);
	print(list, n, &out);
	check_machine(c->arena, &list, &n);
	print(list, n, &out);
	r = try_box(c, b, &why);
	if (r < 0) {
		char text[NOOK_OBJECT_MAX + NOOK_DETAIL_MAX + 128];
		const char *hint = nook_error_hint(&why);

		(void)nook_error_text(&why, text, sizeof(text));
		buf_addf(&out, "%-8s %-26s %s\n", states[CHECK_MISSING], "this box", text);
		if (hint)
			buf_addf(&out, "         fix: %s\n", hint);
	} else {
		buf_addf(&out, "%-8s %-26s %s\n", states[CHECK_OK], "this box", "was started");
	}
	written = fd_write(STDOUT_FILENO, buf_text(&out), out.len);
	return written < 0 ? err_num(e, STEP_STDIO, "stdout", written) : r < 0;
}
