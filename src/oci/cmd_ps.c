/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/fd.h"
#include "base/spawn.h"
#include "base/text.h"
#include "cgroup/cgroup.h"
#include "json/out.h"
#include "oci/commands.h"

#include <ctype.h>

struct options {
	const char *format;
};

static const struct opt table[] = {
	{'f', "format", "FORMAT", OPT_STRING, offsetof(struct options, format), "table or json"},
	{0},
};

static void write_json(const pid_t *pids, size_t n, struct buf *text)
{
	struct json_out o = {.text = text, .style = JSON_PLAIN};

	json_out_array(&o, NULL);
	for (size_t i = 0; i < n; i++)
		json_out_i64(&o, NULL, pids[i]);
	json_out_array_end(&o);
	buf_addc(text, '\n');
}

/* The place of the word PID among the words of ps(1)'s heading, or -1. */
static int pid_column(const char *line, size_t len)
{
	int column = 0;

	for (size_t i = 0; i < len; column++) {
		size_t start;

		while (i < len && isspace((unsigned char)line[i]))
			i++;
		start = i;
		while (i < len && !isspace((unsigned char)line[i]))
			i++;
		if (i - start == 3 && memcmp(line + start, "PID", 3) == 0)
			return column;
	}
	return -1;
}

static bool has_pid(const char *line, size_t len, int column, const pid_t *pids, size_t n)
{
	size_t i = 0;
	long pid = 0;

	for (;; column--) {
		while (i < len && isspace((unsigned char)line[i]))
			i++;
		if (!column)
			break;
		while (i < len && !isspace((unsigned char)line[i]))
			i++;
	}
	for (; i < len && isdigit((unsigned char)line[i]); i++)
		pid = pid * 10 + (line[i] - '0');
	for (size_t k = 0; k < n; k++)
		if (pids[k] == pid)
			return true;
	return false;
}

/* What ps(1) of the host says, heading and the container's lines. */
static int write_table(struct arena *a, int argc, char **argv, const pid_t *pids, size_t n, struct buf *text,
	struct nook_error *e)
{
	AUTO_VALUE(buf_done) struct buf all = {0};
	const char **words = arena_new_n(a, const char *, (size_t)argc + 3);
	struct spawn ps = {.argv = words};
	int column = -1, r;

	words[0] = "ps";
	words[1] = "-ef";
	for (int i = 0; i < argc; i++)
		words[i + 1] = argv[i];
	r = TRY(spawn_run(&ps, &all, e));
	if (r)
		return err_fmt(e, STEP_SPAWN, "ps", EIO, "it ended with status %d: %.100s", r, buf_text(&all));
	for (const char *line = buf_text(&all); *line;) {
		size_t len = strcspn(line, "\n");

		if (line == all.data) {
			column = pid_column(line, len);
			if (column < 0)
				return err_why(e, STEP_SPAWN, "ps", EINVAL, "its heading has no column PID");
		}
		if (line == all.data || has_pid(line, len, column, pids, n))
			buf_addf(text, "%.*s\n", (int)len, line);
		line += len + (line[len] == '\n');
	}
	return 0;
}

static int run(struct oci *o, void *options, int argc, char **argv, struct nook_error *e)
{
	const struct options *opts = options;
	AUTO(runtime_close) struct store_run *r = NULL;
	AUTO_VALUE(buf_done) struct buf text = {0};
	struct container c;
	struct cgroup group;
	pid_t *pids = NULL;
	int n, written;

	TRY(oci_store(o, &r, e));
	TRY(oci_load(o, r, argv[0], &c, e));
	container_cgroup(&c, o->arena, &group);
	n = TRY(cgroup_pids(o->arena, &group, &pids, e));
	if (opts->format && text_is(opts->format, "json"))
		write_json(pids, (size_t)n, &text);
	else if (opts->format && !text_is(opts->format, "table"))
		return err_fmt(e, STEP_OPTION, "--format", EINVAL, "\"%.40s\" is neither table nor json", opts->format);
	else
		TRY(write_table(o->arena, argc - 1, argv + 1, pids, (size_t)n, &text, e));
	written = fd_write(STDOUT_FILENO, text.data, text.len);
	return written < 0 ? err_num(e, STEP_STDIO, "stdout", written) : 0;
}

const struct oci_command cmd_ps = {
	.name = "ps",
	.usage = "[OPTIONS] ID [-- PS-OPTIONS]",
	.summary = "list the processes of a container",
	.options = table,
	.options_size = sizeof(struct options),
	.mode = OPT_STOP,
	.min_args = 1,
	.max_args = -1,
	.run = run,
};
