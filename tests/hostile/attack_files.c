/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The file system, mounts, devices, /proc and /sys. */
#include "escape.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

enum { MANY_INODES = 300000 };

/* A directory that the attack may use; gone when it is empty. */
static const char *scratch(char *path)
{
	strcpy(path, "/tmp/escape.XXXXXX");
	return mkdtemp(path);
}

bool attack_chroot(void)
{
	char dir[32];
	int above = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool gained;

	if (above < 0 || !scratch(dir))
		return false;
	/* The descriptor stays outside the new root, so ".." leads on. */
	gained = chroot(dir) == 0 && fchdir(above) == 0;
	for (int i = 0; gained && i < 64; i++)
		(void)!chdir("..");
	if (gained)
		(void)!chroot(".");
	gained = gained && can_open(outside.marker, O_RDONLY);
	(void)unlinkat(above, dir + 1, AT_REMOVEDIR);
	return gained;
}

bool attack_cwd(void)
{
	char where[4096];
	char path[8192];

	(void)snprintf(path, sizeof(path), "../../../../../../../../../../../..%s", outside.marker);
	return can_open(path, O_RDONLY) || syscall(SYS_getcwd, where, sizeof(where)) < 0 || where[0] != '/';
}

bool attack_handle(void)
{
	struct {
		struct file_handle handle;
		unsigned char bytes[128];
	} h = {.handle.handle_bytes = 128};
	int mount_id, root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (name_to_handle_at(AT_FDCWD, "/", &h.handle, &mount_id, 0) < 0)
		return open_by_handle_at(root, &h.handle, O_RDONLY) >= 0;
	return open_by_handle_at(root, &h.handle, O_RDONLY) >= 0;
}

bool attack_mount(void)
{
	static const char *const types[] = {"tmpfs", "proc", "sysfs", "devpts", "overlay", "cgroup", "cgroup2", "mqueue", "ext4"};
	char dir[32];
	bool gained = false;

	if (!scratch(dir))
		return false;
	for (size_t i = 0; !gained && i < sizeof(types) / sizeof(types[0]); i++)
		gained = mount("none", dir, types[i], 0, NULL) == 0;
	if (gained)
		(void)umount2(dir, MNT_DETACH);
	(void)rmdir(dir);
	return gained;
}

bool attack_remount_root(void)
{
	return mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_NOATIME, NULL) == 0 || mount("/", "/tmp", NULL, MS_BIND, NULL) == 0;
}

bool attack_remount_proc(void)
{
	static const char *const paths[] = {"/proc", "/proc/sys", "/sys", "/proc/sysrq-trigger"};

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		if (mount(NULL, paths[i], NULL, MS_REMOUNT | MS_BIND, NULL) == 0 || mount(NULL, paths[i], NULL, MS_REMOUNT, NULL) == 0)
			return true;
	return false;
}

static const char *const masked[] = {"/proc/kcore", "/proc/timer_list", "/proc/keys", "/proc/kmsg", "/proc/slabinfo",
	"/proc/vmallocinfo", "/proc/pagetypeinfo", "/proc/kpagecount", "/proc/kpageflags", "/proc/kpagecgroup", "/proc/interrupts",
	"/proc/sched_debug", "/proc/latency_stats", "/proc/timer_stats", "/sys/kernel/notes", "/sys/kernel/vmcoreinfo"};

static const char *const masked_dirs[] = {"/proc/acpi", "/proc/asound", "/proc/scsi", "/sys/firmware", "/sys/kernel/debug",
	"/sys/kernel/tracing", "/sys/kernel/security", "/sys/devices/virtual/powercap", "/sys/devices/virtual/dmi/id"};

bool attack_umount_masks(void)
{
	for (size_t i = 0; i < sizeof(masked) / sizeof(masked[0]); i++)
		if (umount2(masked[i], MNT_DETACH) == 0)
			return true;
	return umount2("/proc", MNT_DETACH) == 0 || umount2("/sys", MNT_DETACH) == 0 || umount2("/dev", MNT_DETACH) == 0;
}

bool attack_new_mount_api(void)
{
	struct mount_attr attr = {.attr_clr = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV};
	int fs = fsopen("tmpfs", FSOPEN_CLOEXEC), tree = open_tree(AT_FDCWD, "/", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

	return fs >= 0 || tree >= 0 || mount_setattr(AT_FDCWD, "/", 0, &attr, sizeof(attr)) == 0 ||
	       fspick(AT_FDCWD, "/", FSPICK_CLOEXEC) >= 0;
}

bool attack_move_mount(void)
{
	/* Both are allowed to fail for other reasons; a door that is shut says EPERM. */
	return reached(move_mount(AT_FDCWD, "/proc", AT_FDCWD, "/tmp", 0)) || mount("/proc", "/tmp", NULL, MS_MOVE, NULL) == 0;
}

bool attack_pivot_root(void)
{
	return reached(syscall(SYS_pivot_root, "/", "/"));
}

bool attack_propagation(void)
{
	FILE *f = fopen("/proc/self/mountinfo", "re");
	char line[4096];
	bool gained = false;

	while (f && fgets(line, sizeof(line), f))
		gained = gained || strstr(line, " shared:") || strstr(line, " master:");
	if (f)
		(void)fclose(f);
	return gained || mount(NULL, "/", NULL, MS_SHARED, NULL) == 0;
}

bool attack_mknod(void)
{
	char dir[32], path[64];
	bool gained = false;

	if (!scratch(dir))
		return false;
	(void)snprintf(path, sizeof(path), "%s/node", dir);
	/* Memory, the console, the first loop device. */
	gained = mknod(path, S_IFCHR | 0600, makedev(1, 1)) == 0 || mknod(path, S_IFCHR | 0600, makedev(5, 1)) == 0 ||
		 mknod(path, S_IFBLK | 0600, makedev(7, 0)) == 0;
	(void)unlink(path);
	(void)rmdir(dir);
	return gained;
}

bool attack_planted_device(void)
{
	return can_open("/planted", O_RDONLY) || can_open("/planted", O_WRONLY);
}

static bool is_harmless(const char *name)
{
	static const char *const usual[] = {"null", "zero", "full", "random", "urandom", "tty", "ptmx", "console"};

	for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]); i++)
		if (!strcmp(name, usual[i]))
			return true;
	return false;
}

bool attack_devices(void)
{
	DIR *dir = opendir("/dev");
	struct dirent *d;
	bool gained = false;

	while (dir && (d = readdir(dir)))
		gained = gained || d->d_type == DT_BLK || (d->d_type == DT_CHR && !is_harmless(d->d_name));
	if (dir)
		(void)closedir(dir);
	return gained;
}

static bool has_entries(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *d;
	bool found = false;

	while (dir && (d = readdir(dir)))
		found = found || d->d_name[0] != '.';
	if (dir)
		(void)closedir(dir);
	return found;
}

bool attack_masks(void)
{
	char text[64];

	for (size_t i = 0; i < sizeof(masked) / sizeof(masked[0]); i++)
		if (*text_of(masked[i], text, sizeof(text)))
			return true;
	for (size_t i = 0; i < sizeof(masked_dirs) / sizeof(masked_dirs[0]); i++)
		if (has_entries(masked_dirs[i]))
			return true;
	return false;
}

bool attack_core_pattern(void)
{
	return can_open("/proc/sys/kernel/core_pattern", O_WRONLY);
}

bool attack_sysrq(void)
{
	return can_open("/proc/sysrq-trigger", O_WRONLY);
}

bool attack_proc_sys(void)
{
	static const char *const files[] = {"kernel/hostname", "kernel/domainname", "kernel/modprobe", "kernel/sysrq",
		"kernel/ns_last_pid", "kernel/printk", "kernel/panic", "kernel/shmmax", "vm/overcommit_memory", "vm/swappiness",
		"fs/file-max", "net/ipv4/ip_forward", "net/core/somaxconn"};
	char path[64];

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		(void)snprintf(path, sizeof(path), "/proc/sys/%s", files[i]);
		if (can_open(path, O_WRONLY))
			return true;
	}
	return false;
}

bool attack_binfmt_misc(void)
{
	return can_open("/proc/sys/fs/binfmt_misc/register", O_WRONLY) ||
	       mount("none", "/tmp", "binfmt_misc", 0, NULL) == 0;
}

/* Is FILE, in the top of a hierarchy or in its hierarchies' tops, to be written? */
static bool cgroup_writable(const char *file)
{
	static const char *const tops[] = {"", "unified/", "pids/", "memory/", "cpu/", "cpuset/", "devices/", "freezer/", "systemd/",
		"blkio/", "cpu,cpuacct/", "rdma/", "misc/"};
	char path[128];

	for (size_t i = 0; i < sizeof(tops) / sizeof(tops[0]); i++) {
		(void)snprintf(path, sizeof(path), "/sys/fs/cgroup/%s%s", tops[i], file);
		if (can_open(path, O_WRONLY))
			return true;
	}
	return false;
}

bool attack_release_agent(void)
{
	return cgroup_writable("release_agent");
}

bool attack_cgroup_files(void)
{
	return cgroup_writable("cgroup.procs") || cgroup_writable("pids.max") || cgroup_writable("memory.limit_in_bytes") ||
	       cgroup_writable("memory.max") || cgroup_writable("devices.allow") || cgroup_writable("notify_on_release") ||
	       cgroup_writable("cgroup.subtree_control");
}

bool attack_sysfs(void)
{
	static const char *const files[] = {"/sys/kernel/uevent_helper", "/sys/kernel/mm/transparent_hugepage/enabled",
		"/sys/power/state", "/sys/kernel/mm/ksm/run", "/sys/module/kernel/parameters/consoleblank",
		"/sys/module/printk/parameters/time", "/sys/kernel/rcu_expedited", "/sys/class/net/lo/mtu"};

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		if (can_open(files[i], O_WRONLY))
			return true;
	return false;
}

bool attack_inodes(void)
{
	static const char *const places[] = {"/dev", "/dev/shm", "/tmp", "/run", "/sys/fs/cgroup"};
	struct statfs fs;

	/* 0: as many as memory holds. */
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		if (statfs(places[i], &fs) == 0 && fs.f_type == TMPFS_MAGIC && !(fs.f_flags & ST_RDONLY) &&
			(fs.f_files == 0 || fs.f_files > MANY_INODES))
			return true;
	return false;
}
