/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Advice for failures whose cause is known.  A row says for which step and errno it stands, optionally for which object
 * or words, and which fact about this machine must hold; the first row that fits is the hint.  So rows go from the
 * special to the general, and one without a probe must be true wherever its step and errno are.
 */
#include "base/error.h"
#include "base/fd.h"
#include "base/text.h"
#include "security/landlock.h"

#include <sys/stat.h>
#include <sys/statvfs.h>

enum { SMALL_FILE = 64 * 1024 };

/* ---- facts --------------------------------------------------------------------------------------------------------- */

/* The number in a file of one line, or OTHERWISE when there is none. */
static int64_t read_number(const char *path, int64_t otherwise)
{
	AUTO_VALUE(buf_done) struct buf text = {0};
	int64_t number;

	if (file_read(AT_FDCWD, path, SMALL_FILE, &text, NULL) < 0)
		return otherwise;
	while (text.len && (text.data[text.len - 1] == '\n' || text.data[text.len - 1] == ' '))
		text.data[--text.len] = 0;
	return text_i64(buf_text(&text), &number) < 0 ? otherwise : number;
}

static bool file_has(const char *path, const char *words)
{
	AUTO_VALUE(buf_done) struct buf text = {0};

	return file_read(AT_FDCWD, path, 16 * SMALL_FILE, &text, NULL) == 0 && strstr(buf_text(&text), words);
}

static bool is_restricted_by_apparmor(void)
{
	return read_number("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", 0) == 1;
}

static bool is_userns_for_root_only(void)
{
	return read_number("/proc/sys/kernel/unprivileged_userns_clone", 1) == 0;
}

static bool has_no_userns_left(void)
{
	return read_number("/proc/sys/user/max_user_namespaces", 1) == 0;
}

static bool has_selinux(void)
{
	return file_has("/proc/filesystems", "selinuxfs");
}

static bool is_in_chroot(void)
{
	struct stat own, init;

	return stat("/", &own) == 0 && stat("/proc/1/root/.", &init) == 0 &&
	       (own.st_ino != init.st_ino || own.st_dev != init.st_dev);
}

static bool is_nested_userns(void)
{
	return !file_has("/proc/self/uid_map", "4294967295");
}

static bool has_no_id(void)
{
	AUTO_VALUE(buf_done) struct buf map = {0};

	return file_read(AT_FDCWD, "/proc/self/uid_map", SMALL_FILE, &map, NULL) == 0 && !map.len;
}

static bool is_filtered(void)
{
	return file_has("/proc/self/status", "\nSeccomp:\t2");
}

static bool is_not_root(void)
{
	return geteuid() != 0;
}

static bool has_no_tun(void)
{
	return access("/dev/net/tun", R_OK | W_OK) < 0;
}

static bool has_no_newuidmap(void)
{
	return access("/usr/bin/newuidmap", X_OK) < 0 && access("/bin/newuidmap", X_OK) < 0 &&
	       access("/usr/local/bin/newuidmap", X_OK) < 0;
}

/* A line "1000:" or "NAME:" of this user; the name is what /etc/passwd calls the uid. */
static bool lacks_subids(void)
{
	AUTO_VALUE(buf_done) struct buf passwd = {0};
	auto_free char *uid_line = xasprintf("\n%u:", geteuid()), *uid_field = xasprintf(":%u:", geteuid());
	AUTO_VALUE(buf_done) struct buf subuid = {0};
	char *line, *rest;

	buf_adds(&subuid, "\n");
	if (file_read(AT_FDCWD, "/etc/subuid", 16 * SMALL_FILE, &subuid, NULL) < 0 || strstr(subuid.data, uid_line))
		return subuid.len <= 1;
	if (file_read(AT_FDCWD, "/etc/passwd", 16 * SMALL_FILE, &passwd, NULL) < 0)
		return true;
	rest = passwd.data;
	while ((line = strsep(&rest, "\n"))) {
		char *name = strsep(&line, ":");
		char *password = line ? strchr(line, ':') : NULL;
		auto_free char *name_line = xasprintf("\n%s:", name);

		if (password && text_after(password, uid_field) && strstr(subuid.data, name_line))
			return false;
	}
	return true;
}

static bool has_masked_proc(void)
{
	return file_has("/proc/self/mountinfo", " /proc/");
}

static bool has_cgroups_read_only(void)
{
	struct statvfs st;

	return statvfs("/sys/fs/cgroup", &st) == 0 && (st.f_flag & ST_RDONLY);
}

static bool has_systemd(void)
{
	return access("/run/systemd/system", F_OK) == 0;
}

static bool has_no_landlock(void)
{
	return landlock_probe(NULL).abi == 0;
}

/* ---- rows ---------------------------------------------------------------------------------------------------------- */

enum { ANY = -1 };

struct hint {
	int step;             /* enum step_id or ANY */
	int errnum;           /* of the system call; ANY */
	const char *words;    /* in object or detail; NULL: any */
	bool (*holds)(void);  /* NULL: always */
	const char *text;
};

#define APPARMOR_ADVICE                                                                              \
	"AppArmor denies user namespaces to ordinary users here (Ubuntu's default): allow this program in a " \
	"profile with \"userns,\", or run sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"
#define OUTER_SECCOMP_ADVICE                                                                          \
	"the container around this one forbids it: start that one with --security-opt nesting (docker, podman: " \
	"--security-opt seccomp=unconfined)"

static const struct hint hints[] = {
	/* New namespaces. */
	{STEP_CLONE, EPERM, NULL, is_userns_for_root_only, "user namespaces are for root only here: sysctl -w kernel.unprivileged_userns_clone=1"},
	{STEP_CLONE, EPERM, NULL, is_in_chroot, "no user namespace can be made inside a chroot; use a container (pivot_root) there"},
	{STEP_CLONE, EPERM, NULL, is_restricted_by_apparmor, APPARMOR_ADVICE},
	{STEP_CLONE, EACCES, NULL, is_restricted_by_apparmor, APPARMOR_ADVICE},
	{STEP_CLONE, EPERM, NULL, is_filtered, OUTER_SECCOMP_ADVICE},
	{STEP_CLONE, ENOSYS, NULL, is_filtered, OUTER_SECCOMP_ADVICE},
	{STEP_CLONE, EPERM, NULL, has_no_id, "this user namespace has no id for the caller, who can make no other one in it: give it an id map"},
	{STEP_CLONE, EPERM, "user", NULL, "something denies user namespaces here: a security module, a seccomp filter, or a service's RestrictNamespaces="},
	{STEP_CLONE, EPERM, NULL, is_not_root, "something denies user namespaces to this user (see nook doctor), or --userns host was asked for, which needs root"},
	{STEP_CLONE, EPERM, NULL, NULL, "the caller lacks CAP_SYS_ADMIN over its user namespace; nook doctor tells what works here"},
	{STEP_CLONE, ENOSPC, NULL, has_no_userns_left, "user namespaces are switched off here: sysctl -w user.max_user_namespaces=15000"},
	{STEP_CLONE, ENOSPC, NULL, NULL, "too many namespaces, or nested more than 32 deep: see sysctl user and nook ns ls"},
	{STEP_CLONE, EUSERS, NULL, NULL, "user namespaces are nested more than 32 deep"},
	{STEP_CLONE, EAGAIN, NULL, NULL, "the limit of processes is reached: see ulimit -u, and pids.max of your own cgroup"},
	{STEP_CLONE, ENOMEM, NULL, NULL, "memory is out, or the pid namespace to join has lost its first process"},
	{STEP_CLONE, EINVAL, NULL, NULL, "this kernel lacks one of the namespaces: see nook doctor"},
	{STEP_NAMESPACE, EPERM, NULL, is_userns_for_root_only, "user namespaces are for root only here: sysctl -w kernel.unprivileged_userns_clone=1"},
	{STEP_NAMESPACE, EPERM, NULL, is_restricted_by_apparmor, APPARMOR_ADVICE},
	{STEP_NAMESPACE, EPERM, NULL, is_not_root, "an ordinary user can only make and join namespaces below a user namespace of its own; be root for others"},
	{STEP_NAMESPACE, EACCES, NULL, is_not_root, "this process belongs to another user: only root may join its namespaces"},
	{STEP_NAMESPACE, ENOSPC, NULL, has_no_userns_left, "user namespaces are switched off here: sysctl -w user.max_user_namespaces=15000"},
	{STEP_NAMESPACE, ENOSPC, NULL, NULL, "too many namespaces, or nested more than 32 deep: see sysctl user and nook ns ls"},
	{STEP_NAMESPACE, EUSERS, NULL, NULL, "this needs one user namespace more than 32 nested ones"},

	/* Ids. */
	{STEP_IDMAP, EPERM, NULL, is_restricted_by_apparmor, APPARMOR_ADVICE},
	{STEP_IDMAP, ANY, NULL, has_no_newuidmap, "more than one id needs newuidmap(1) and newgidmap(1): install the package uidmap"},
	{STEP_IDMAP, EPERM, NULL, lacks_subids, "no ids are set aside for this user: usermod --add-subuids 100000-165535 --add-subgids 100000-165535 USER"},
	{STEP_IDMAP, EPERM, NULL, NULL, "the outside ids must be ones that /etc/subuid and /etc/subgid give this user"},
	{STEP_IDMAP, EINVAL, NULL, NULL, "lines of a map may not overlap or have a count of 0, and the outside ids must exist here: see /proc/self/uid_map"},
	{STEP_USER, EINVAL, NULL, NULL, "this id has no place in the container's user namespace: see --uidmap, or use --userns host"},
	{STEP_USER, ENOENT, NULL, NULL, "the container's own /etc/passwd is what counts; a number needs no entry there"},
	{STEP_USER, EPERM, NULL, NULL, "the container keeps neither CAP_SETUID nor CAP_SETGID"},
	{STEP_GROUPS, EPERM, NULL, is_not_root, "other groups need ids of /etc/subgid: usermod --add-subgids 100000-165535 USER, and the package uidmap"},
	{STEP_GROUPS, EINVAL, NULL, NULL, "this group id has no place in the container's user namespace: see --gidmap"},
	{STEP_SPAWN, ENOENT, "newuidmap", NULL, "install the package uidmap"},
	{STEP_SPAWN, ENOENT, "newgidmap", NULL, "install the package uidmap"},
	{STEP_SPAWN, ENOENT, "criu", NULL, "install the package criu"},
	{STEP_SPAWN, ENOENT, "mkfs.ext4", NULL, "install the package e2fsprogs"},

	/* File systems. */
	{STEP_MOUNT, EPERM, "proc", has_masked_proc, "something is mounted over parts of /proc, as container engines do: start the container around this one with --security-opt nesting (docker: systempaths=unconfined)"},
	{STEP_MOUNT, EPERM, "sys", is_nested_userns, "a new /sys needs a network namespace of its own: not --net host"},
	{STEP_MOUNT, EPERM, NULL, is_restricted_by_apparmor, APPARMOR_ADVICE},
	{STEP_MOUNT, EACCES, NULL, is_restricted_by_apparmor, APPARMOR_ADVICE},
	{STEP_MOUNT, EPERM, NULL, is_nested_userns, "inside a user namespace only proc, sysfs, tmpfs, devpts, mqueue, cgroup, overlay and fuse can be mounted"},
	{STEP_MOUNT, ENODEV, NULL, NULL, "this kernel has no such file system, or its module is not loaded: see /proc/filesystems and modprobe(8)"},
	{STEP_MOUNT, ENOSPC, NULL, NULL, "too many mounts: see sysctl fs.mount-max"},
	{STEP_MOUNT, EBUSY, "overlay", NULL, "the upper or work directory is in use by another overlay"},
	{STEP_MOUNT, ESTALE, "overlay", NULL, "the kept changes belong to another lower directory"},
	{STEP_MOUNT, ELOOP, "overlay", NULL, "lower, upper and work directories may not lie in one another"},
	{STEP_MOUNT, EINVAL, "overlay", is_nested_userns, "overlay in a user namespace needs Linux 5.11, and an upper directory on a file system with user xattrs: see nook doctor"},
	{STEP_MOUNT, EINVAL, "upper", NULL, "the upper directory must be on a file system with xattrs and d_type, and not itself on an overlay"},
	{STEP_ATTR, EINVAL, NULL, NULL, "the file system of the source cannot map ids on this kernel (nook doctor tells which can): use --userns host, or the mount option noidmap"},
	{STEP_ATTR, EPERM, NULL, is_nested_userns, "flags of mounts that came from outside of this user namespace are locked; and only their owner can map ids"},
	{STEP_ATTR, EPERM, NULL, is_not_root, "only root can map ids of mounts"},
	{STEP_TARGET, EROFS, NULL, NULL, "the mount's target is missing and the root is read-only: make it there, or use --overlay"},
	{STEP_TARGET, ENOENT, NULL, NULL, "a link on the way leads nowhere inside the container's root"},
	{STEP_TARGET, ELOOP, NULL, NULL, "the target is or contains a symbolic link, which may not be followed here"},
	{STEP_ROOT, EACCES, NULL, is_not_root, "every directory on the way to the root must be searchable for this user"},
	{STEP_ROOT, ENOTDIR, NULL, NULL, "dir: wants a directory; for an archive use tar:FILE"},
	{STEP_PIVOT, EINVAL, NULL, NULL, "the machine runs from an initramfs, which pivot_root(2) cannot leave: mount a real root first"},
	{STEP_DEVICE, EPERM, NULL, is_nested_userns, "device nodes cannot be made in a user namespace: bind the host's with --device or -v"},
	{STEP_SOURCE, ENOTDIR, NULL, NULL, "a directory is wanted; what archive a file is img:FILE finds out (or say tar:, oci-archive:, docker-archive:)"},
	{STEP_SOURCE, EPERM, NULL, is_nested_userns, "the mount namespace here belongs to somebody else: make one together with the user namespace (unshare -rm)"},
	{STEP_SOURCE, EACCES, NULL, is_not_root, "every directory on the way must be searchable for this user"},

	/* cgroups and limits. */
	{STEP_CGROUP, EROFS, NULL, NULL, "cgroups are read-only in the container around this one: start that one with --security-opt nesting (docker: --privileged)"},
	{STEP_CGROUP, ANY, NULL, has_cgroups_read_only, "cgroups are read-only in the container around this one: start that one with --security-opt nesting (docker: --privileged)"},
	{STEP_CGROUP, EACCES, NULL, has_systemd, "no cgroup is delegated to this user: systemd-run --user --scope -p Delegate=yes nook ..."},
	{STEP_CGROUP, EPERM, NULL, has_systemd, "no cgroup is delegated to this user: systemd-run --user --scope -p Delegate=yes nook ..."},
	{STEP_CGROUP, EACCES, NULL, is_not_root, "no cgroup is delegated to this user: let root chown a group and put your shell into it"},
	{STEP_CGROUP, EPERM, NULL, is_not_root, "no cgroup is delegated to this user: let root chown a group and put your shell into it"},
	{STEP_CGROUP, EBUSY, NULL, NULL, "on cgroup v2 a group with processes cannot give controllers to groups below it, nor be removed"},
	{STEP_CGROUP, ENOSPC, "cpuset", NULL, "the group has no cpus or memory nodes yet: set cpuset.cpus and cpuset.mems first"},
	{STEP_CGROUP, EAGAIN, NULL, NULL, "cgroup.max.descendants or cgroup.max.depth of a group above is reached"},
	{STEP_CGROUP, ENODEV, NULL, NULL, "this kernel lacks the controller: see nook doctor"},
	{STEP_LIMIT, EBUSY, NULL, NULL, "more is in use already than the new limit allows"},
	{STEP_LIMIT, EINVAL, NULL, NULL, "the kernel does not take this value here; limits of the groups above count too"},
	{STEP_LIMIT, ENOENT, NULL, NULL, "this kernel lacks the limit, or its controller is not enabled for the group: see nook doctor"},
	{STEP_DEVICES, EPERM, NULL, NULL, "device rules on cgroup v2 are BPF programs: they need root (CAP_BPF and CAP_NET_ADMIN)"},
	{STEP_RLIMIT, EPERM, NULL, NULL, "only CAP_SYS_RESOURCE may raise a hard limit: see ulimit -Ha"},
	{STEP_SCHED, EPERM, NULL, NULL, "this needs CAP_SYS_NICE"},
	{STEP_FREEZE, ETIMEDOUT, NULL, NULL, "a process waits for a device or a network file system (state D) and cannot be frozen"},

	/* The process. */
	{STEP_EXEC, ENOENT, "interpreter", NULL, NULL},
	{STEP_EXEC, ENOENT, "/", NULL, "the path is looked up inside the root that the command runs in"},
	{STEP_EXEC, ENOENT, NULL, NULL, "the program must be in the container's own PATH"},
	{STEP_EXEC, EACCES, NULL, NULL, "the file is not executable for this user, is a directory, or lies on a noexec mount"},
	{STEP_EXEC, EPERM, NULL, has_selinux, "the SELinux policy does not let a process with no-new-privileges change to this label: it wants nnp_transition, or --security-opt no-new-privileges=false"},
	{STEP_EXEC, ENOEXEC, NULL, NULL, "the file is for another machine, or a script without a #! line"},
	{STEP_EXEC, E2BIG, NULL, NULL, "arguments and environment together are too large: see ulimit -s"},
	{STEP_EXEC, ELIBBAD, NULL, NULL, "the file is for another machine, or damaged"},
	{STEP_CAPS, EPERM, NULL, NULL, "only capabilities that the caller has can be given"},
	{STEP_LSM, ENOENT, NULL, NULL, "is the AppArmor profile loaded? apparmor_parser -r FILE, aa-status"},
	{STEP_LSM, EINVAL, NULL, NULL, "the loaded policy has no such user, role, type or level: seinfo -u -r -t"},
	{STEP_LSM, EOPNOTSUPP, NULL, NULL, "the active modules stand in /sys/kernel/security/lsm; lsm=... on the kernel's command line chooses them"},
	{STEP_LANDLOCK, EOPNOTSUPP, NULL, NULL, "Landlock is switched off: boot with lsm=landlock,... (see /sys/kernel/security/lsm)"},
	{STEP_LANDLOCK, ANY, NULL, has_no_landlock, "Landlock is not active: it needs Linux 5.13, and lsm=landlock,... on the kernel's command line"},
	{STEP_SECCOMP, EACCES, NULL, NULL, "without CAP_SYS_ADMIN a filter needs no-new-privileges"},
	{STEP_SECCOMP, EBUSY, NULL, NULL, "there is a filter with a listener already"},
	{STEP_HOSTNAME, EPERM, NULL, NULL, "a host name of its own needs a private uts namespace"},
	{STEP_SYSCTL, ENOENT, NULL, NULL, "this kernel has no such sysctl, or the module that brings it is not loaded"},
	{STEP_SYSCTL, EACCES, NULL, NULL, "only sysctls of the container's own namespaces can be set"},
	{STEP_KEYRING, EDQUOT, NULL, NULL, "the user's quota of keys is used up: see sysctl kernel.keys and /proc/key-users"},
	{STEP_CONSOLE, ENOSPC, NULL, NULL, "there are no terminals left: see sysctl kernel.pty"},
	{STEP_NET, ANY, "neither is installed", NULL, "install the package passt (or slirp4netns)"},
	{STEP_NET, ANY, "tun", has_no_tun, "/dev/net/tun cannot be opened by this user: chmod 666 /dev/net/tun, as udev makes it"},
	{STEP_NET, EADDRINUSE, NULL, NULL, "another program has this port of the host: ss -ltnp tells which"},
	{STEP_NET, EACCES, NULL, is_not_root, "ports below sysctl net.ipv4.ip_unprivileged_port_start are for root"},
	{STEP_NET, EOPNOTSUPP, NULL, NULL, "this kernel lacks the kind of link: nook doctor names the module"},
	{STEP_NET, EPERM, NULL, is_not_root, "links of the host's network need root"},

	{STEP_DISK, ANY, "only root", NULL, "as an ordinary user, unpack it into a directory (unsquashfs, fsck.erofs --extract, debugfs rdump) and use dir:, or have nook export write a tar or oci archive"},
	{STEP_DISK, EPERM, "/dev/loop", NULL, "loop devices need root of the machine"},
	{STEP_DISK, ENOENT, "/dev/loop", NULL, "the loop driver is missing: modprobe loop"},
	{STEP_DISK, ANY, "is in use", NULL, "a container or another command has it: see nook disk ls; read-only users can share it"},
	{STEP_DISK, EUCLEAN, NULL, NULL, "the file system is damaged: see nook disk fsck"},
	{STEP_DISK, ANY, "recovery", NULL, "it was not unmounted: use it writable once, or see nook disk fsck --repair"},
	{STEP_DISK, ENODEV, NULL, NULL, "is the file system's module loaded? see /proc/filesystems"},

	/* Where nook keeps things. */
	{STEP_STATE, EROFS, NULL, NULL, "choose another place with --run DIR (or NOOK_RUN)"},
	{STEP_STATE, EACCES, NULL, NULL, "choose another place with --run DIR (or NOOK_RUN)"},
	{STEP_STATE, EPERM, NULL, NULL, "choose another place with --run DIR (or NOOK_RUN)"},
	{STEP_LOCK, EROFS, NULL, NULL, "choose another place with --run DIR (or NOOK_RUN)"},
	{ANY, EMFILE, NULL, NULL, "too many open files: see ulimit -n"},
	{ANY, ENFILE, NULL, NULL, "the machine has too many open files: see sysctl fs.file-max"},
	{ANY, EDQUOT, NULL, NULL, "a disk quota is used up"},
	{ANY, ENOSPC, NULL, NULL, "a file system is full: see df and df -i"},
};

static bool fits(const struct hint *h, const struct nook_error *e)
{
	if (h->step != ANY && h->step != e->step)
		return false;
	if (h->errnum != ANY && h->errnum != e->sys_errno)
		return false;
	if (h->words && !strstr(e->object, h->words) && !strstr(e->detail, h->words))
		return false;
	return !h->holds || h->holds();
}

const char *nook_error_hint(const struct nook_error *e)
{
	int saved = errno;

	for (size_t i = 0; i < sizeof(hints) / sizeof(hints[0]); i++) {
		if (!fits(&hints[i], e))
			continue;
		errno = saved;
		return hints[i].text;
	}
	errno = saved;
	return NULL;
}
