/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/fd.h"
#include "base/text.h"
#include "bundle/bundle.h"
#include "oci/checkpoint.h"
#include "oci/commands.h"
#include "oci/hooks.h"
#include "oci/protobuf.h"
#include "oci/start.h"
#include "oci/state.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct options {
	struct image_options image;
	const char *parent_path, *page_server;
	struct opt_i64 status_fd;
	bool leave_running, pre_dump, tcp_skip_in_flight;
};

#define OF(member) offsetof(struct options, member)
#define OF_IMAGE(member) offsetof(struct options, image.member)

static const struct opt table[] = {
	IMAGE_ROWS(OF_IMAGE),
	{0, "parent-path", "DIR", OPT_STRING, OF(parent_path), "an earlier --pre-dump, seen from the image's directory"},
	{0, "leave-running", NULL, OPT_FLAG, OF(leave_running), "the container goes on"},
	{0, "pre-dump", NULL, OPT_FLAG, OF(pre_dump), "memory alone, while the container runs"},
	{0, "tcp-skip-in-flight", NULL, OPT_FLAG, OF(tcp_skip_in_flight), "without tcp connections that are just being made"},
	{0, "page-server", "ADDRESS:PORT", OPT_STRING, OF(page_server), "send memory to a page server"},
	{0, "status-fd", "FD", OPT_I64, OF(status_fd), "criu writes a zero byte there when lazy pages can be had"},
	{0},
};

static int put_page_server(struct buf *b, const char *where, struct nook_error *e)
{
	AUTO_VALUE(buf_done) struct buf server = {0};
	const char *colon = strrchr(where, ':');
	uint32_t port = 0;

	if (!colon || colon == where || text_u32(colon + 1, &port) < 0 || !port || port > 65535)
		return err_fmt(e, STEP_OPTION, "--page-server", EINVAL, "\"%.100s\" is not ADDRESS:PORT", where);
	pb_put_bytes(&server, 1, where, (size_t)(colon - where));
	pb_put_number(&server, 2, port);
	pb_put_bytes(b, CRIU_PAGE_SERVER, server.data, server.len);
	return 0;
}

static int put_options(struct buf *b, const struct options *opts, const struct container *c, const struct spec *s, const struct image_dirs *d,
	struct nook_error *e)
{
	TRY(image_put_options(b, &opts->image, d, "dump.log", e));
	pb_put_number(b, CRIU_PID, c->pid);
	pb_put_string(b, CRIU_ROOT, s->root.path);
	if (opts->leave_running)
		pb_put_number(b, CRIU_LEAVE_RUNNING, 1);
	if (opts->tcp_skip_in_flight)
		pb_put_number(b, CRIU_TCP_SKIP_IN_FLIGHT, 1);
	if (opts->parent_path)
		pb_put_string(b, CRIU_PARENT_IMG, opts->parent_path);
	if (opts->parent_path || opts->pre_dump)
		pb_put_number(b, CRIU_TRACK_MEM, 1);
	if (opts->status_fd.set)
		pb_put_number(b, CRIU_STATUS_FD, opts->status_fd.value);
	if (opts->page_server)
		TRY(put_page_server(b, opts->page_server, e));
	for (size_t i = 0; i < c->n_cgroups; i++) {
		char file[PATH_MAX];

		/* v2, or the freezer on v1. */
		if (snprintf(file, sizeof(file), "%s/cgroup.freeze", c->cgroups[i]) >= (int)sizeof(file) ||
			(access(file, F_OK) < 0 && !strstr(c->cgroups[i], "/freezer/")))
			continue;
		pb_put_string(b, CRIU_FREEZE_CGROUP, c->cgroups[i]);
		break;
	}
	image_put_mounts(b, s, IMAGE_WRITE);
	return 0;
}

/* A number behind NAME in the lines of TEXT, or -1. */
static long line_number(const char *text, const char *name)
{
	const char *at = strstr(text, name);

	return at ? strtol(at + strlen(name), NULL, 10) : -1;
}

/* The word by which criu knows a file that the container's mounts do not lead to, in KEY: true for one.  Engines give
 * /dev/null of the host, or a log. */
static bool is_file_of_host(pid_t pid, int fd, const char *mounts, char *key, size_t size)
{
	AUTO_VALUE(buf_done) struct buf info = {0};
	char name[64], line[32];
	struct stat st;
	long mount;

	(void)snprintf(name, sizeof(name), "/proc/%d/fdinfo/%d", (int)pid, fd);
	if (file_read(AT_FDCWD, name, 65536, &info, NULL) < 0)
		return false;
	mount = line_number(buf_text(&info), "mnt_id:");
	(void)snprintf(name, sizeof(name), "/proc/%d/fd/%d", (int)pid, fd);
	if (mount < 0 || stat(name, &st) < 0)
		return false;
	(void)snprintf(line, sizeof(line), "\n%ld ", mount);
	if (strstr(mounts, line) || text_after(mounts, line + 1))
		return false;
	(void)snprintf(key, size, "file[%lx:%llx]", (unsigned long)mount, (unsigned long long)st.st_ino);
	return true;
}

/* What the first process has as stdio, so that a restore can put the caller's there. */
static int save_stdio(const struct container *c, const struct image_dirs *d, struct buf *options, struct nook_error *e)
{
	AUTO_VALUE(buf_done) struct buf text = {0}, mounts = {0};
	struct json_out o = {.text = &text, .style = JSON_PLAIN};
	char name[64];
	int r;

	(void)snprintf(name, sizeof(name), "/proc/%d/mountinfo", (int)c->pid);
	TRY(file_read(AT_FDCWD, name, 16 * 1024 * 1024, &mounts, e));
	json_out_array(&o, NULL);
	for (int fd = 0; fd < 3; fd++) {
		char target[PATH_MAX];
		ssize_t n;

		(void)snprintf(name, sizeof(name), "/proc/%d/fd/%d", (int)c->pid, fd);
		n = readlink(name, target, sizeof(target) - 1);
		target[n > 0 ? n : 0] = 0;
		/* A terminal of the host has a word of its own. */
		if (target[0] == '/' && !text_after(target, "/dev/pts/") && is_file_of_host(c->pid, fd, buf_text(&mounts), target, sizeof(target)))
			pb_put_string(options, CRIU_EXTERNAL, target);
		json_out_string(&o, NULL, target);
	}
	json_out_array_end(&o);
	r = file_replace(d->images, IMAGE_STDIO, text.data, text.len, 0600, FILE_NO_SYNC, NULL);
	return r < 0 ? err_num(e, STEP_CHECKPOINT, IMAGE_STDIO, r) : 0;
}

static int run(struct oci *o, void *options, int argc, char **argv, struct nook_error *e)
{
	const struct options *opts = options;
	AUTO(runtime_close) struct store_run *r = NULL;
	AUTO(spec_free) struct spec *s = spec_new();
	AUTO_VALUE(image_dirs_close) struct image_dirs dirs = IMAGE_DIRS_INIT;
	AUTO_VALUE(buf_done) struct buf b = {0};
	struct criu criu = {.program = o->criu, .log_name = "dump.log"};
	struct criu_answer answer;
	struct container c;

	TRY(oci_store(o, &r, e));
	TRY(oci_load(o, r, argv[0], &c, e));
	if (container_status(&c) != CONTAINER_RUNNING && container_status(&c) != CONTAINER_PAUSED)
		return err_why(e, STEP_CONTAINER, argv[0], ESRCH, "container not running");
	TRY(container_settle(r, &c, e));
	TRY(bundle_load(c.bundle, *c.source ? c.source : NULL, s, e));
	TRY(image_dirs_open(&opts->image, IMAGE_WRITE, &dirs, e));
	criu.work_dir = dirs.work;
	TRY(put_options(&b, opts, &c, s, &dirs, e));
	TRY(save_stdio(&c, &dirs, &b, e));
	TRY(criu_run(&criu, opts->pre_dump ? CRIU_PRE_DUMP : CRIU_DUMP, &b, &answer, e));
	close_fd(&answer.terminal);
	if (opts->leave_running || opts->pre_dump)
		return 0;
	TRY(container_remove(r, &c, REMOVE_FORCE, e));
	oci_hooks_run_all(o, &c, s->hooks[HOOK_POSTSTOP], s->n_hooks[HOOK_POSTSTOP], oci_hook_state(o->arena, &c, CONTAINER_STOPPED, 0));
	return 0;
}

const struct oci_command cmd_checkpoint = {
	.name = "checkpoint",
	.usage = "[OPTIONS] ID",
	.summary = "write a running container to files, by criu(8), and end it",
	.options = table,
	.options_size = sizeof(struct options),
	.min_args = 1,
	.max_args = 1,
	.run = run,
};
