/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "runtime/inside.h"

#include "base/text.h"
#include "cgroup/cgroup.h"
#include "launch/root_again.h"
#include "runtime/copied.h"
#include "runtime/data.h"
#include "runtime/idrange.h"
#include "runtime/mapped.h"
#include "runtime/plan_file.h"
#include "runtime/rootfs.h"
#include "sys/mountapi.h"
#include "sys/pid.h"

#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum { PROC_PATH_MAX = 64, FREEZE_MS = 10000 };

/* All that the child needs. */
struct inside {
	const struct container *container;
	const struct plan *plan; /* NULL: it runs */
	int pidfd;               /* of a running one */
	enum inside_view view;
	inside_job job;
	void *data;
	int report;              /* the child's end of a pipe */
	int root;                /* of an ended one whose files are a range's, already open; else -EBADF */
	struct idrange range;
};

struct report {
	int code;
	struct nook_error error;
};

/* Gives the root a path in a mount namespace of this process's own: programs that look up where they are must find it, and
 * not the host's directory of the same name. */
static int give_path(int root, struct nook_error *e)
{
	static const char *const places[] = {"/mnt", "/media", "/srv", "/tmp"};

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		if (move_mount(root, "", AT_FDCWD, places[i], MOVE_MOUNT_F_EMPTY_PATH) == 0)
			return 0;
		if (errno != ENOENT && errno != ENOTDIR)
			break;
	}
	return err_sys(e, STEP_ROOT, "/mnt");
}

static int own_mounts(struct nook_error *e)
{
	if (unshare(CLONE_NEWNS) < 0)
		return err_sys(e, STEP_NAMESPACE, "mnt");
	return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ? err_sys(e, STEP_MOUNT, "/") : 0;
}

/* ---- the root of a running container ------------------------------------------------------------------------------- */

static bool has_own_userns(const struct container *c)
{
	char path[PROC_PATH_MAX];
	struct stat own, its;

	(void)snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)c->pid);
	return stat("/proc/self/ns/user", &own) == 0 && stat(path, &its) == 0 && own.st_ino != its.st_ino;
}

static int become_its_root(struct nook_error *e)
{
	/* Where setgroups(2) is denied (a namespace of one id) there are no groups to drop that would mean anything. */
	(void)setgroups(0, NULL);
	if (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
		return err_sys(e, STEP_USER, "root of the container");
	return 0;
}

static int enter_userns(const struct inside *i, struct nook_error *e)
{
	/* Nobody in there may look into this process or steer it. */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return err_sys(e, STEP_PROCESS, "dumpable");
	if (!has_own_userns(i->container))
		return 0;
	if (setns(i->pidfd, CLONE_NEWUSER) < 0)
		return err_sys(e, STEP_NAMESPACE, "user");
	return become_its_root(e);
}

/* In a process of its own, for there is no way back out of the mount namespace: a copy of the root's mount alone. */
static _Noreturn void send_root(const struct inside *i, int wire)
{
	union {
		char room[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {0};
	char byte = 0;
	struct iovec iov = {&byte, 1};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	int root;

	if (setns(i->pidfd, (has_own_userns(i->container) ? CLONE_NEWUSER : 0) | CLONE_NEWNS) < 0)
		_exit(errno);
	root = open_tree(AT_FDCWD, "/", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (root < 0)
		_exit(errno);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &root, sizeof(int));
	_exit(sendmsg(wire, &m, MSG_NOSIGNAL) == 1 ? 0 : errno);
}

static int receive_root(int wire)
{
	union {
		char room[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	char byte;
	struct iovec iov = {&byte, 1};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
	struct cmsghdr *c;
	ssize_t n;
	int fd = -EBADF;

	do
		n = recvmsg(wire, &m, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	c = n == 1 ? CMSG_FIRSTHDR(&m) : NULL;
	if (c && c->cmsg_type == SCM_RIGHTS)
		memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	return fd;
}

static int root_alone(const struct inside *i, struct nook_error *e)
{
	int pair[2], status = 0, root;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(e, STEP_ROOT, "/");
	pid = fork();
	if (pid == 0) {
		(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
		send_root(i, pair[1]);
	}
	(void)close(pair[1]);
	root = pid < 0 ? err_sys(e, STEP_ROOT, "/") : receive_root(pair[0]);
	(void)close(pair[0]);
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (pid > 0 && root < 0)
		return err_num(e, STEP_ROOT, "/", WIFEXITED(status) && WEXITSTATUS(status) ? WEXITSTATUS(status) : EIO);
	return root;
}

static int running_root(const struct inside *i, struct nook_error *e)
{
	char path[PROC_PATH_MAX];
	int root;

	if (i->view == INSIDE_ROOT_ALONE) {
		auto_close int alone = TRY(root_alone(i, e));

		TRY(enter_userns(i, e));
		TRY(own_mounts(e));
		TRY(give_path(alone, e));
		return take_fd(&alone);
	}
	TRY(enter_userns(i, e));
	(void)snprintf(path, sizeof(path), "/proc/%d/root", (int)i->container->pid);
	root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	/* The number is that of the container as long as the process has not been waited for. */
	if (root < 0 || pid_has_ended(i->pidfd)) {
		int r = root < 0 ? err_sys(e, STEP_ROOT, path) : err_num(e, STEP_CONTAINER, i->container->id, ESRCH);

		close_fd(&root);
		return r;
	}
	return root;
}

/* ---- the root of one that has ended -------------------------------------------------------------------------------- */

static int ended_root(const struct inside *i, struct nook_error *e)
{
	TRY(own_mounts(e));
	int root = TRY(launch_root_again(i->plan, e));

	TRY(give_path(root, e));
	return root;
}

/* Its changes were in memory and are gone; without them it is not what it was. */
static int check_kept(const struct container *c, const struct plan *p, struct nook_error *e)
{
	for (uint32_t i = 0; i < p->n_steps; i++) {
		const struct step *s = &p->steps[i];

		if (s->kind == DO_ROOT_TMPFS || (s->kind == DO_ROOT_OVERLAY && s->mount.upper_slot == SLOT_NONE))
			return err_why(e, STEP_CONTAINER, c->id, ENODATA, "it has ended, and its changes with it: they were in memory");
	}
	if (text_after(c->source, "tar:") && !c->n_kept)
		return err_why(e, STEP_CONTAINER, c->id, ENODATA, "it has ended, and the root unpacked for it went with it");
	return 0;
}

/* ---- the child -------------------------------------------------------------------------------------------------------- */

static int child_work(const struct inside *i, struct nook_error *e)
{
	auto_close int root = i->root >= 0 ? i->root : TRY(i->plan ? ended_root(i, e) : running_root(i, e));

	return i->job(root, i->data, e);
}

static int child_run(const void *data)
{
	const struct inside *i = data;
	struct report report = {.error = NOOK_ERROR_INIT};

	report.code = child_work(i, &report.error);
	return write(i->report, &report, sizeof(report)) == sizeof(report) ? 0 : 1;
}

/* Files that belong to the host ids behind the container's: found as the host's root, worked on as the container's. */
static int mapped_child(const void *data)
{
	const struct inside *i = data;
	struct report report = {.error = NOOK_ERROR_INIT};

	report.code = become_its_root(&report.error);
	if (report.code >= 0)
		return child_run(i);
	return write(i->report, &report, sizeof(report)) == sizeof(report) ? 0 : 1;
}

static int copied_child(const struct inside *i)
{
	struct report report = {.error = NOOK_ERROR_INIT};
	struct inside in = *i;

	in.root = ended_root(i, &report.error);
	report.code = in.root < 0 ? in.root : mapped_run(&in.range, mapped_child, &in, &report.error);
	/* Otherwise the other one has written what came of it. */
	if (report.code < 0)
		return write(i->report, &report, sizeof(report)) == sizeof(report) ? 0 : 1;
	return report.code;
}

static int fork_child(const struct inside *i, struct nook_error *e)
{
	int status = 0;
	pid_t pid = fork();

	if (pid < 0)
		return err_sys(e, STEP_CLONE, NULL);
	if (pid == 0)
		_exit(i->range.n_uid_maps ? copied_child(i) : child_run(i));
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return 0;
}

static int run_child(struct store_run *r, struct inside *i, struct arena *a, struct nook_error *e)
{
	struct idrange range = {0};

	/* Root owns the ids on disk, and an ordinary user has those of his containers in a namespace like theirs. */
	if (!i->plan || geteuid() == 0)
		return fork_child(i, e);
	TRY(idrange_choose(runtime_fd(r), i->container->id, true, a, &range, e));
	return mapped_run(&range, child_run, i, e);
}

/* Nobody removes or restores what it keeps meanwhile. */
static int lock_kept(const struct container *c, struct arena *a, int **ret, struct nook_error *e)
{
	int *locks = arena_new_n(a, int, c->n_kept + 1);

	for (size_t i = 0; i < c->n_kept; i++)
		locks[i] = -EBADF;
	*ret = locks;
	for (size_t i = 0; i < c->n_kept; i++) {
		locks[i] = data_lock(c->kept[i], e);
		if (locks[i] < 0 && locks[i] != -ENOENT) /* snapshots: there may be none */
			return locks[i];
	}
	return 0;
}

static int run_reported(struct store_run *r, struct inside *i, struct arena *a, struct nook_error *e)
{
	struct report report = {.code = -EIO};
	int pair[2], n;

	if (pipe2(pair, O_CLOEXEC) < 0)
		return err_sys(e, STEP_CLONE, NULL);
	i->report = pair[1];
	n = run_child(r, i, a, e);
	(void)close(pair[1]);
	if (n >= 0 && read(pair[0], &report, sizeof(report)) != sizeof(report))
		n = err_why(e, STEP_CONTAINER, i->container->id, EIO, "the helper process was killed");
	(void)close(pair[0]);
	if (n < 0)
		return n;
	if (report.code < 0 && e)
		*e = report.error;
	return report.code;
}

/* Files on disk that are those of a range; of an overlay only the lowest ones are, and no view is right for all. */
static int find_range(struct inside *i, struct arena *a, struct nook_error *e)
{
	struct spec_root root = {0};

	if (!TRY(copied_range(i->container, i->plan, a, &i->range, e)))
		return 0;
	TRY(rootfs_of_plan(i->plan, a, &root, e));
	if (root.kind != ROOT_OVERLAY)
		return 0;
	return err_fmt(e, STEP_CONTAINER, i->container->id, EOPNOTSUPP,
		"it has ended, and below its disk lies a copy that belongs to the ids it had: nook run container:%s shows it as it is",
		i->container->id);
}

int inside_run(struct store_run *r, const struct container *c, enum inside_view view, inside_job job, void *data,
	struct nook_error *e)
{
	AUTO(arena_free) struct arena *a = arena_new();
	enum container_status status = container_status(c);
	struct inside i = {.container = c, .pidfd = -EBADF, .view = view, .job = job, .data = data, .root = -EBADF};
	auto_close int pidfd = -EBADF;
	int *locks = NULL, code;

	if (status == CONTAINER_CREATING)
		return err_why(e, STEP_CONTAINER, c->id, EBUSY, "it is just being created");
	if (status != CONTAINER_STOPPED) {
		TRY(container_settle(r, c, e));
		pidfd = i.pidfd = TRY(container_pidfd(c, e));
		return run_reported(r, &i, a, e);
	}
	TRY(plan_load(r, c->id, a, &i.plan, e));
	TRY(check_kept(c, i.plan, e));
	TRY(find_range(&i, a, e));
	code = lock_kept(c, a, &locks, e);
	if (code >= 0)
		code = run_reported(r, &i, a, e);
	for (size_t n = 0; n < c->n_kept; n++)
		close_fd(&locks[n]);
	return code;
}

int inside_freeze(const struct container *c, struct arena *a, struct nook_error *e)
{
	struct cgroup group;

	if (container_status(c) != CONTAINER_RUNNING || !c->n_cgroups)
		return 0;
	container_cgroup(c, a, &group);
	TRY(cgroup_freeze(&group, FREEZE_MS, e));
	return 1;
}

int inside_thaw(const struct container *c, struct arena *a, struct nook_error *e)
{
	struct cgroup group;

	container_cgroup(c, a, &group);
	return cgroup_thaw(&group, e);
}
