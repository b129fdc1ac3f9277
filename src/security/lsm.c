/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "security/lsm.h"

#include "base/fd.h"
#include "base/text.h"
#include "sys/procfd.h"

#include <stdint.h>

#ifndef SYS_lsm_list_modules
#define SYS_lsm_list_modules 461
#endif

const char *const lsm_names[LSM_COUNT] = {
	[LSM_APPARMOR] = "apparmor",
	[LSM_BPF] = "bpf",
	[LSM_IPE] = "ipe",
	[LSM_LANDLOCK] = "landlock",
	[LSM_LOADPIN] = "loadpin",
	[LSM_LOCKDOWN] = "lockdown",
	[LSM_SAFESETID] = "safesetid",
	[LSM_SELINUX] = "selinux",
	[LSM_SMACK] = "smack",
	[LSM_TOMOYO] = "tomoyo",
	[LSM_YAMA] = "yama",
};

/* The numbers of lsm_list_modules(2). */
static const uint64_t lsm_ids[LSM_COUNT] = {
	[LSM_SELINUX] = 101,
	[LSM_SMACK] = 102,
	[LSM_TOMOYO] = 103,
	[LSM_APPARMOR] = 104,
	[LSM_YAMA] = 105,
	[LSM_LOADPIN] = 106,
	[LSM_SAFESETID] = 107,
	[LSM_LOCKDOWN] = 108,
	[LSM_BPF] = 109,
	[LSM_LANDLOCK] = 110,
	[LSM_IPE] = 113,
};

enum { MAX_MODULES = 32, MAX_FILE = 64 * 1024 };
/* The kernel takes a page at most. */
enum { MAX_LABEL = 4096 };

static bool file_has(const char *path, const char *word)
{
	AUTO_VALUE(buf_done) struct buf text = {0};

	return file_read(AT_FDCWD, path, MAX_FILE, &text, NULL) == 0 && strstr(buf_text(&text), word);
}

static int active_from_kernel(unsigned *ret)
{
	uint64_t ids[MAX_MODULES] = {0};
	uint32_t size = sizeof(ids);
	long n = syscall(SYS_lsm_list_modules, ids, &size, 0);

	if (n < 0)
		return -errno;
	for (long i = 0; i < n && i < MAX_MODULES; i++)
		for (unsigned lsm = 0; lsm < LSM_COUNT; lsm++)
			if (lsm_ids[lsm] == ids[i])
				*ret |= 1U << lsm;
	return 0;
}

static int active_from_securityfs(unsigned *ret)
{
	AUTO_VALUE(buf_done) struct buf text = {0};
	char *rest = NULL;
	int r = file_read(AT_FDCWD, "/sys/kernel/security/lsm", MAX_FILE, &text, NULL);

	if (r < 0)
		return r;
	if (!text.len)
		return -ENODATA;
	for (char *word = strtok_r(text.data, ",\n", &rest); word; word = strtok_r(NULL, ",\n", &rest))
		for (unsigned lsm = 0; lsm < LSM_COUNT; lsm++)
			if (text_is(lsm_names[lsm], word))
				*ret |= 1U << lsm;
	return 0;
}

unsigned lsm_active(void)
{
	unsigned active = 0;

	if (active_from_kernel(&active) == 0 || active_from_securityfs(&active) == 0)
		return active;
	/* Only the two whose labels a container can have leave traces elsewhere. */
	if (file_has("/sys/module/apparmor/parameters/enabled", "Y"))
		active |= 1U << LSM_APPARMOR;
	if (file_has("/proc/filesystems", "selinuxfs"))
		active |= 1U << LSM_SELINUX;
	return active;
}

int lsm_check(unsigned active, const char *apparmor, const char *selinux, struct nook_error *e)
{
	if (apparmor && *apparmor && !text_is(apparmor, "unconfined") && !(active & (1U << LSM_APPARMOR)))
		return err_why(e, STEP_LSM, apparmor, EOPNOTSUPP, "AppArmor is not active on this kernel");
	if (selinux && *selinux && !(active & (1U << LSM_SELINUX)))
		return err_why(e, STEP_LSM, selinux, EOPNOTSUPP, "SELinux is not active on this kernel");
	return 0;
}

/* Writes to one attribute of this thread; the object of an error is the label. */
static int attr_write(int proc, const char *name, const char *text, const char *label, struct nook_error *e)
{
	int r = procfd_write(proc, name, text, STEP_LSM, NULL);

	if (r == -EXDEV)
		return err_why(e, STEP_LSM, label, EXDEV, "something is mounted over it in /proc");
	return r < 0 ? err_num(e, STEP_LSM, label, r) : 0;
}

int lsm_apparmor_exec(int proc, const char *profile, struct nook_error *e)
{
	static const char prefix[] = "exec ";
	char text[MAX_LABEL];
	size_t len = strlen(profile);
	int r;

	if (len >= sizeof(text) - sizeof(prefix))
		return err_why(e, STEP_LSM, profile, ENAMETOOLONG, "is longer than the kernel takes");
	memcpy(text, prefix, sizeof(prefix) - 1);
	memcpy(text + sizeof(prefix) - 1, profile, len + 1);
	r = attr_write(proc, "thread-self/attr/apparmor/exec", text, profile, e);
	if (r == -ENOENT) /* no such directory (before Linux 5.8), or no such profile */
		r = attr_write(proc, "thread-self/attr/exec", text, profile, e);
	if (r == -ENOENT)
		err_detail(e, "no such AppArmor profile is loaded");
	return r;
}

int lsm_selinux_exec(int proc, const char *label, struct nook_error *e)
{
	return attr_write(proc, "thread-self/attr/exec", label, label, e);
}

int lsm_selinux_keys(int proc, const char *label, struct nook_error *e)
{
	return attr_write(proc, "thread-self/attr/keycreate", label, label, e);
}
