/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "security/caps.h"

#include "base/buf.h"
#include "base/fd.h"
#include "base/text.h"

#include <string.h>
#include <strings.h>

static const char *const names[] = {
	[CAP_CHOWN] = "CAP_CHOWN",
	[CAP_DAC_OVERRIDE] = "CAP_DAC_OVERRIDE",
	[CAP_DAC_READ_SEARCH] = "CAP_DAC_READ_SEARCH",
	[CAP_FOWNER] = "CAP_FOWNER",
	[CAP_FSETID] = "CAP_FSETID",
	[CAP_KILL] = "CAP_KILL",
	[CAP_SETGID] = "CAP_SETGID",
	[CAP_SETUID] = "CAP_SETUID",
	[CAP_SETPCAP] = "CAP_SETPCAP",
	[CAP_LINUX_IMMUTABLE] = "CAP_LINUX_IMMUTABLE",
	[CAP_NET_BIND_SERVICE] = "CAP_NET_BIND_SERVICE",
	[CAP_NET_BROADCAST] = "CAP_NET_BROADCAST",
	[CAP_NET_ADMIN] = "CAP_NET_ADMIN",
	[CAP_NET_RAW] = "CAP_NET_RAW",
	[CAP_IPC_LOCK] = "CAP_IPC_LOCK",
	[CAP_IPC_OWNER] = "CAP_IPC_OWNER",
	[CAP_SYS_MODULE] = "CAP_SYS_MODULE",
	[CAP_SYS_RAWIO] = "CAP_SYS_RAWIO",
	[CAP_SYS_CHROOT] = "CAP_SYS_CHROOT",
	[CAP_SYS_PTRACE] = "CAP_SYS_PTRACE",
	[CAP_SYS_PACCT] = "CAP_SYS_PACCT",
	[CAP_SYS_ADMIN] = "CAP_SYS_ADMIN",
	[CAP_SYS_BOOT] = "CAP_SYS_BOOT",
	[CAP_SYS_NICE] = "CAP_SYS_NICE",
	[CAP_SYS_RESOURCE] = "CAP_SYS_RESOURCE",
	[CAP_SYS_TIME] = "CAP_SYS_TIME",
	[CAP_SYS_TTY_CONFIG] = "CAP_SYS_TTY_CONFIG",
	[CAP_MKNOD] = "CAP_MKNOD",
	[CAP_LEASE] = "CAP_LEASE",
	[CAP_AUDIT_WRITE] = "CAP_AUDIT_WRITE",
	[CAP_AUDIT_CONTROL] = "CAP_AUDIT_CONTROL",
	[CAP_SETFCAP] = "CAP_SETFCAP",
	[CAP_MAC_OVERRIDE] = "CAP_MAC_OVERRIDE",
	[CAP_MAC_ADMIN] = "CAP_MAC_ADMIN",
	[CAP_SYSLOG] = "CAP_SYSLOG",
	[CAP_WAKE_ALARM] = "CAP_WAKE_ALARM",
	[CAP_BLOCK_SUSPEND] = "CAP_BLOCK_SUSPEND",
	[CAP_AUDIT_READ] = "CAP_AUDIT_READ",
	[CAP_PERFMON] = "CAP_PERFMON",
	[CAP_BPF] = "CAP_BPF",
	[CAP_CHECKPOINT_RESTORE] = "CAP_CHECKPOINT_RESTORE",
};

enum { N_NAMES = sizeof(names) / sizeof(names[0]) };
_Static_assert(CAPS_ALL == CAPS_BIT(N_NAMES) - 1, "a capability has no name");

const char *caps_name(unsigned cap)
{
	return cap < N_NAMES ? names[cap] : NULL;
}

int caps_find(const char *name)
{
	const char *word = strncasecmp(name, "CAP_", 4) == 0 ? name + 4 : name;

	for (int i = 0; i < N_NAMES; i++)
		if (strcasecmp(names[i] + 4, word) == 0)
			return i;
	return -1;
}

int caps_parse(const char *name, uint64_t *ret)
{
	int cap = caps_find(name);

	if (strcasecmp(name, "ALL") == 0)
		*ret = CAPS_ALL;
	else if (cap >= 0)
		*ret = CAPS_BIT((unsigned)cap);
	else
		return -EINVAL;
	return 0;
}

/* Splits a list into the capabilities it names and whether it says ALL. */
static int list_read(
	const char *const *list, const char *option, uint64_t *ret_named, bool *ret_all, struct nook_error *e)
{
	uint64_t named = 0;
	bool all = false;

	for (; list && *list; list++) {
		uint64_t mask = 0;

		if (caps_parse(*list, &mask) < 0)
			return err_fmt(e, STEP_CAPS, *list, EINVAL, "%s: no such capability", option);
		if (mask == CAPS_ALL)
			all = true;
		else
			named |= mask;
	}
	*ret_named = named;
	*ret_all = all;
	return 0;
}

int caps_adjust(uint64_t *set, const char *const *add, const char *const *drop, struct nook_error *e)
{
	uint64_t added = 0, dropped = 0;
	bool add_all = false, drop_all = false;

	TRY(list_read(add, "--cap-add", &added, &add_all, e));
	TRY(list_read(drop, "--cap-drop", &dropped, &drop_all, e));
	if (add_all && drop_all)
		return err_why(e, STEP_CAPS, "ALL", EINVAL, "--cap-add and --cap-drop both name it");
	if (add_all)
		*set = CAPS_ALL & ~(dropped & ~added);
	else if (drop_all)
		*set = added;
	else
		*set = (*set & ~dropped) | added;
	return 0;
}

static int hex_member(const char *text, const char *key, uint64_t *ret)
{
	const char *p = strstr(text, key);
	char *end = NULL;

	if (!p)
		return -ENOENT;
	p += strlen(key);
	errno = 0;
	*ret = strtoull(p, &end, 16);
	return end == p ? -EINVAL : -errno;
}

int caps_own_load(struct caps_own *ret, struct nook_error *e)
{
	static const char path[] = "/proc/thread-self/status";
	AUTO_VALUE(buf_done) struct buf text = {0};
	struct caps_own own = {0};
	const struct {
		const char *key;
		uint64_t *value;
	} members[] = {
		{"\nCapInh:", &own.inheritable},
		{"\nCapPrm:", &own.permitted},
		{"\nCapEff:", &own.effective},
		{"\nCapBnd:", &own.bounding},
		{"\nCapAmb:", &own.ambient},
	};

	TRY(file_read(AT_FDCWD, path, 64 * 1024, &text, e));
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		int r = hex_member(buf_text(&text), members[i].key, members[i].value);

		if (r < 0)
			return err_why(e, STEP_CAPS, path, r, "has no capability sets");
	}
	*ret = own;
	return 0;
}
