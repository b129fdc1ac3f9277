/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/fd.h"
#include "base/text.h"
#include "cli/doctor.h"
#include "sys/mountapi.h"
#include "sys/ns.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <sys/wait.h>

#define GROUP "file systems"

/* ---- overlay ------------------------------------------------------------------------------------------------------- */

/* An overlay of two directories on a new tmpfs, with what a container does first: change a file of the lower one. */
static int try_overlay_here(void)
{
	static const char *const params[] = {"lowerdir", "lower", "upperdir", "upper", "workdir", "work"};
	auto_close int slash = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	auto_close int tmpfs = TRY(fs_mount_new("tmpfs", NULL, 0, 0, STEP_MOUNT, "", NULL));

	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return -errno;
	/* Overlay takes only layers that are mounted in this namespace; names are relative to it from here on. */
	TRY(mount_attach(tmpfs, slash));
	if (fchdir(tmpfs) < 0 || mkdir("lower", 0755) < 0 || mkdir("upper", 0755) < 0 || mkdir("work", 0755) < 0)
		return -errno;
	auto_close int file = open("lower/file", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	auto_close int overlay = TRY(fs_mount_new("overlay", params, 3, 0, STEP_MOUNT, "", NULL));
	auto_close int copied = openat(overlay, "file", O_WRONLY | O_CLOEXEC);

	return file < 0 || copied < 0 || unlinkat(overlay, "file", 0) < 0 ? -errno : 0;
}

static int try_overlay(const void *arg)
{
	TRY(doctor_unshare(*(const int *)arg));
	return try_overlay_here();
}

static void check_overlay(struct doctor *d)
{
	static const int plain = CLONE_NEWNS, user = CLONE_NEWNS | CLONE_NEWUSER;

	if (d->is_root)
		doctor_add_trial(d, GROUP, "overlay", doctor_try(try_overlay, &plain), STEP_MOUNT, FINDING_LIMITED,
		                 "can be mounted", "host: and --overlay need it: modprobe overlay");
	if (!doctor_lacks_userns(d, GROUP, "overlay in a userns", FINDING_LIMITED))
		doctor_add_trial(d, GROUP, "overlay in a userns", doctor_try(try_overlay, &user), STEP_MOUNT, FINDING_LIMITED,
		                 "can be mounted", "host: and --overlay need it: Linux 5.11 and modprobe overlay");
}

/* ---- idmapped mounts ----------------------------------------------------------------------------------------------- */

/* A user namespace with ids of its own and no process: its descriptor. */
static int make_userns(void)
{
	char path[48], byte;
	int fd = -EIO, pipes[2];
	pid_t pid;

	if (pipe2(pipes, O_CLOEXEC) < 0)
		return -errno;
	pid = fork();
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		byte = (char)(unshare(CLONE_NEWUSER) < 0 ? errno : 0);
		(void)!write(pipes[1], &byte, 1);
		for (;;)
			(void)pause();
	}
	(void)close(pipes[1]);
	if (pid > 0 && fd_read(pipes[0], &byte, 1) == 1)
		fd = -byte;
	(void)close(pipes[0]);
	for (size_t i = 0; i < 2 && fd == 0; i++) {
		(void)snprintf(path, sizeof(path), "/proc/%d/%s", pid, i ? "gid_map" : "uid_map");
		fd = file_write(AT_FDCWD, path, "0 0 1\n", STEP_IDMAP, NULL);
	}
	if (fd == 0) {
		(void)snprintf(path, sizeof(path), "/proc/%d/ns/user", pid);
		fd = ns_open(AT_FDCWD, path, NULL);
	}
	if (pid > 0) {
		(void)kill(pid, SIGKILL);
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	return fd;
}

static int try_idmap_on(int tree)
{
	auto_close int userns = TRY(make_userns());

	return mount_attrs(tree, 0, MOUNT_ATTR_IDMAP, 0, 0, userns);
}

static int try_idmap_tmpfs(const void *arg)
{
	auto_close int mnt = TRY(fs_mount_new("tmpfs", NULL, 0, 0, STEP_MOUNT, "", NULL));

	return try_idmap_on(mnt);
}

static int try_idmap_path(const void *arg)
{
	auto_close int at = open(arg, O_PATH | O_CLOEXEC);
	auto_close int mnt = at < 0 ? -errno : TRY(mount_copy(at, 0));

	return mnt < 0 ? mnt : try_idmap_on(mnt);
}

/* "ext4" for the file system of PATH. */
static const char *fstype_of(struct arena *a, const char *path)
{
	static const struct {
		long magic;
		const char *name;
	} types[] = {
		{0xef53, "ext4"},       {0x58465342, "xfs"},       {0x9123683e, "btrfs"},   {0x01021994, "tmpfs"}, {0x794c7630, "overlay"},
		{0xf2f52010, "f2fs"},   {0xe0f5e1e2, "erofs"},     {0x73717368, "squashfs"}, {0x6969, "nfs"},      {0x01021997, "9p"},
		{0x65735546, "fuse"},   {0x2fc12fc1, "zfs"},       {0xca451a4e, "bcachefs"}, {0x4d44, "vfat"},
	};
	struct statfs st;

	if (statfs(path, &st) < 0)
		return "unknown";
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (types[i].magic == st.f_type)
			return types[i].name;
	return arena_printf(a, "type %lx", (unsigned long)st.f_type);
}

static void check_idmap(struct doctor *d)
{
	const char *fix = "where it does not, use --userns host or give the files to the container's ids";

	/* The kernel lets only the owner of a file system map its ids. */
	if (!d->is_root) {
		doctor_add(d, GROUP, "idmapped mounts", FINDING_LIMITED, "only root can make them", "run as root where files of several owners matter");
		return;
	}
	if (doctor_lacks_userns(d, GROUP, "idmapped mounts", FINDING_LIMITED))
		return;
	doctor_add_trial(d, GROUP, "idmapped mounts, /", doctor_try(try_idmap_path, "/"), STEP_ATTR, FINDING_LIMITED,
	                 arena_printf(d->arena, "%s can do it", fstype_of(d->arena, "/")), fix);
	doctor_add_trial(d, GROUP, "idmapped tmpfs", doctor_try(try_idmap_tmpfs, NULL), STEP_ATTR, FINDING_LIMITED,
	                 "tmpfs can do it", "Linux 6.3 brings it");
}

/* ---- kinds of file systems and devices ----------------------------------------------------------------------------- */

enum { LIST_MAX = 16 * 1024 * 1024 };

static void read_list(struct buf *list, const char *path)
{
	if (file_read(AT_FDCWD, path, LIST_MAX, list, NULL) < 0)
		buf_done(list);
}

static void check_kinds(struct doctor *d)
{
	static const char *const kinds[] = {"ext4", "xfs", "btrfs", "erofs", "squashfs", "fuse"};
	AUTO_VALUE(buf_done) struct buf known = {0}, modules = {0}, there = {0}, absent = {0};
	struct utsname u = {0};

	(void)uname(&u);
	read_list(&known, "/proc/filesystems");
	read_list(&modules, arena_printf(d->arena, "/lib/modules/%s/modules.dep", u.release));
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		auto_free char *line = xasprintf("\t%s\n", kinds[i]), *module = xasprintf("/%s.ko", kinds[i]);
		bool is_known = strstr(buf_text(&known), line), is_module = strstr(buf_text(&modules), module);
		struct buf *list = is_known || is_module ? &there : &absent;

		buf_addf(list, "%s%s%s", list->len ? " " : "", kinds[i], !is_known && is_module ? " (module)" : "");
	}
	if (there.len)
		doctor_add(d, GROUP, "kinds", FINDING_OK, arena_strdup(d->arena, buf_text(&there)), NULL);
	if (absent.len)
		doctor_add(d, GROUP, "kinds, absent", FINDING_LIMITED, arena_strdup(d->arena, buf_text(&absent)),
		           "disk images of these kinds need a kernel with them");
}

static int try_open(const void *arg)
{
	auto_close int fd = open(arg, O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	return fd < 0 ? -errno : 0;
}

static void check_devices(struct doctor *d)
{
	static const struct {
		const char *name, *path, *fix;
		bool for_root;
	} rows[] = {
		{"terminals", "/dev/ptmx", "mount a devpts: -it needs it", false},
		{"fuse", "/dev/fuse", "modprobe fuse", false},
		{"loop devices", "/dev/loop-control", "disk images need them: modprobe loop", true},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int r;

		if (rows[i].for_root && !d->is_root)
			continue;
		r = doctor_try(try_open, rows[i].path);
		doctor_add_trial(d, GROUP, rows[i].name, r, STEP_DEVICE, FINDING_LIMITED, rows[i].path,
		                 r == -EACCES ? arena_printf(d->arena, "let root chmod 666 %s", rows[i].path) : rows[i].fix);
	}
}

void doctor_files(struct doctor *d)
{
	check_overlay(d);
	check_idmap(d);
	check_kinds(d);
	check_devices(d);
}
