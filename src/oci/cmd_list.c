/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/fd.h"
#include "base/text.h"
#include "cgroup/cgroup.h"
#include "oci/commands.h"
#include "oci/state.h"

struct options {
	const char *format;
	bool quiet;
};

static const struct opt table[] = {
	{'f', "format", "FORMAT", OPT_STRING, offsetof(struct options, format), "table or json"},
	{'q', "quiet", NULL, OPT_FLAG, offsetof(struct options, quiet), "ids only"},
	{0},
};

static void write_table(struct arena *a, const struct container *list, size_t n, struct buf *text)
{
	AUTO_VALUE(cgroup_look_done) struct cgroup_look look = CGROUP_LOOK_INIT;
	size_t id = 2, bundle = 6;

	for (size_t i = 0; i < n; i++) {
		id = strlen(list[i].id) > id ? strlen(list[i].id) : id;
		bundle = strlen(list[i].bundle) > bundle ? strlen(list[i].bundle) : bundle;
	}
	buf_addf(text, "%-*s  %-8s  %-8s  %-*s  %s\n", (int)id, "ID", "PID", "STATUS", (int)bundle, "BUNDLE", "CREATED");
	for (size_t i = 0; i < n; i++) {
		const struct container *c = &list[i];
		enum container_status status = container_status_at(c, &look);

		buf_addf(text, "%-*s  %-8d  %-8s  %-*s  %s\n", (int)id, c->id, status == CONTAINER_STOPPED ? 0 : (int)c->pid,
			container_status_names[status], (int)bundle, c->bundle, oci_time(a, c->created_ns));
	}
}

static void write_json(struct arena *a, const struct container *list, size_t n, struct buf *text)
{
	AUTO_VALUE(cgroup_look_done) struct cgroup_look look = CGROUP_LOOK_INIT;
	struct json_out o = {.text = text, .style = JSON_PLAIN};

	json_out_array(&o, NULL);
	for (size_t i = 0; i < n; i++)
		oci_state_write(&o, a, &list[i], container_status_at(&list[i], &look));
	json_out_array_end(&o);
	buf_addc(text, '\n');
}

static int run(struct oci *o, void *options, int argc, char **argv, struct nook_error *e)
{
	const struct options *opts = options;
	AUTO(runtime_close) struct store_run *r = NULL;
	AUTO_VALUE(buf_done) struct buf text = {0};
	struct container *list = NULL;
	size_t n = 0;
	int written;

	if (opts->format && !text_is(opts->format, "table") && !text_is(opts->format, "json"))
		return err_fmt(e, STEP_OPTION, "--format", EINVAL, "\"%.40s\" is neither table nor json", opts->format);
	TRY(oci_store(o, &r, e));
	TRY(container_survey(r, o->arena, &list, &n, e));
	if (opts->quiet)
		for (size_t i = 0; i < n; i++)
			buf_addf(&text, "%s\n", list[i].id);
	else if (opts->format && text_is(opts->format, "json"))
		write_json(o->arena, list, n, &text);
	else
		write_table(o->arena, list, n, &text);
	written = fd_write(STDOUT_FILENO, text.data, text.len);
	return written < 0 ? err_num(e, STEP_STDIO, "stdout", written) : 0;
}

const struct oci_command cmd_list = {
	.name = "list",
	.usage = "[OPTIONS]",
	.summary = "list containers",
	.options = table,
	.options_size = sizeof(struct options),
	.run = run,
};
