/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The floor: the kernel calls that a container as nook makes it by default cannot do without, and nothing else.  No
 * options, no state, no errors worth reading, nothing looked up: what is measured against this is what nook adds.
 *
 *     floor ROOT COMMAND [ARG...]
 *
 * It makes user, mount, pid, net, uts, ipc and cgroup namespaces, one control group with a limit of processes, the
 * standard mounts and nodes, masks and read-only paths, loads nook's default filter and runs the command.
 */
#include "floor_filter.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/keyctl.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ID_BASE = 0x20000000, KERNEL_TMPFS_FLAGS = MS_NOSUID | MS_NODEV | MS_NOEXEC };

static void must(long r, const char *what)
{
	if (r < 0)
		err(125, "%s", what);
}

/* A mask whose target this kernel does not have. */
static void may(long r, const char *what)
{
	if (r < 0 && errno != ENOENT)
		err(125, "%s", what);
}

static void put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	must(fd, path);
	must(write(fd, text, strlen(text)), path);
	(void)close(fd);
}

static void put_at(pid_t pid, const char *name, const char *text)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	put(path, text);
}

static const struct {
	const char *name;
	unsigned major, minor;
} nodes[] = {{"null", 1, 3}, {"zero", 1, 5}, {"full", 1, 7}, {"random", 1, 8}, {"urandom", 1, 9}, {"tty", 5, 0}};

static const char *const links[][2] = {
	{"/proc/self/fd", "fd"},
	{"/proc/self/fd/0", "stdin"},
	{"/proc/self/fd/1", "stdout"},
	{"/proc/self/fd/2", "stderr"},
	{"pts/ptmx", "ptmx"},
};

static const char *const dev_dirs[] = {"pts", "shm", "mqueue"};

static const char *const readonly[] = {"proc/bus", "proc/fs", "proc/irq", "proc/pressure", "proc/sys"};

static const char *const masked_files[] = {
	"proc/interrupts",
	"proc/keys",
	"proc/latency_stats",
	"proc/sched_debug",
	"proc/timer_stats",
	"sys/kernel/notes",
	"sys/kernel/vmcoreinfo",
};

static const char *const masked_dirs[] = {
	"proc/acpi",
	"proc/asound",
	"proc/scsi",
	"sys/devices/virtual/dmi/id",
	"sys/devices/virtual/powercap",
	"sys/firmware",
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* /dev is made by the host's root, since a user namespace may not make nodes, and mapped like the root afterwards. */
static int make_dev(void)
{
	int fs = (int)syscall(SYS_fsopen, "tmpfs", 1), dev;

	must(fs, "fsopen");
	must(syscall(SYS_fsconfig, fs, 1, "mode", "755", 0), "mode");
	must(syscall(SYS_fsconfig, fs, 1, "size", "64k", 0), "size");
	must(syscall(SYS_fsconfig, fs, 6, NULL, NULL, 0), "fsconfig");
	dev = (int)syscall(SYS_fsmount, fs, 1, 0x2 | 0x8);
	must(dev, "fsmount");
	for (size_t i = 0; i < COUNT(nodes); i++)
		must(mknodat(dev, nodes[i].name, S_IFCHR | 0666, makedev(nodes[i].major, nodes[i].minor)), nodes[i].name);
	for (size_t i = 0; i < COUNT(dev_dirs); i++)
		must(mkdirat(dev, dev_dirs[i], 0755), dev_dirs[i]);
	for (size_t i = 0; i < COUNT(links); i++)
		must(symlinkat(links[i][0], dev, links[i][1]), links[i][1]);
	return dev;
}

static void lo_up(void)
{
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};

	must(ioctl(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), SIOCSIFFLAGS, &request), "lo");
}

static void mounts(int root, int dev)
{
	must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "private");
	must(syscall(SYS_move_mount, root, "", AT_FDCWD, "/", 4), "root");
	must(fchdir(root), "root");
	must(mount("proc", "proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL), "proc");
	must(syscall(SYS_move_mount, dev, "", AT_FDCWD, "dev", 4), "dev");
	must(mount("devpts", "dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620,gid=5"), "pts");
	must(mount("tmpfs", "dev/shm", "tmpfs", KERNEL_TMPFS_FLAGS, "mode=1777,size=64m"), "shm");
	must(mount("mqueue", "dev/mqueue", "mqueue", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL), "mqueue");
	must(mount("sysfs", "sys", "sysfs", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL), "sys");
	must(mount("tmpfs", "sys/fs/cgroup", "tmpfs", KERNEL_TMPFS_FLAGS, "mode=755,size=64k"), "cgroup");
}

static void hide(void)
{
	for (size_t i = 0; i < COUNT(readonly); i++) {
		if (mount(readonly[i], readonly[i], NULL, MS_BIND | MS_REC, NULL) == 0)
			must(mount(NULL, readonly[i], NULL, MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL), readonly[i]);
		else
			may(-1, readonly[i]);
	}
	for (size_t i = 0; i < COUNT(masked_files); i++)
		may(mount("dev/null", masked_files[i], NULL, MS_BIND, NULL), masked_files[i]);
	for (size_t i = 0; i < COUNT(masked_dirs); i++)
		may(mount("tmpfs", masked_dirs[i], "tmpfs", MS_RDONLY | KERNEL_TMPFS_FLAGS, "mode=555"), masked_dirs[i]);
}

/* The bits of the eleven capabilities that stay. */
static const uint32_t caps = 1U << CAP_CHOWN | 1U << CAP_DAC_OVERRIDE | 1U << CAP_FOWNER | 1U << CAP_FSETID | 1U << CAP_KILL |
	1U << CAP_SETGID | 1U << CAP_SETUID | 1U << CAP_SETPCAP | 1U << CAP_NET_BIND_SERVICE | 1U << CAP_SYS_CHROOT |
	1U << CAP_SETFCAP;

static void confine(void)
{
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct data[2] = {{caps, caps, 0}, {0, 0, 0}};
	struct sock_fprog filter = {COUNT(floor_filter), (struct sock_filter *)floor_filter};

	for (int i = 0; i <= CAP_LAST_CAP; i++)
		if (i >= 32 || !(caps & 1U << i))
			must(prctl(PR_CAPBSET_DROP, i, 0, 0, 0), "bounding set");
	must(syscall(SYS_capset, &header, data), "capset");
	must(prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0), "parent death");
	must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs");
	must(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter), "seccomp");
}

static void child(int root, int dev, int tasks, int go, char **argv)
{
	static char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
	char *const env[] = {path, NULL};
	char byte;

	must(write(tasks, "0", 1), "join");
	must(unshare(CLONE_NEWCGROUP), "cgroup namespace");
	must(sethostname("floor", 5), "host name");
	lo_up();
	must(syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL), "keyring");
	if (read(go, &byte, 1) != 1)
		errx(125, "the parent is gone");
	must(setgroups(0, NULL), "groups");
	must(setresgid(0, 0, 0), "gid");
	must(setresuid(0, 0, 0), "uid");
	mounts(root, dev);
	put("proc/sys/net/ipv4/ip_unprivileged_port_start", "0");
	put("proc/sys/net/ipv4/ping_group_range", "0 65535");
	hide();
	must(syscall(SYS_pivot_root, ".", "."), "pivot_root");
	must(umount2(".", MNT_DETACH), "umount");
	must(chdir("/"), "chdir");
	must(setsid(), "setsid");
	must(syscall(SYS_close_range, 3, ~0U, 4), "close_range");
	confine();
	(void)execve(argv[0], argv, env);
	err(127, "%s", argv[0]);
}

static void adopt(pid_t pid, int root, int dev)
{
	struct mount_attr map = {.attr_set = 0x00100000};
	struct rlimit core = {0, 0};
	char ids[64], path[64];

	(void)snprintf(ids, sizeof(ids), "0 %u 65536", ID_BASE);
	put_at(pid, "uid_map", ids);
	put_at(pid, "gid_map", ids);
	put_at(pid, "oom_score_adj", "100");
	must(prlimit(pid, RLIMIT_CORE, &core, NULL), "core");
	(void)snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
	map.userns_fd = (uint64_t)open(path, O_RDONLY | O_CLOEXEC);
	must((int)map.userns_fd, path);
	must(syscall(SYS_mount_setattr, root, "", AT_EMPTY_PATH | 0x8000, &map, sizeof(map)), "map the root");
	must(syscall(SYS_mount_setattr, dev, "", AT_EMPTY_PATH, &map, sizeof(map)), "map /dev");
}

int main(int argc, char **argv)
{
	static const uint64_t namespaces = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWIPC;
	struct clone_args args = {.flags = namespaces | CLONE_PIDFD | CLONE_CLEAR_SIGHAND, .exit_signal = SIGCHLD};
	int go[2], root, dev, tasks, status, pidfd;
	char group[80], path[96];
	int v1 = access("/sys/fs/cgroup/pids", F_OK) == 0;
	pid_t pid;

	if (argc < 3)
		errx(125, "usage: floor ROOT COMMAND [ARG...]");
	(void)snprintf(group, sizeof(group), "/sys/fs/cgroup/%snook-floor.%d", v1 ? "pids/" : "", (int)getpid());
	must(mkdir(group, 0755), group);
	(void)snprintf(path, sizeof(path), "%s/pids.max", group);
	put(path, "2048");
	/* Writing to v1's cgroup.procs waits for an RCU grace period, a thread that joins by itself does not. */
	(void)snprintf(path, sizeof(path), "%s/%s", group, v1 ? "tasks" : "cgroup.procs");
	tasks = open(path, O_WRONLY | O_CLOEXEC);
	must(tasks, path);
	root = (int)syscall(SYS_open_tree, AT_FDCWD, argv[1], 1 | O_CLOEXEC | 0x8000);
	must(root, argv[1]);
	(void)umask(0);
	dev = make_dev();
	(void)umask(022);
	must(pipe2(go, O_CLOEXEC), "pipe");
	args.pidfd = (uintptr_t)&pidfd;
	pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	must(pid, "clone3");
	if (pid == 0)
		child(root, dev, tasks, go[0], argv + 2);
	adopt(pid, root, dev);
	must(write(go[1], "", 1), "go");
	must(waitpid(pid, &status, 0), "wait");
	must(rmdir(group), group);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
