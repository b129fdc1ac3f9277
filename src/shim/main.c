/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* nook-shim: starts one box for a caller and watches it; see box/shim.h.  Not for people: descriptor 0 is a socket. */
#include "base/clock.h"
#include "base/fd.h"
#include "box/shim.h"
#include "box/watch.h"
#include "launch/launch.h"
#include "sys/record.h"

#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

enum { PLAN_MAX = 16 << 20, HOSTS_MAX = 1 << 20, SEALS = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW };

struct shim {
	struct shim_request request;
	int fds[SHIM_FDS_MAX + 2]; /* the plan's, then those for the box, then that of the hosts */
	size_t n_fds;
	int control;
	struct plan *plan;
	int namespaces[NS_COUNT]; /* of the box, -EBADF where it is the host's */
	struct buf hosts;
	struct box_links links;
};

/* A private copy, for the last step writes its vectors into it. */
static int map_plan(struct shim *s, struct nook_error *e)
{
	struct stat st;
	void *p;

	if (fcntl(s->fds[0], F_GET_SEALS) < 0 || (fcntl(s->fds[0], F_GET_SEALS) & SEALS) != SEALS || fstat(s->fds[0], &st) < 0)
		return err_why(e, STEP_SPAWN, "plan", EINVAL, "it is not sealed");
	if (st.st_size <= 0 || st.st_size > PLAN_MAX)
		return err_num(e, STEP_SPAWN, "plan", EFBIG);
	p = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE, s->fds[0], 0);
	if (p == MAP_FAILED)
		return err_sys(e, STEP_SPAWN, "plan");
	if (plan_validate(p, (size_t)st.st_size) < 0)
		return err_why(e, STEP_SPAWN, "plan", EINVAL, "it is damaged");
	close_fd(&s->fds[0]);
	s->plan = p;
	return 0;
}

/* Moves every descriptor above the highest number that the box wants, then each to its number. */
static int place_fds(struct shim *s, struct nook_error *e)
{
	int above = 3, control;

	for (uint32_t i = 0; i < s->request.n_fds; i++) {
		if (s->request.targets[i] < 0 || s->request.targets[i] > BOX_FD_MAX)
			return err_num(e, STEP_FDS, "target", EBADF);
		if (s->request.targets[i] >= above)
			above = s->request.targets[i] + 1;
	}
	control = fcntl(s->control, F_DUPFD_CLOEXEC, above);
	if (control < 0)
		return err_sys(e, STEP_FDS, "socket");
	s->control = control;
	(void)close(STDIN_FILENO);
	for (size_t i = 1; i < s->n_fds; i++) {
		int moved = fcntl(s->fds[i], F_DUPFD_CLOEXEC, above);

		if (moved < 0)
			return err_sys(e, STEP_FDS, "source");
		(void)close(s->fds[i]);
		s->fds[i] = moved;
	}
	for (size_t i = 1; i < s->n_fds; i++) {
		int target = s->request.targets[i - 1];

		if (dup3(s->fds[i], target, target < 3 ? 0 : O_CLOEXEC) < 0)
			return err_sys(e, STEP_FDS, "target");
		close_fd(&s->fds[i]);
	}
	return 0;
}

/* Read before the numbers of descriptors change. */
static int read_hosts(struct shim *s, struct nook_error *e)
{
	char name[32];

	if (!s->request.has_hosts)
		return 0;
	s->n_fds--;
	(void)snprintf(name, sizeof(name), "/proc/self/fd/%d", s->fds[s->n_fds]);
	TRY(file_read(AT_FDCWD, name, HOSTS_MAX, &s->hosts, e));
	close_fd(&s->fds[s->n_fds]);
	return 0;
}

static int receive(struct shim *s, struct nook_error *e)
{
	ssize_t n;

	s->n_fds = sizeof(s->fds) / sizeof(s->fds[0]);
	n = record_receive(s->control, &s->request, sizeof(s->request), s->fds, &s->n_fds, 0);
	if (n < 0)
		return err_num(e, STEP_SPAWN, "request", (int)n);
	if (n != sizeof(s->request) || s->request.size != sizeof(s->request) || s->request.has_hosts > 1 ||
		s->request.n_fds + 1 + s->request.has_hosts != s->n_fds || s->request.network.n_ports > PUBLISH_MAX)
		return err_why(e, STEP_SPAWN, "request", EPROTO, "nook-shim is of another version than the library");
	TRY(map_plan(s, e));
	TRY(read_hosts(s, e));
	return place_fds(s, e);
}

/* Whom the box may not outlive, as a pidfd: a copy of the socket that a fork(2) of the caller made does not count. */
static int caller_open(void)
{
	pid_t parent = getppid();
	int fd = parent > 0 ? (int)syscall(SYS_pidfd_open, parent, 0) : -EBADF;

	if (fd >= 0 && getppid() != parent)
		close_fd(&fd); /* it has ended, the socket tells */
	return fd < 0 ? -EBADF : fd;
}

/* What is left open would keep pipes of the caller from ending. */
static void let_go(const struct shim *s)
{
	for (uint32_t i = 0; i < s->request.n_fds; i++)
		(void)close(s->request.targets[i]);
}

/* The namespaces, held while the first process can still be looked into: a command that joins later needs them. */
static int adopted(void *data, pid_t pid, int pidfd, int proc, struct nook_error *e)
{
	struct shim *s = data;

	for (int kind = 0; kind < NS_COUNT; kind++) {
		char name[16];

		/* A cgroup namespace that the child makes for itself is not there yet. */
		if (!(s->plan->clone_flags & ns_flags[kind]))
			continue;
		(void)snprintf(name, sizeof(name), "ns/%s", ns_names[kind]);
		s->namespaces[kind] = openat(proc, name, O_RDONLY | O_CLOEXEC);
		if (s->namespaces[kind] < 0)
			return err_sys(e, STEP_NAMESPACE, ns_names[kind]);
	}
	return box_links_adopted(&s->links, pid, pidfd, proc, e);
}

static int watch(struct shim *s, struct launched *l, struct box_output *output, int64_t started, struct nook_error *e)
{
	struct shim_reply reply = {.kind = SHIM_STARTED, .number = l->pid};
	struct box_watch w = BOX_WATCH_INIT(l, s->plan);

	w.bounds = s->request.bounds;
	w.links = &s->links;
	w.namespaces = s->namespaces;
	w.started_us = started;
	if (w.bounds.output)
		TRY(box_output_ready(output, &w, e));
	let_go(s);
	w.caller = caller_open();
	w.control = s->control;
	/* A caller that is gone is seen by box_watch(). */
	(void)record_send(s->control, &reply, shim_reply_size(SHIM_STARTED), &l->pidfd, 1);
	TRY(box_watch(&w, &reply.result, e));
	box_links_end(&s->links);
	reply.result.refused = s->links.refused;
	reply.kind = SHIM_ENDED;
	(void)record_send(s->control, &reply, shim_reply_size(SHIM_ENDED), NULL, 0);
	return 0;
}

static int run(struct shim *s, struct nook_error *e)
{
	const struct launch_hooks hooks = {.adopted = adopted, .data = s};
	struct launched l = LAUNCHED_INIT;
	AUTO_VALUE(box_output_done) struct box_output output = BOX_OUTPUT_INIT;
	int64_t started = clock_us();
	int r;

	TRY(receive(s, e));
	/* Nobody's directory stays in use for our sake. */
	if (chdir("/") < 0)
		return err_sys(e, STEP_CWD, "/");
	if (s->request.bounds.output)
		TRY(box_output_begin(&output, e));
	TRY(box_links_begin(&s->links, &s->request.network, buf_text(&s->hosts), e));
	r = launch(s->plan, &hooks, &l, e);
	/* A box without its network ends with this process. */
	if (r >= 0)
		TRY(box_links_ready(&s->links, &l, e));
	if (r < 0) {
		box_remove_groups(s->plan);
		return r;
	}
	/* The box ends with this process, whatever happens from here on. */
	return watch(s, &l, &output, started, e);
}

int main(void)
{
	struct nook_error e = NOOK_ERROR_INIT;
	struct shim s = {.control = STDIN_FILENO};
	struct stat st;
	int r;

	for (int kind = 0; kind < NS_COUNT; kind++)
		s.namespaces[kind] = -EBADF;
	if (fstat(STDIN_FILENO, &st) < 0 || !S_ISSOCK(st.st_mode)) {
		(void)fputs("nook-shim: this is a part of nook that programs start\n", stderr);
		return 125;
	}
	r = run(&s, &e);
	box_links_done(&s.links);
	buf_done(&s.hosts);
	if (r < 0) {
		struct shim_reply reply = {.kind = SHIM_FAILED, .number = r, .error = e};

		(void)record_send(s.control, &reply, shim_reply_size(SHIM_FAILED), NULL, 0);
	}
	return r < 0 ? 125 : 0;
}
