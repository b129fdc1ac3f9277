/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * New namespaces are made by a child, which then waits: the parent pins them through /proc/PID/ns.  The child says over a
 * socket that they are ready, or what went wrong, and ends when the parent closes its side.
 */
#include "base/fd.h"
#include "base/text.h"
#include "command/command.h"
#include "cli/ns_pins.h"
#include "sys/netlink.h"
#include "sys/pid.h"
#include "sys/procfd.h"

#include <sched.h>
#include <stdio.h>
#include <sys/socket.h>

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

enum { ANY_CPU = -1 };

struct options {
	bool user, mnt, net, uts, ipc, cgroup, time;
	const char *hostname;
	struct opt_list uid_map, gid_map;
	struct opt_i64 boottime, monotonic;
};

#define AT(member) offsetof(struct options, member)
static const struct opt options_table[] = {
	{0, "net", NULL, OPT_FLAG, AT(net), "a network namespace, with lo up"},
	{0, "uts", NULL, OPT_FLAG, AT(uts), "a namespace of host name and domain name"},
	{0, "ipc", NULL, OPT_FLAG, AT(ipc), "a namespace of System V and POSIX message queues and shared memory"},
	{0, "mnt", NULL, OPT_FLAG, AT(mnt), "a mount namespace: a copy of the caller's, whose mounts propagate no more"},
	{0, "cgroup", NULL, OPT_FLAG, AT(cgroup), "a cgroup namespace with the caller's group as root"},
	{0, "user", NULL, OPT_FLAG, AT(user), "a user namespace, which owns the others"},
	{0, "time", NULL, OPT_FLAG, AT(time), "a time namespace"},
	{0, "hostname", "NAME", OPT_STRING, AT(hostname), "the host name of the new uts namespace"},
	{0, "uidmap", "INSIDE:OUTSIDE:COUNT", OPT_STRINGS, AT(uid_map), "a line of the uid map (default: every id is itself)"},
	{0, "gidmap", "INSIDE:OUTSIDE:COUNT", OPT_STRINGS, AT(gid_map), "a line of the gid map"},
	{0, "boottime", "TIME", OPT_DURATION, AT(boottime), "how far boottime is ahead in the new time namespace"},
	{0, "monotonic", "TIME", OPT_DURATION, AT(monotonic), "how far the monotonic clock is ahead"},
	{0},
};

static int wanted_flags(const struct options *o)
{
	return (o->user ? CLONE_NEWUSER : 0) | (o->mnt ? CLONE_NEWNS : 0) | (o->net ? CLONE_NEWNET : 0) |
	       (o->uts ? CLONE_NEWUTS : 0) | (o->ipc ? CLONE_NEWIPC : 0) | (o->cgroup ? CLONE_NEWCGROUP : 0) |
	       (o->time ? CLONE_NEWTIME : 0);
}

static int check(const struct options *o, struct nook_error *e)
{
	if (!wanted_flags(o))
		return err_why(e, STEP_COMMAND, "ns keep", EINVAL, "say which namespaces: --net --uts --ipc --mnt --cgroup --user --time");
	if (o->hostname && !o->uts)
		return err_why(e, STEP_OPTION, "--hostname", EINVAL, "needs --uts");
	if ((o->uid_map.n || o->gid_map.n) && !o->user)
		return err_why(e, STEP_OPTION, o->uid_map.n ? "--uidmap" : "--gidmap", EINVAL, "needs --user");
	if ((o->boottime.set || o->monotonic.set) && !o->time)
		return err_why(e, STEP_OPTION, o->boottime.set ? "--boottime" : "--monotonic", EINVAL, "needs --time");
	return 0;
}

/* ---- child --------------------------------------------------------------------------------------------------------- */

static int set_clock(const char *clock, const struct opt_i64 *offset, struct nook_error *e)
{
	enum { NS_PER_SECOND = 1000000000 };
	int64_t seconds = offset->value / NS_PER_SECOND, rest = offset->value % NS_PER_SECOND;
	char line[96];

	if (!offset->set)
		return 0;
	if (rest < 0) {
		seconds--;
		rest += NS_PER_SECOND;
	}
	(void)snprintf(line, sizeof(line), "%s %lld %lld", clock, (long long)seconds, (long long)rest);
	return file_write(AT_FDCWD, "/proc/self/timens_offsets", line, STEP_NAMESPACE, e);
}

static int make_namespaces(const struct options *o, int cpu, struct nook_error *e)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	if (cpu != ANY_CPU)
		CPU_SET((size_t)cpu, &one);
	if (cpu != ANY_CPU && sched_setaffinity(0, sizeof(one), &one) < 0)
		return err_sys(e, STEP_SCHED, "cpu affinity");
	if (unshare(wanted_flags(o)) < 0)
		return err_sys(e, STEP_NAMESPACE, "new");
	if (o->net)
		TRY(net_loopback_up(e));
	if (o->hostname && sethostname(o->hostname, strlen(o->hostname)) < 0)
		return err_sys(e, STEP_HOSTNAME, o->hostname);
	TRY(set_clock("monotonic", &o->monotonic, e));
	TRY(set_clock("boottime", &o->boottime, e));
	return 0;
}

static _Noreturn void child(const struct options *o, int cpu, int parent)
{
	struct nook_error e = NOOK_ERROR_INIT;
	char end;

	e.rule = make_namespaces(o, cpu, &e) < 0; /* 1: E is an error */
	if (send(parent, &e, sizeof(e), MSG_NOSIGNAL) == sizeof(e))
		while (recv(parent, &end, 1, 0) < 0 && errno == EINTR)
			;
	_exit(0);
}

/* ---- parent -------------------------------------------------------------------------------------------------------- */

static int wait_until_made(int sock, struct nook_error *e)
{
	struct nook_error said = NOOK_ERROR_INIT;
	ssize_t n;

	do
		n = recv(sock, &said, sizeof(said), 0);
	while (n < 0 && errno == EINTR);
	if (n != sizeof(said))
		return err_num(e, STEP_NAMESPACE, "new", n < 0 ? errno : EPIPE);
	if (!said.rule)
		return 0;
	said.rule = 0;
	if (e)
		*e = said;
	return said.sys_errno ? -said.sys_errno : -EIO;
}

/* "0:100000:65536" lines as uid_map has them. */
static int write_map(int proc, pid_t pid, const char *file, const char *option, const struct opt_list *lines,
                     struct nook_error *e)
{
	AUTO_VALUE(buf_done) struct buf map = {0};
	auto_free char *name = xasprintf("%d/%s", pid, file);

	for (size_t i = 0; i < lines->n; i++) {
		auto_free char *line = xstrdup(lines->items[i]);
		uint32_t number;
		char *rest = line, *word;
		size_t n = 0;

		while ((word = strsep(&rest, ":"))) {
			if (++n > 3 || text_u32(word, &number) < 0)
				break;
			buf_addf(&map, "%u ", number);
		}
		if (word || n != 3)
			return err_fmt(e, STEP_OPTION, option, EINVAL, "\"%.100s\" is not INSIDE:OUTSIDE:COUNT", lines->items[i]);
		buf_adds(&map, "\n");
	}
	if (!lines->n)
		buf_adds(&map, "0 0 4294967295\n");
	return procfd_write(proc, name, buf_text(&map), STEP_IDMAP, e);
}

static int pin_all(const struct options *o, const char *path, int proc, pid_t pid, struct nook_error *e)
{
	for (size_t i = 0; i < NS_TYPES; i++) {
		auto_free char *name = xasprintf("%d/ns/%s", pid, ns_types[i].next);

		if (!(wanted_flags(o) & ns_types[i].flag))
			continue;
		auto_close int fd = TRY(ns_open(proc, name, e));

		TRY(ns_pins_add(path, &ns_types[i], fd, e));
	}
	return 0;
}

static int keep_from(int cpu, const struct options *o, const char *path, struct nook_error *e)
{
	auto_close int proc = TRY(procfd_open(e));
	int sock[2];
	pid_t pid;
	int r;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sock) < 0)
		return err_sys(e, STEP_NAMESPACE, "new");
	pid = fork();
	if (pid == 0) {
		(void)close(sock[0]);
		child(o, cpu, sock[1]);
	}
	auto_close int ours = sock[0];

	(void)close(sock[1]);
	if (pid < 0)
		return err_sys(e, STEP_CLONE, NULL);
	auto_close int pidfd = TRY(pid_open_child(pid, e));

	r = wait_until_made(ours, e);
	if (r == 0 && o->user)
		r = write_map(proc, pid, "uid_map", "--uidmap", &o->uid_map, e);
	if (r == 0 && o->user)
		r = write_map(proc, pid, "gid_map", "--gidmap", &o->gid_map, e);
	if (r == 0)
		r = pin_all(o, path, proc, pid, e);
	close_fd(&ours);
	(void)pid_reap(pidfd, NULL);
	return r;
}

/* Makes the name with its pins, or nothing. */
static int keep_or_undo(int cpu, const struct options *o, const char *path, const char *name, struct nook_error *e)
{
	int r;

	TRY(ns_pins_make(path, name, wanted_flags(o), e));
	r = keep_from(cpu, o, path, e);
	if (r < 0)
		(void)ns_pins_remove(path, name, NULL);
	return r;
}

/* A mount namespace can be pinned only in one with a smaller id, lest they hold each other for ever (ELOOP).  Linux 6.18
 * hands out ids to each cpu in batches, so that a new namespace may have a smaller one; then another cpu has larger ones. */
static int keep(const struct options *o, const char *path, const char *name, struct nook_error *e)
{
	int r = keep_or_undo(ANY_CPU, o, path, name, e);
	cpu_set_t allowed;

	if (r != -ELOOP || !o->mnt || sched_getaffinity(0, sizeof(allowed), &allowed) < 0)
		return r;
	for (int cpu = 0; cpu < CPU_SETSIZE && r == -ELOOP; cpu++)
		if (CPU_ISSET((size_t)cpu, &allowed))
			r = keep_or_undo(cpu, o, path, name, e);
	return r;
}

static int run(struct cli *c, void *options, int argc, char **argv, struct nook_error *e)
{
	const struct options *o = options;
	const char *path = NULL;

	TRY(check(o, e));
	TRY(ns_pins_path(c->arena, c->run, argv[0], &path, e));
	return keep(o, path, argv[0], e);
}

const struct command cmd_ns_keep = {
	.name = "keep",
	.usage = "[OPTIONS] NAME",
	.summary = "make new namespaces that live without a process",
	.options = options_table,
	.options_size = sizeof(struct options),
	.min_args = 1,
	.max_args = 1,
	.run = run,
	.details = "Each is held by a bind mount, RUN/ns/NAME/TYPE, which nsenter(1), ip(8) and nook run --net path:FILE take too.\n"
	           "Only root can make these. A pid namespace cannot be kept: it ends with its first process.\n",
	.examples = "nook ns keep --net lab\n"
	            "nook ns keep --uts --hostname db --ipc --user --uidmap 0:100000:65536 --gidmap 0:100000:65536 db\n",
};
