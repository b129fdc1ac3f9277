/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cgroup/dir.h"
#include "base/fd.h"
#include "base/text.h"
#include "sys/mountapi.h"

#include <linux/membarrier.h>
#include <sys/stat.h>
#include <sys/syscall.h>

enum { SMALL = 4096, MOUNT_ROUNDS = 16 };

ssize_t cgroup_read(int dir, const char *file, char *buf, size_t size)
{
	auto_close int fd = openat(dir, file, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -errno : fd_read(fd, buf, size - 1);

	if (n >= 0)
		buf[n] = 0;
	return n;
}

bool cgroup_is_only_member(const char *procs)
{
	char *end;

	return strtol(procs, &end, 10) == getpid() && (!*end || text_is(end, "\n"));
}

bool cgroup_dir_is_v2(int dir)
{
	return faccessat(dir, "cgroup.controllers", F_OK, 0) == 0;
}

const char *cgroup_unmounted_path(const char *path)
{
	const char *colon = path[0] == '/' ? NULL : strchr(path, ':');

	return colon ? colon + 1 : NULL;
}

int cgroup_mount_unattached(const char *path, struct nook_error *e)
{
	const char *params[2 * CGROUP_CONTROLLERS];
	char list[256], *name = list;
	size_t len = strcspn(path, ":"), n = 0;

	if (len >= sizeof(list))
		return err_num(e, STEP_CGROUP, path, ENAMETOOLONG);
	memcpy(list, path, len);
	list[len] = 0;
	while (*name && n < CGROUP_CONTROLLERS) {
		char *end = strchrnul(name, ','), *value = strchr(name, '=');
		bool more = *end;

		*end = 0;
		if (value)
			*value++ = 0;
		params[2 * n] = name;
		params[2 * n++ + 1] = value;
		name = end + more;
	}
	for (int round = 0;; round++) {
		int top = fs_mount_new("cgroup", params, n, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, STEP_CGROUP, path, e);

		/* While the kernel still ends the hierarchy that had these controllers before, it answers EBUSY. */
		if (top != -EBUSY || round == MOUNT_ROUNDS || syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) < 0)
			return top;
	}
}

static int open_below(int dir, const char *name)
{
	int fd = openat(dir, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* The top of a hierarchy and the way from there to the group. */
static int open_top(const char *path, const char *mount, const char **ret_rest, struct nook_error *e)
{
	const char *rest = cgroup_unmounted_path(path);
	int top;

	if (rest) {
		*ret_rest = rest;
		return cgroup_mount_unattached(path, e);
	}
	rest = text_after(path, mount);
	if (!rest || (*rest != '/' && !text_is(mount, "/")))
		return err_why(e, STEP_CGROUP, path, EINVAL, "not below its hierarchy's mount");
	*ret_rest = rest;
	top = open(mount, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return top < 0 ? err_sys(e, STEP_CGROUP, mount) : top;
}

int cgroup_dir_open(const char *path, struct nook_error *e)
{
	const char *rest = cgroup_unmounted_path(path);
	int fd;

	if (!rest) {
		fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
		return fd < 0 ? err_sys(e, STEP_CGROUP, path) : fd;
	}
	auto_close int top = TRY(cgroup_mount_unattached(path, e));

	rest += strspn(rest, "/");
	fd = *rest ? open_below(top, rest) : take_fd(&top);
	return fd < 0 ? err_num(e, STEP_CGROUP, path, fd) : fd;
}

/* ---- making --------------------------------------------------------------------------------------------------------- */

static bool has_word(const char *text, const char *word, size_t len)
{
	for (const char *p = text; *p;) {
		size_t n = strcspn(p, " \n");

		if (n == len && !memcmp(p, word, n))
			return true;
		p += n;
		p += strspn(p, " \n");
	}
	return false;
}

/* A v2 group that passes controllers on may have no processes.  When the caller is the only one (a scope that a service
 * manager made for nook), it steps aside into a group below. */
static int step_aside(int dir)
{
	static const char name[] = "nook-supervisor";
	char procs[32];
	ssize_t n = cgroup_read(dir, "cgroup.procs", procs, sizeof(procs));
	auto_close int below = -EBADF, door = -EBADF;

	if (n < 0 || !cgroup_is_only_member(procs))
		return -EBUSY;
	if (mkdirat(dir, name, 0755) < 0 && errno != EEXIST)
		return -errno;
	below = open_below(dir, name);
	door = below < 0 ? below : openat(below, "cgroup.procs", O_WRONLY | O_CLOEXEC);
	return door < 0 || write(door, "0", 1) < 0 ? -errno : 0;
}

/* Writes to subtree_control only what is missing there: a write that changes nothing still waits for dying groups. */
static int enable_controllers(int dir, const char *prepare, const char *path, struct nook_error *e)
{
	char enabled[512], missing[512];
	ssize_t n = cgroup_read(dir, "cgroup.subtree_control", enabled, sizeof(enabled));
	size_t len = 0;

	if (n < 0)
		return err_num(e, STEP_CGROUP, path, (int)n);
	for (const char *p = prepare; *p;) {
		size_t word = strcspn(p, " ");

		if (!has_word(enabled, p + 1, word - 1) && len + word + 1 < sizeof(missing)) {
			memcpy(missing + len, p, word);
			len += word;
			missing[len++] = ' ';
		}
		p += word;
		p += strspn(p, " ");
	}
	missing[len] = 0;
	if (!len)
		return 0;
	auto_close int fd = openat(dir, "cgroup.subtree_control", O_WRONLY | O_CLOEXEC);

	if (fd < 0 || (write(fd, missing, len) < 0 && (errno != EBUSY || step_aside(dir) < 0 || write(fd, missing, len) < 0))) {
		int errnum = errno;

		(void)err_num(e, STEP_CGROUP, path, errnum);
		err_detail(e, errnum == EBUSY ? "a group above it has processes of its own and cannot pass controllers on"
		                              : "cannot pass controllers on to it");
		return -errnum;
	}
	return 0;
}

/* Nothing can join a v1 cpuset before both have been filled. */
static int fill_cpuset(int parent, int dir, const char *path, struct nook_error *e)
{
	static const char *const files[] = {"cpuset.cpus", "cpuset.mems"};
	char text[SMALL];

	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
		ssize_t n = cgroup_read(dir, files[i], text, sizeof(text));

		if (n > 1)
			continue;
		if (n >= 0)
			n = cgroup_read(parent, files[i], text, sizeof(text));
		if (n < 0)
			return err_num(e, STEP_CGROUP, path, (int)n);
		TRY(file_write(dir, files[i], text, STEP_CGROUP, e));
	}
	return 0;
}

/* A group that was there: its processes, also those further below, or a freezer that nobody would thaw, are somebody's. */
static int check_left_over(int dir, const char *path, struct nook_error *e)
{
	AUTO(arena_free) struct arena *a = arena_new();
	struct cgroup_pid_list list = {.arena = a};
	char text[64];

	if (cgroup_list_pids(dir, &list) < 0 || list.n)
		return err_why(e, STEP_CGROUP, path, EBUSY, "this group exists and has processes in it");
	if ((cgroup_read(dir, "cgroup.freeze", text, sizeof(text)) > 0 && text[0] == '1') ||
	    (cgroup_read(dir, "freezer.state", text, sizeof(text)) > 0 && text[0] == 'F'))
		return err_why(e, STEP_CGROUP, path, EBUSY, "this group exists and is frozen");
	return 0;
}

enum left_over { LEFT_OVER_JUDGE, LEFT_OVER_TAKE };

/* The usual case: a new group with nothing to prepare, right below one that exists. */
static bool made_at_once(const char *path, const char *prepare)
{
	return path[0] == '/' && !prepare[0] && mkdir(path, 0755) == 0;
}

static int make(const char *path, const char *mount, const char *prepare, enum left_over left_over, struct nook_error *e)
{
	bool is_cpuset = text_is(prepare, "cpuset");
	const char *rest = "";
	auto_close int dir = -EBADF;

	if (made_at_once(path, prepare)) {
		int made = open_below(AT_FDCWD, path);

		return made < 0 ? err_num(e, STEP_CGROUP, path, made) : made;
	}
	dir = TRY(open_top(path, mount, &rest, e));
	for (;;) {
		char name[NAME_MAX + 1];
		bool existed;
		size_t len;

		rest += strspn(rest, "/");
		len = strcspn(rest, "/");
		if (!len)
			return take_fd(&dir);
		if (len > NAME_MAX)
			return err_num(e, STEP_CGROUP, path, ENAMETOOLONG);
		memcpy(name, rest, len);
		name[len] = 0;
		rest += len;
		if (prepare[0] == '+')
			TRY(enable_controllers(dir, prepare, path, e));
		existed = mkdirat(dir, name, 0755) < 0;
		if (existed && errno != EEXIST)
			return err_sys(e, STEP_CGROUP, path);
		auto_close int below = open_below(dir, name);

		if (below < 0)
			return err_num(e, STEP_CGROUP, path, below);
		if (is_cpuset)
			TRY(fill_cpuset(dir, below, path, e));
		if (existed && left_over == LEFT_OVER_JUDGE && !rest[strspn(rest, "/")])
			TRY(check_left_over(below, path, e));
		close_fd(&dir);
		dir = take_fd(&below);
	}
}

int cgroup_dir_make(const char *path, const char *mount, const char *prepare, struct nook_error *e)
{
	return make(path, mount, prepare, LEFT_OVER_JUDGE, e);
}

int cgroup_dir_add(const char *path, const char *mount, const char *prepare, struct nook_error *e)
{
	if (made_at_once(path, prepare))
		return 0;
	auto_close int dir = make(path, mount, prepare, LEFT_OVER_JUDGE, e);

	return dir < 0 ? dir : 0;
}

int cgroup_dir_ensure(const char *path, const char *mount, const char *prepare, struct nook_error *e)
{
	return make(path, mount, prepare, LEFT_OVER_TAKE, e);
}

/* ---- limits and members --------------------------------------------------------------------------------------------- */

static int write_one(int dir, const char *file, const char *value, size_t len)
{
	auto_close int fd = openat(dir, file, O_WRONLY | O_CLOEXEC);

	return fd < 0 || write(fd, value, len) < 0 ? -errno : 0;
}

int cgroup_limit(int dir, const char *file, const char *value, bool optional, struct nook_error *e)
{
	bool several = strchr(file, '|');
	const char *first = file;
	int r = -ENOENT;

	while (r == -ENOENT && *file) {
		size_t len = strcspn(file, "|"), value_len = several ? strcspn(value, "|") : strlen(value);
		char name[PATH_MAX];

		if (len >= sizeof(name))
			return err_num(e, STEP_LIMIT, file, ENAMETOOLONG);
		memcpy(name, file, len);
		name[len] = 0;
		r = write_one(dir, name, value, value_len);
		/* One value may stand for all the files. */
		if (value[value_len])
			value += value_len + 1;
		file += len;
		file += *file == '|';
	}
	if (r < 0 && optional)
		return 1;
	return r < 0 ? err_num(e, STEP_LIMIT, first, r) : 0;
}

int cgroup_join_open(int dir, const char *name, struct nook_error *e)
{
	int fd = openat(dir, name, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? err_sys(e, STEP_CGROUP, name) : fd;
}

int cgroup_join(int join_fd, struct nook_error *e)
{
	return write(join_fd, "0", 1) < 0 ? err_sys(e, STEP_CGROUP, "tasks") : 0;
}
