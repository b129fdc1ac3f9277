/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "runtime/mapped.h"

#include "base/fd.h"
#include "base/spawn.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

/* Tells that the namespace is there (or why not), waits for its maps, works. */
static _Noreturn void child_run(int parent, int (*job)(const void *data), const void *data)
{
	char byte = (char)(unshare(CLONE_NEWUSER) < 0 ? errno : 0);
	ssize_t n = send(parent, &byte, 1, MSG_NOSIGNAL);

	if (n == 1 && byte == 0)
		while ((n = recv(parent, &byte, 1, 0)) < 0 && errno == EINTR)
			;
	/* The end of file instead of a byte: there are no maps, or nobody waits for the work any more. */
	_exit(n == 1 && byte == 0 ? job(data) : 0);
}

static const char *const *map_argv(struct arena *a, const char *program, pid_t pid, const struct spec_idmap *maps, size_t n)
{
	const char **argv = arena_new_n(a, const char *, 3 + 3 * n);
	size_t at = 0;

	argv[at++] = program;
	argv[at++] = arena_printf(a, "%d", pid);
	for (size_t i = 0; i < n; i++) {
		argv[at++] = arena_printf(a, "%u", maps[i].inside);
		argv[at++] = arena_printf(a, "%u", maps[i].outside);
		argv[at++] = arena_printf(a, "%u", maps[i].count);
	}
	return argv;
}

static int write_map(pid_t pid, const char *program, const struct spec_idmap *maps, size_t n, struct nook_error *e)
{
	AUTO(arena_free) struct arena *a = arena_new();
	AUTO_VALUE(buf_done) struct buf said = {0};
	int status = TRY(spawn_run(&(struct spawn){.argv = map_argv(a, program, pid, maps, n)}, &said, e));

	if (status == 0)
		return 0;
	return err_fmt(e, STEP_IDMAP, program, EPERM, "%.*s", (int)strcspn(buf_text(&said), "\n"), buf_text(&said));
}

/* A namespace of one id, which everybody may map himself. */
enum { MAP_LINE = 64 };
static const char *map_line(const struct spec_idmap *map, char *line)
{
	(void)snprintf(line, MAP_LINE, "%u %u %u", map->inside, map->outside, map->count);
	return line;
}

static int write_single(pid_t pid, const char *file, const char *text, struct nook_error *e)
{
	char path[MAP_LINE];

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	return file_write(AT_FDCWD, path, text, STEP_IDMAP, e);
}

static int serve_child(int child, pid_t pid, const struct idrange *range, struct nook_error *e)
{
	char byte = 0;

	if (recv(child, &byte, 1, 0) != 1)
		return err_num(e, STEP_NAMESPACE, "user", EPROTO);
	if (byte)
		return err_num(e, STEP_NAMESPACE, "user", byte);
	if (range->helper) {
		TRY(write_map(pid, "newuidmap", range->uid_maps, range->n_uid_maps, e));
		TRY(write_map(pid, "newgidmap", range->gid_maps, range->n_gid_maps, e));
	} else {
		TRY(write_single(pid, "setgroups", "deny", e));
		TRY(write_single(pid, "uid_map", map_line(range->uid_maps, (char[MAP_LINE]){0}), e));
		TRY(write_single(pid, "gid_map", map_line(range->gid_maps, (char[MAP_LINE]){0}), e));
	}
	return send(child, &byte, 1, MSG_NOSIGNAL) == 1 ? 0 : err_sys(e, STEP_NAMESPACE, "user");
}

int mapped_run(const struct idrange *range, int (*job)(const void *data), const void *data, struct nook_error *e)
{
	int pair[2], status = 0, r;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(e, STEP_NAMESPACE, "user");
	pid = fork();
	if (pid == 0) {
		(void)close(pair[0]);
		child_run(pair[1], job, data);
	}
	r = pid < 0 ? err_sys(e, STEP_NAMESPACE, "user") : 0;
	(void)close(pair[1]);
	if (r == 0)
		r = serve_child(pair[0], pid, range, e);
	(void)close(pair[0]);
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (r < 0)
		return r;
	return WIFEXITED(status) ? WEXITSTATUS(status) : err_why(e, STEP_NAMESPACE, "user", EIO, "the child was killed");
}
