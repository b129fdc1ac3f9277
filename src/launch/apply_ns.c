/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Namespaces: those that are joined, and what a new one needs before anything can live in it. */
#include "launch/walk.h"

#include "base/fd.h"
#include "base/spawn.h"
#include "sys/net_device.h"
#include "sys/netlink.h"
#include "sys/pid.h"

#include <arpa/inet.h>
#include <linux/prctl.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>

int apply_open_pid(struct walk *w, const struct step *s, struct nook_error *e)
{
	w->slots[s->slot] = w->joined >= 0 ? take_fd(&w->joined) : TRY(pid_open(AT_FDCWD, s->process.pid, s->process.start, e));
	return 0;
}

int apply_open_ns(struct walk *w, const struct step *s, struct nook_error *e)
{
	const char *path = walk_str(w, s->object);

	w->slots[s->slot] = open(path, O_RDONLY | O_CLOEXEC);
	return w->slots[s->slot] < 0 ? err_sys(e, STEP_NAMESPACE, path) : 0;
}

int apply_join_ns(struct walk *w, const struct step *s, struct nook_error *e)
{
	/* What lives in the namespace that is about to be entered must not look into this process.  A pid namespace is entered
	 * by children only: where it is joined along with all others, nobody inside can see this process. */
	if (!(s->ns.flags & CLONE_NEWPID))
		(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	if (setns(walk_slot(w, s->slot), (int)(w->in_pidns ? s->ns.flags & ~(uint64_t)CLONE_NEWPID : s->ns.flags)) < 0) {
		const char *object = walk_str(w, s->object);
		int r = err_sys(e, STEP_NAMESPACE, object);

		if (r == -EINVAL)
			err_detail(e, "it is not a namespace of this kind, or is our own");
		return r;
	}
	w->in_root |= (s->ns.flags & CLONE_NEWNS) != 0;
	return 0;
}

/* ---- id maps (parent) -------------------------------------------------------------------------------------------- */

static int map_write(struct walk *w, const char *file, const char *map, struct nook_error *e)
{
	auto_close int fd = openat(TRY(walk_child_proc(w, e)), file, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, map, strlen(map)) < 0) {
		int r = err_sys(e, STEP_IDMAP, file);

		if (e)
			(void)snprintf(e->detail, sizeof(e->detail), "writing \"%.*s\"", (int)strcspn(map, "\n"), map);
		return r;
	}
	return 0;
}

/* newuidmap PID inside outside count ... */
static int map_by_helper(struct walk *w, const char *program, const char *map, struct nook_error *e)
{
	enum { WORDS_MAX = 3 * 340 };
	const char *argv[WORDS_MAX + 3] = {program};
	auto_free char *words = xstrdup(map);
	char pid[16];
	char *save = NULL;
	struct buf out = {0};
	size_t n = 2;
	int r;

	(void)snprintf(pid, sizeof(pid), "%d", (int)w->child);
	argv[1] = pid;
	for (char *word = strtok_r(words, " \n", &save); word && n < WORDS_MAX + 2; word = strtok_r(NULL, " \n", &save))
		argv[n++] = word;
	r = spawn_run(&(struct spawn){.argv = argv}, &out, e);
	if (r > 0)
		r = err_fmt(e, STEP_IDMAP, program, EPERM, "%.*s", (int)strcspn(buf_text(&out), "\n"), buf_text(&out));
	buf_done(&out);
	return r;
}

int apply_idmap(struct walk *w, const struct step *s, struct nook_error *e)
{
	const char *uid_map = walk_str(w, s->idmap.uid_map), *gid_map = walk_str(w, s->idmap.gid_map);

	if (s->idmap.helper) {
		TRY(map_by_helper(w, "newuidmap", uid_map, e));
		return map_by_helper(w, "newgidmap", gid_map, e);
	}
	if (s->idmap.deny_setgroups)
		TRY(map_write(w, "setgroups", "deny", e));
	TRY(map_write(w, "uid_map", uid_map, e));
	return map_write(w, "gid_map", gid_map, e);
}

int apply_unshare(struct walk *w, const struct step *s, struct nook_error *e)
{
	return unshare((int)s->ns.flags) < 0 ? err_sys(e, STEP_NAMESPACE, walk_str(w, s->object)) : 0;
}

int apply_own_map(struct walk *w, const struct step *s, struct nook_error *e)
{
	auto_close int self = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (self < 0)
		return err_sys(e, STEP_IDMAP, "/proc/self");
	TRY(file_write(self, "setgroups", "deny", STEP_IDMAP, e));
	TRY(file_write(self, "uid_map", walk_str(w, s->idmap.uid_map), STEP_IDMAP, e));
	return file_write(self, "gid_map", walk_str(w, s->idmap.gid_map), STEP_IDMAP, e);
}

int apply_net_device(struct walk *w, const struct step *s, struct nook_error *e)
{
	auto_close int netns = openat(TRY(walk_child_proc(w, e)), "ns/net", O_RDONLY | O_CLOEXEC);

	if (netns < 0)
		return err_sys(e, STEP_NET, walk_str(w, s->object));
	return net_device_move(walk_str(w, s->pair.key), walk_str(w, s->pair.value), netns, e);
}

/* ---- new namespaces (child) -------------------------------------------------------------------------------------- */

int apply_hostname(struct walk *w, const struct step *s, struct nook_error *e)
{
	const char *name = walk_str(w, s->pair.key);

	return sethostname(name, strlen(name)) < 0 ? err_sys(e, STEP_HOSTNAME, name) : 0;
}

int apply_domainname(struct walk *w, const struct step *s, struct nook_error *e)
{
	const char *name = walk_str(w, s->pair.key);

	return setdomainname(name, strlen(name)) < 0 ? err_sys(e, STEP_HOSTNAME, name) : 0;
}

int apply_loopback(struct walk *w, const struct step *s, struct nook_error *e)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0); /* left to execve(2), as all of the child's descriptors */

	return fd < 0 ? err_sys(e, STEP_NET, "lo") : net_loopback_up_by(fd, e);
}

int apply_listen(struct walk *w, const struct step *s, struct nook_error *e)
{
	const struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)s->value.number),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	auto_close int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int r;

	if (fd < 0 || bind(fd, (const struct sockaddr *)&at, sizeof(at)) < 0 || listen(fd, SOMAXCONN) < 0)
		return err_sys(e, STEP_NET, walk_str(w, s->object));
	r = wire_send_fd(w->wire, WIRE_LISTENER, fd);
	return r < 0 ? err_num(e, STEP_WIRE, "listener", r) : 0;
}

static char *put(char *to, const char *from)
{
	while ((*to = *from++))
		to++;
	return to;
}

static char *put_i64(char *to, int64_t value)
{
	char digits[20];
	uint64_t v = value < 0 ? -(uint64_t)value : (uint64_t)value;
	int n = 0;

	if (value < 0)
		*to++ = '-';
	do
		digits[n++] = (char)('0' + v % 10);
	while ((v /= 10));
	while (n)
		*to++ = digits[--n];
	*to = 0;
	return to;
}

int apply_time(struct walk *w, const struct step *s, struct nook_error *e)
{
	static const char *const clocks[] = {"monotonic ", "boottime "};
	auto_close int fd = -EBADF;
	auto_close int ns = -EBADF;
	char text[128] = "";
	char *to = text;

	/* Offsets can be set only while nobody lives in the namespace: make it, set them, then enter. */
	if (unshare(CLONE_NEWTIME) < 0)
		return err_sys(e, STEP_NAMESPACE, "time");
	for (int i = 0; i < 2; i++) {
		if (!s->time.set[i])
			continue;
		to = put_i64(put(to, clocks[i]), s->time.secs[i]);
		to = put(put_i64(put(to, " "), s->time.nsecs[i]), "\n");
	}
	if (text[0]) {
		fd = open("/proc/self/timens_offsets", O_WRONLY | O_CLOEXEC);
		if (fd < 0 || write(fd, text, (size_t)(to - text)) < 0) {
			int r = err_sys(e, STEP_NAMESPACE, "timens_offsets");

			if (r == -ERANGE)
				err_detail(e, "a clock would fall below zero or beyond its range");
			return r;
		}
	}
	ns = open("/proc/self/ns/time_for_children", O_RDONLY | O_CLOEXEC);
	if (ns < 0 || setns(ns, CLONE_NEWTIME) < 0)
		return err_sys(e, STEP_NAMESPACE, "time");
	return 0;
}
