/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/ns.h"

#include "base/text.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

const struct ns_type ns_types[NS_TYPES] = {
	{CLONE_NEWUSER, "user", "user"},
	{CLONE_NEWNS, "mnt", "mnt"},
	{CLONE_NEWPID, "pid", "pid_for_children"},
	{CLONE_NEWNET, "net", "net"},
	{CLONE_NEWUTS, "uts", "uts"},
	{CLONE_NEWIPC, "ipc", "ipc"},
	{CLONE_NEWCGROUP, "cgroup", "cgroup"},
	{CLONE_NEWTIME, "time", "time_for_children"},
};

const struct ns_type *ns_type_by_name(const char *name, size_t len)
{
	for (size_t i = 0; i < NS_TYPES; i++)
		if (strlen(ns_types[i].name) == len && memcmp(ns_types[i].name, name, len) == 0)
			return &ns_types[i];
	return NULL;
}

const struct ns_type *ns_type_by_flag(int flag)
{
	for (size_t i = 0; i < NS_TYPES; i++)
		if (ns_types[i].flag == flag)
			return &ns_types[i];
	return NULL;
}

int ns_parse_link(const char *text, const struct ns_type **ret_type, uint64_t *ret_inode)
{
	size_t len = strcspn(text, ":");
	const struct ns_type *type = ns_type_by_name(text, len);
	const char *number = type ? text_after(text + len, ":[") : NULL;
	char digits[24];

	if (!number)
		return -EINVAL;
	len = strcspn(number, "]");
	if (!len || len >= sizeof(digits) || strcmp(number + len, "]") != 0)
		return -EINVAL;
	memcpy(digits, number, len);
	digits[len] = 0;
	if (text_u64(digits, ret_inode) < 0)
		return -EINVAL;
	*ret_type = type;
	return 0;
}

int ns_open(int dir, const char *name, struct nook_error *e)
{
	auto_close int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct statfs st;

	if (fd < 0 || fstatfs(fd, &st) < 0)
		return err_sys(e, STEP_NAMESPACE, name);
	if (st.f_type != NSFS_MAGIC || ns_flag(fd) < 0)
		return err_why(e, STEP_NAMESPACE, name, EINVAL, "this is not a namespace");
	return take_fd(&fd);
}

int ns_flag(int fd)
{
	int flag = ioctl(fd, NS_GET_NSTYPE);

	return flag < 0 ? -errno : flag;
}

int ns_owner(int fd)
{
	int owner = ioctl(fd, NS_GET_USERNS);

	return owner < 0 ? -errno : owner;
}

int ns_owner_uid(int fd, uid_t *ret)
{
	return ioctl(fd, NS_GET_OWNER_UID, ret) < 0 ? -errno : 0;
}

int ns_is_first_user(struct nook_error *e)
{
	enum { PROC_USER_INIT_INO = 0xEFFFFFFD }; /* the kernel's number for it */
	struct stat ns;

	if (stat("/proc/self/ns/user", &ns) < 0)
		return err_sys(e, STEP_PROC, "/proc/self/ns/user");
	return ns.st_ino == PROC_USER_INIT_INO;
}
