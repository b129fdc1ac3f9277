/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a container uses, again and again, and that its memory ran out: one JSON object a line, until it ends. */
#include "base/clock.h"
#include "base/fd.h"
#include "cgroup/cgroup.h"
#include "oci/commands.h"
#include "oci/stats.h"

#include <poll.h>

enum { MS = 1000000 };

struct options {
	bool stats;
	struct opt_i64 interval;
};

static const struct opt table[] = {
	{0, "stats", NULL, OPT_FLAG, offsetof(struct options, stats), "print the statistics once"},
	{0, "interval", "TIME", OPT_DURATION, offsetof(struct options, interval), "between statistics (5s)"},
	{0},
};

static int print(struct buf *text, struct nook_error *e)
{
	int r;

	buf_addc(text, '\n');
	r = fd_write(STDOUT_FILENO, text->data, text->len);
	/* Nobody reads any more. */
	if (r == -EPIPE)
		return 1;
	return r < 0 ? err_num(e, STEP_STDIO, "stdout", r) : 0;
}

static int print_stats(const char *id, const struct cgroup *g, struct nook_error *e)
{
	AUTO(arena_free) struct arena *a = arena_new();
	AUTO_VALUE(buf_done) struct buf text = {0};
	struct json_out o = {.text = &text, .style = JSON_PLAIN};

	json_out_object(&o, NULL);
	json_out_string(&o, "type", "stats");
	json_out_string(&o, "id", id);
	json_out_object(&o, "data");
	TRY(oci_stats_write(&o, a, g, e));
	json_out_object_end(&o);
	json_out_object_end(&o);
	return print(&text, e);
}

static int print_oom(const char *id, struct nook_error *e)
{
	AUTO_VALUE(buf_done) struct buf text = {0};
	struct json_out o = {.text = &text, .style = JSON_PLAIN};

	json_out_object(&o, NULL);
	json_out_string(&o, "type", "oom");
	json_out_string(&o, "id", id);
	json_out_object_end(&o);
	return print(&text, e);
}

static int watch(const char *id, const struct cgroup *g, int pidfd, int64_t interval_ms, struct nook_error *e)
{
	struct cgroup_oom oom;
	int64_t next = clock_ms() + interval_ms;
	int r = cgroup_oom_watch(g, &oom, e);

	while (r == 0) {
		struct pollfd p[] = {{pidfd, POLLIN, 0}, {oom.fd, POLLIN, 0}};
		int64_t left = next - clock_ms();
		int n = poll(p, 2, left > 0 ? (int)left : 0);

		if (n < 0 && errno != EINTR)
			r = err_sys(e, STEP_WAIT, id);
		/* Before the end, which may be what it led to. */
		if (r == 0 && n > 0 && p[1].revents && cgroup_oom_seen(&oom))
			r = print_oom(id, e);
		if (r == 0 && n > 0 && p[0].revents)
			break;
		if (r == 0 && n == 0) {
			r = print_stats(id, g, e);
			next += interval_ms;
		}
	}
	cgroup_oom_done(&oom);
	return r < 0 ? r : 0;
}

static int run(struct oci *o, void *options, int argc, char **argv, struct nook_error *e)
{
	const struct options *opts = options;
	int64_t interval_ms = opts->interval.set ? opts->interval.value / MS : 5000;
	AUTO(runtime_close) struct store_run *r = NULL;
	struct container c;
	struct cgroup group;
	int n;

	if (interval_ms <= 0)
		return err_why(e, STEP_OPTION, "--interval", EINVAL, "must be above 0");
	TRY(oci_store(o, &r, e));
	TRY(oci_load(o, r, argv[0], &c, e));
	container_cgroup(&c, o->arena, &group);
	auto_close int pidfd = container_pidfd(&c, NULL);

	if (pidfd < 0)
		return err_why(e, STEP_CONTAINER, argv[0], ESRCH, "container not running");
	if (!group.n)
		return err_why(e, STEP_CONTAINER, argv[0], EINVAL, "the container has no cgroup");
	if (opts->stats) {
		n = print_stats(argv[0], &group, e);
		return n < 0 ? n : 0;
	}
	return watch(argv[0], &group, pidfd, interval_ms, e);
}

const struct oci_command cmd_events = {
	.name = "events",
	.usage = "[OPTIONS] ID",
	.summary = "print statistics of a container, and when its memory runs out",
	.options = table,
	.options_size = sizeof(struct options),
	.min_args = 1,
	.max_args = 1,
	.run = run,
};
