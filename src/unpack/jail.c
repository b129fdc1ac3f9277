/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unpack/jail.h"

#include "security/confine.h"
#include "security/landlock.h"
#include "sys/mountapi.h"
#include "sys/procfd.h"

#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

enum { ROOT_FD = 4, SPARE_FD = JAIL_LOWERS + JAIL_LOWERS_MAX, FILES_MAX = 1024 };

/* The largest dictionaries in use (zstd --long=27, xz -9) take 128 MiB; what asks for more is an attack on memory. */
#define MEMORY_MAX ((rlim_t)1 << 30)

/* Reading, writing below descriptors, memory, leaving. */
static const char *const calls[] = {
	"brk", "clock_gettime", "close", "exit", "exit_group", "faccessat", "faccessat2", "fchmod", "fchown", "fchownat",
	"fcntl", "fgetxattr", "flistxattr", "fsetxattr", "fstat", "fsync", "ftruncate", "futex", "getdents64", "getpid", "getrandom", "gettid", "linkat", "lseek",
	"madvise", "mkdirat", "mknodat", "mmap", "mprotect", "mremap", "munmap", "newfstatat", "openat", "openat2",
	"pread64", "pwrite64", "read", "readv", "renameat", "renameat2", "restart_syscall", "rt_sigaction",
	"rt_sigprocmask", "rt_sigreturn", "statx", "symlinkat", "syncfs", "tgkill", "unlinkat", "utimensat", "write",
	"writev", NULL,
};

/* An ordinary user becomes root of a namespace where nobody else exists. */
static int map_self(uid_t uid, gid_t gid, struct nook_error *e)
{
	auto_close int proc = TRY(procfd_open(e));
	char text[32];

	(void)snprintf(text, sizeof(text), "0 %u 1", uid);
	TRY(procfd_write(proc, "self/uid_map", text, STEP_IDMAP, e));
	TRY(procfd_write(proc, "self/setgroups", "deny", STEP_IDMAP, e));
	(void)snprintf(text, sizeof(text), "0 %u 1", gid);
	return procfd_write(proc, "self/gid_map", text, STEP_IDMAP, e);
}

/* Makes the working directory the root and lets the rest of the file system go. */
static int pivot_here(struct nook_error *e)
{
	int copy;

	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return err_sys(e, STEP_MOUNT, "/");
	copy = open_tree(AT_FDCWD, ".", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
	if (copy < 0)
		return err_sys(e, STEP_MOUNT, "target");
	auto_close int here = copy, top = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	const uint64_t attrs = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
	int r = mount_attrs(here, AT_RECURSIVE, attrs, 0, 0, -1);

	if (!r)
		r = top < 0 ? -errno : mount_attach(here, top);
	return r < 0 ? err_num(e, STEP_MOUNT, "target", r) : mount_pivot(here, e);
}

static int leave_file_system(struct jail_missing *missing, struct nook_error *e)
{
	const uid_t uid = geteuid();
	const gid_t gid = getegid();

	if (unshare(CLONE_NEWNS | (uid ? CLONE_NEWUSER : 0)) < 0) {
		missing->namespaces = uid ? "user namespaces are not allowed here" : "mount namespaces are not allowed here";
		return 0;
	}
	if (uid)
		TRY(map_self(uid, gid, e));
	return pivot_here(e);
}

static int fence(int root, size_t n_lowers, struct jail_missing *missing, struct nook_error *e)
{
	const struct landlock_kernel k = landlock_probe(&missing->landlock);

	/* Without REFER, which came with ABI 2, no hard link could be made to a file of another directory. */
	if (k.abi && !(k.fs & LANDLOCK_ACCESS_FS_REFER))
		missing->landlock = "Landlock of this kernel refuses hard links";
	if (!(k.fs & LANDLOCK_ACCESS_FS_REFER))
		return 0;
	missing->landlock = NULL;
	auto_close int rules = TRY(landlock_ruleset(k.fs, k.scopes, e));

	TRY(landlock_allow(rules, root, k.fs & ~(uint64_t)LANDLOCK_ACCESS_FS_EXECUTE, "target", e));
	for (size_t i = 0; i < n_lowers; i++)
		TRY(landlock_allow(rules, JAIL_LOWERS + (int)i, LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR, "layer", e));
	return landlock_enforce(rules, e);
}

static int limit(struct nook_error *e)
{
	TRY(confine_limit(RLIMIT_NOFILE, FILES_MAX, e));
	TRY(confine_limit(RLIMIT_MEMLOCK, 0, e));
#ifndef UNDER_SANITIZER
	TRY(confine_limit(RLIMIT_AS, MEMORY_MAX, e));
#endif
	return 0;
}

#ifdef UNDER_SANITIZER
/* It looks for leaks through a /proc that is out of reach in the jail. */
const char *__asan_default_options(void) __attribute__((visibility("default")));
const char *__asan_default_options(void)
{
	return "detect_leaks=0";
}
#endif

static int filter(struct nook_error *e)
{
	struct seccomp_rule allow = {.names = calls, .action = SECCOMP_RET_ALLOW};

	return confine_calls(&allow, 1, e);
}

static int move_fd(int from, int to, struct nook_error *e)
{
	return dup3(from, to, O_CLOEXEC) < 0 ? err_sys(e, STEP_FDS, "jail") : 0;
}

/* A copy beyond all places that are given out. */
static int spare(int fd, struct nook_error *e)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, SPARE_FD);

	return copy < 0 ? err_sys(e, STEP_FDS, "jail") : copy;
}

/* Input, root and lowers to their places, everything else closed. */
static int keep(const struct jail_options *o, int root, struct nook_error *e)
{
	int input = TRY(spare(o->input, e)), lowers[JAIL_LOWERS_MAX];

	root = TRY(spare(root, e));
	for (size_t i = 0; i < o->n_lowers; i++)
		lowers[i] = TRY(spare(o->lowers[i], e));
	TRY(move_fd(input, JAIL_INPUT, e));
	TRY(move_fd(root, ROOT_FD, e));
	for (size_t i = 0; i < o->n_lowers; i++)
		TRY(move_fd(lowers[i], JAIL_LOWERS + (int)i, e));
	if (syscall(SYS_close_range, JAIL_LOWERS + o->n_lowers, ~0U, 0) < 0)
		return err_sys(e, STEP_FDS, "jail");
	return ROOT_FD;
}

int jail_enter(int target, const struct jail_options *o, struct jail_missing *ret_missing, struct nook_error *e)
{
	struct jail_missing missing = {0};
	int root;

	if (fchdir(target) < 0)
		return err_sys(e, STEP_CWD, "target");
	TRY(leave_file_system(&missing, e));
	root = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return err_sys(e, STEP_CWD, "target");
	/* Whoever removes the target waits for this lock, so that nothing is written behind its back. */
	if (flock(root, LOCK_SH | LOCK_NB) < 0)
		return err_sys(e, STEP_LOCK, "target");
	root = TRY(keep(o, root, e));
	TRY(limit(e));
	TRY(confine_start(o->keep_caps, e));
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		return err_sys(e, STEP_SECCOMP, "jail");
	TRY(fence(root, o->n_lowers, &missing, e));
	TRY(filter(e));
	*ret_missing = missing;
	return root;
}
