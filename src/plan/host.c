/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a plan depends on beside its spec: this machine and the caller. */
#include "plan/build.h"

#include "sys/kernel.h"
#include "sys/ns.h"

#include <linux/capability.h>
#include <sys/resource.h>
#include <sys/syscall.h>

int plan_host_probe(struct plan_host *ret, struct nook_error *e)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct caps[2] = {{0}, {0}};
	struct plan_host h = {.euid = geteuid(), .egid = getegid()};
	struct rlimit files;

	h.kernel = kernel_version();
	if (!h.kernel)
		return err_num(e, STEP_CONFIG, "kernel release", EINVAL);
	h.first_userns = TRY(ns_is_first_user(e));
	if (syscall(SYS_capget, &header, caps) < 0)
		return err_sys(e, STEP_CAPS, NULL);
	/* A machine that cannot tell is asked again by who sets the limit. */
	if (getrlimit(RLIMIT_NOFILE, &files) == 0)
		h.nofile_max = files.rlim_max;
	h.privileged = caps[0].effective & (1U << CAP_SYS_ADMIN);
	h.can_mknod = h.first_userns && h.privileged && (caps[0].effective & (1U << CAP_MKNOD));
	h.permitted = (uint64_t)caps[1].permitted << 32 | caps[0].permitted;
	h.may_raise = h.first_userns && (caps[0].effective & (1U << CAP_SYS_RESOURCE));
	*ret = h;
	return 0;
}

bool plan_host_is_root(const struct plan_host *h)
{
	return h->first_userns && h->privileged && h->euid == 0;
}

bool plan_host_has_pidfs(const struct plan_host *h)
{
	return h->kernel >= KERNEL(6, 10);
}

bool plan_host_has_open_tree_attr(const struct plan_host *h)
{
	return h->kernel >= (6 << 16 | 15 << 8);
}

bool plan_host_has_user_xattr(const struct plan_host *h)
{
	return h->kernel >= KERNEL(6, 6);
}

bool plan_host_maps_tmpfs(const struct plan_host *h)
{
	return h->kernel >= KERNEL(6, 3);
}
