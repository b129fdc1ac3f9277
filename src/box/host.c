/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What this machine gives to boxes of this caller. */
#include "box/box.h"

#include "base/fd.h"
#include "base/text.h"
#include "security/landlock.h"

#include <linux/seccomp.h>
#include <stdio.h>
#include <sys/syscall.h>

enum { PROBE_MAX = 64 };

static bool has_number(const char *path, const char *number)
{
	char text[PROBE_MAX] = "";
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fd_read(fd, text, sizeof(text) - 1) <= 0)
		return false;
	text[strcspn(text, "\n")] = 0;
	return text_is(text, number);
}

/* Settings that forbid user namespaces, without trying: a try would need a process of its own. */
static const char *userns_why_not(bool privileged)
{
	if (access("/proc/self/ns/user", F_OK) < 0)
		return "this kernel has no user namespaces (CONFIG_USER_NS)";
	if (has_number("/proc/sys/user/max_user_namespaces", "0"))
		return "user namespaces are switched off: sysctl user.max_user_namespaces";
	if (!privileged && has_number("/proc/sys/kernel/unprivileged_userns_clone", "0"))
		return "user namespaces are for root only: sysctl kernel.unprivileged_userns_clone";
	if (!privileged && has_number("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1"))
		return "AppArmor lets only programs with a profile make user namespaces: sysctl kernel.apparmor_restrict_unprivileged_userns";
	return NULL;
}

static bool may_make_groups(struct nook_error *e)
{
	AUTO(arena_free) struct arena *a = arena_new();
	struct spec_resources r = {.memory_limit = {INT64_C(1) << 30, true}};
	struct cgroup_layout layout = {0};
	struct cgroup_want want = {0};

	return cgroup_layout_read(a, AT_FDCWD, &layout, e) >= 0 && cgroup_want(a, &layout, &r, "nook-box-probe", &want, NULL) >= 0;
}

int box_host_probe(struct nook_host *ret, struct nook_error *e)
{
	struct nook_host h = NOOK_HOST_INIT;
	uint32_t action = SECCOMP_RET_ERRNO, size = ret->size && ret->size < sizeof(h) ? ret->size : sizeof(h);
	struct plan_host host;
	const char *why;

	TRY(plan_host_probe(&host, e));
	why = userns_why_not(host.privileged);
	h.userns = !why;
	h.privileged = host.privileged;
	h.kernel = host.kernel;
	h.landlock_abi = (uint32_t)landlock_probe(NULL).abi;
	h.seccomp = syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
	h.cgroup = may_make_groups(e);
	(void)snprintf(h.why_not, sizeof(h.why_not), "%s", why ? why : "");
	memcpy(ret, &h, size);
	ret->size = size;
	return 0;
}
