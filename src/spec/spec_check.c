/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "spec/spec.h"

#include "base/text.h"

#include <linux/if.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <sys/sysmacros.h>

/* -EINVAL with a path that has an index in it: "mounts[3].destination". */
static int refuse_item(struct nook_error *e, const char *list, size_t i, const char *member, const char *why)
{
	char where[128];

	(void)snprintf(where, sizeof(where), "%s[%zu]%s", list, i, member);
	return err_why(e, STEP_CONFIG, where, EINVAL, why);
}

static int refuse(struct nook_error *e, const char *where, const char *why)
{
	return err_why(e, STEP_CONFIG, where, EINVAL, why);
}

static bool is_absolute(const char *path)
{
	return path && path[0] == '/';
}

/* ---- namespaces --------------------------------------------------------------------------------------------------- */

static bool overlaps(uint32_t a, uint32_t b, uint32_t n, uint32_t m)
{
	return a < (uint64_t)b + m && b < (uint64_t)a + n;
}

static int check_maps(const struct spec_idmap *maps, size_t n, const char *list, struct nook_error *e)
{
	for (size_t i = 0; i < n; i++) {
		if (!maps[i].count)
			return refuse_item(e, list, i, ".size", "must not be 0");
		if ((uint64_t)maps[i].inside + maps[i].count > UINT32_MAX || (uint64_t)maps[i].outside + maps[i].count > UINT32_MAX)
			return refuse_item(e, list, i, "", "goes beyond the largest id");
		for (size_t k = 0; k < i; k++)
			if (overlaps(maps[i].inside, maps[k].inside, maps[i].count, maps[k].count) ||
				overlaps(maps[i].outside, maps[k].outside, maps[i].count, maps[k].count))
				return refuse_item(e, list, i, "", "overlaps with another range");
	}
	return 0;
}

static int check_namespaces(const struct spec *s, struct nook_error *e)
{
	for (int i = 0; i < NS_COUNT; i++) {
		char where[64];

		(void)snprintf(where, sizeof(where), "linux.namespaces: %s", ns_names[i]);
		if (s->ns[i].mode == NS_PATH && !is_absolute(s->ns[i].path))
			return refuse(e, where, "the path must be absolute");
	}
	TRY(check_maps(s->uid_maps, s->n_uid_maps, "linux.uidMappings", e));
	TRY(check_maps(s->gid_maps, s->n_gid_maps, "linux.gidMappings", e));
	if ((s->n_uid_maps || s->n_gid_maps) && s->ns[NS_USER].mode == NS_HOST)
		return refuse(e, s->n_uid_maps ? "linux.uidMappings" : "linux.gidMappings", "needs a user namespace");
	if ((s->time_boottime.set || s->time_monotonic.set) && s->ns[NS_TIME].mode != NS_PRIVATE)
		return refuse(e, "linux.timeOffsets", "needs a time namespace of the container's own");
	if (s->time_boottime.nanosecs > 999999999 || s->time_monotonic.nanosecs > 999999999)
		return refuse(e, "linux.timeOffsets", "nanosecs must be below 1000000000");
	if (s->hostname && *s->hostname && s->ns[NS_UTS].mode == NS_HOST)
		return refuse(e, "hostname", "needs a uts namespace, else it would be the host's name");
	if (s->domainname && *s->domainname && s->ns[NS_UTS].mode == NS_HOST)
		return refuse(e, "domainname", "needs a uts namespace, else it would be the host's name");
	if (s->n_net_devices && s->ns[NS_NET].mode == NS_HOST)
		return refuse(e, "linux.netDevices", "needs a network namespace");
	return 0;
}

/* ---- file system --------------------------------------------------------------------------------------------------- */

static int check_paths(const char *const *paths, const char *list, const struct spec *s, struct nook_error *e)
{
	if (!paths || !paths[0])
		return 0;
	if (s->ns[NS_MNT].mode != NS_PRIVATE)
		return refuse(e, list, "needs a mount namespace of the container's own");
	for (size_t i = 0; paths[i]; i++)
		if (!is_absolute(paths[i]))
			return refuse_item(e, list, i, "", "must be absolute");
	return 0;
}

static int check_mounts(const struct spec *s, struct nook_error *e)
{
	if (s->n_mounts && s->ns[NS_MNT].mode == NS_HOST)
		return refuse(e, "mounts", "needs a mount namespace");
	for (size_t i = 0; i < s->n_mounts; i++) {
		const struct spec_mount *m = &s->mounts[i];

		if (!m->target || !*m->target)
			return refuse_item(e, "mounts", i, ".destination", "must not be empty");
		if ((m->words.bind || m->words.rbind) && !m->source)
			return refuse_item(e, "mounts", i, ".source", "a bind mount needs one");
		if (!m->n_uid_maps != !m->n_gid_maps)
			return refuse_item(e, "mounts", i, "", "uidMappings and gidMappings go together");
		if (check_maps(m->uid_maps, m->n_uid_maps, "uidMappings", e) < 0)
			return refuse_item(e, "mounts", i, ".uidMappings", "ranges are empty, too large or overlap");
		if (check_maps(m->gid_maps, m->n_gid_maps, "gidMappings", e) < 0)
			return refuse_item(e, "mounts", i, ".gidMappings", "ranges are empty, too large or overlap");
	}
	return 0;
}

/* Larger numbers than the kernel's dev_t can hold would name another device. */
enum { DEVICE_MAJORS = 1 << 12, DEVICE_MINORS = 1 << 20 };

static int check_devices(const struct spec *s, struct nook_error *e)
{
	for (size_t i = 0; i < s->n_devices; i++) {
		const struct spec_device *d = &s->devices[i];

		if (!is_absolute(d->path))
			return refuse_item(e, "linux.devices", i, ".path", "must be absolute");
		if (d->type != 'p' && !d->source &&
			(d->major < 0 || d->minor < 0 || d->major >= DEVICE_MAJORS || d->minor >= DEVICE_MINORS))
			return refuse_item(e, "linux.devices", i, "", "no device has such numbers");
		if (d->has_mode && (d->mode & ~(uint32_t)0177777))
			return refuse_item(e, "linux.devices", i, ".fileMode", "is no file mode");
	}
	return 0;
}

/* ---- process ------------------------------------------------------------------------------------------------------- */

static int check_affinity(const char *cpus, const char *where, struct nook_error *e)
{
	uint64_t bits[NUMBERS_MAX / 64];

	return cpus && *cpus && text_bits(cpus, bits, NUMBERS_MAX / 64) < 0
	               ? refuse(e, where, "is no list of processors such as 0-3,7")
	               : 0;
}

/* To setresuid(2) and its like the largest number says that the id stays as it is: root's. */
static int check_user(const struct spec_user *u, struct nook_error *e)
{
	if (u->uid == UINT32_MAX)
		return refuse(e, "process.user.uid", "is above 4294967294");
	if (u->gid == UINT32_MAX)
		return refuse(e, "process.user.gid", "is above 4294967294");
	for (size_t i = 0; i < u->n_groups; i++)
		if (u->groups[i] == UINT32_MAX)
			return refuse_item(e, "process.user.additionalGids", i, "", "is above 4294967294");
	return 0;
}

int spec_check_process(const struct spec_process *p, struct nook_error *e)
{
	if (!p->argv || !p->argv[0])
		return refuse(e, "process.args", "must not be empty");
	if (!*p->argv[0])
		return refuse(e, "process.args[0]", "must not be empty");
	if (p->cwd && !is_absolute(p->cwd))
		return refuse(e, "process.cwd", "must be absolute");
	for (size_t i = 0; p->env && p->env[i]; i++)
		if (p->env[i][0] == '=' || !strchr(p->env[i], '='))
			return refuse_item(e, "process.env", i, "", "is not NAME=value");
	for (size_t i = 0; i < p->n_rlimits; i++) {
		if (p->rlimits[i].soft > p->rlimits[i].hard)
			return refuse_item(e, "process.rlimits", i, ".soft", "is above the hard limit");
		for (size_t k = 0; k < i; k++)
			if (p->rlimits[k].resource == p->rlimits[i].resource)
				return refuse_item(e, "process.rlimits", i, ".type", "stands there twice");
	}
	if (p->has_caps && (p->caps[CAPS_EFFECTIVE] & ~p->caps[CAPS_PERMITTED]))
		return refuse(e, "process.capabilities.effective", "has a capability that is not permitted");
	if (p->oom_score_adj.set && (p->oom_score_adj.value < -1000 || p->oom_score_adj.value > 1000))
		return refuse(e, "process.oomScoreAdj", "is not between -1000 and 1000");
	if (p->user.has_umask && p->user.umask > 0777)
		return refuse(e, "process.user.umask", "is above 0777");
	TRY(check_user(&p->user, e));
	TRY(check_affinity(p->cpu_affinity_initial, "process.execCPUAffinity.initial", e));
	TRY(check_affinity(p->cpu_affinity_final, "process.execCPUAffinity.final", e));
	if (p->scheduler.set && (p->scheduler.nice < -20 || p->scheduler.nice > 19))
		return refuse(e, "process.scheduler.nice", "is not between -20 and 19");
	return 0;
}

/* ---- resources ----------------------------------------------------------------------------------------------------- */

static bool is_file_name(const char *name)
{
	return *name && !strchr(name, '/') && !text_is(name, ".") && !text_is(name, "..");
}

static int check_resources(const struct spec_resources *r, struct nook_error *e)
{
	if (r->memory_swappiness.set && r->memory_swappiness.value > 200)
		return refuse(e, "linux.resources.memory.swappiness", "is above 200");
	if (r->cpu_burst.set && r->cpu_quota.set && r->cpu_quota.value > 0 &&
		r->cpu_burst.value > (uint64_t)r->cpu_quota.value)
		return refuse(e, "linux.resources.cpu.burst", "is above the quota");
	if (r->net_classid.set && r->net_classid.value > UINT32_MAX)
		return refuse(e, "linux.resources.network.classID", "is above 4294967295");
	for (size_t i = 0; i < r->n_unified; i++)
		if (!is_file_name(r->unified[i].key) || !strchr(r->unified[i].key, '.'))
			return err_fmt(e, STEP_CONFIG, "linux.resources.unified", EINVAL, "\"%s\" is no file of a cgroup", r->unified[i].key);
	for (size_t i = 0; i < r->n_hugepages; i++)
		if (!is_file_name(r->hugepages[i].size) || strpbrk(r->hugepages[i].size, ". "))
			return refuse_item(e, "linux.resources.hugepageLimits", i, ".pageSize", "is no size such as 2MB");
	for (size_t i = 0; i < r->n_blkio_devices; i++)
		if (r->blkio_devices[i].major < 0 || r->blkio_devices[i].minor < 0)
			return refuse(e, "linux.resources.blockIO", "no device has such numbers");
	return 0;
}

/* ---- kernel parameters: only those that belong to a namespace of the container --------------------------------------- */

static const struct {
	const char *prefix;
	enum ns_kind ns;
} sysctl_owners[] = {
	{"net.", NS_NET},
	{"fs.mqueue.", NS_IPC},
	{"kernel.msgmax", NS_IPC},
	{"kernel.msgmnb", NS_IPC},
	{"kernel.msgmni", NS_IPC},
	{"kernel.msg_next_id", NS_IPC},
	{"kernel.auto_msgmni", NS_IPC},
	{"kernel.sem", NS_IPC},
	{"kernel.shmall", NS_IPC},
	{"kernel.shmmax", NS_IPC},
	{"kernel.shmmni", NS_IPC},
	{"kernel.shm_next_id", NS_IPC},
	{"kernel.shm_rmid_forced", NS_IPC},
	{"kernel.domainname", NS_UTS},
	{"kernel.hostname", NS_UTS},
	{"kernel.ns_last_pid", NS_PID},
	{"user.max_", NS_USER},
};

/* sysctl(8) takes both spellings, and swaps the two characters of a name that has the other in it. */
static void dotted(const char *key, char *buf, size_t size)
{
	bool slashes = key[strcspn(key, "./")] == '/';
	size_t i = 0;

	for (; key[i] && i + 1 < size; i++) {
		buf[i] = key[i];
		if (slashes && key[i] == '/')
			buf[i] = '.';
		else if (slashes && key[i] == '.')
			buf[i] = '/';
	}
	buf[i] = 0;
}

/* A prefix that ends with "." or "_" stands for all that begins with it. */
static bool sysctl_matches(const char *key, const char *pattern)
{
	const char *rest = text_after(key, pattern);
	char last = pattern[strlen(pattern) - 1];

	return rest && (!*rest || last == '.' || last == '_');
}

static int check_sysctls(const struct spec *s, struct nook_error *e)
{
	for (size_t i = 0; i < s->n_sysctls; i++) {
		char key[128], where[160];
		int owner = -1;

		dotted(s->sysctls[i].key, key, sizeof(key));
		(void)snprintf(where, sizeof(where), "linux.sysctl.%s", key);
		for (size_t k = 0; k < sizeof(sysctl_owners) / sizeof(sysctl_owners[0]); k++)
			if (sysctl_matches(key, sysctl_owners[k].prefix))
				owner = (int)sysctl_owners[k].ns;
		if (strstr(key, "..") || strstr(key, "//"))
			return refuse(e, where, "is no kernel parameter");
		if (owner < 0)
			return refuse(e, where, "belongs to the whole machine, not to a namespace");
		if (s->ns[owner].mode == NS_HOST)
			return err_fmt(e, STEP_CONFIG, where, EINVAL, "needs a private %s namespace, else it would change the host's",
				ns_names[owner]);
		if (text_is(key, "kernel.hostname") && s->hostname && *s->hostname)
			return refuse(e, where, "conflicts with hostname");
	}
	return 0;
}

/* ---- the rest ------------------------------------------------------------------------------------------------------ */

static const char *const hook_words[HOOK_KINDS] = {
	[HOOK_PRESTART] = "hooks.prestart",
	[HOOK_CREATE_RUNTIME] = "hooks.createRuntime",
	[HOOK_CREATE_CONTAINER] = "hooks.createContainer",
	[HOOK_START_CONTAINER] = "hooks.startContainer",
	[HOOK_POSTSTART] = "hooks.poststart",
	[HOOK_POSTSTOP] = "hooks.poststop",
};

static int check_hooks(const struct spec *s, struct nook_error *e)
{
	for (int kind = 0; kind < HOOK_KINDS; kind++)
		for (size_t i = 0; i < s->n_hooks[kind]; i++) {
			const struct spec_hook *h = &s->hooks[kind][i];

			if (!is_absolute(h->path))
				return refuse_item(e, hook_words[kind], i, ".path", "must be absolute");
			if (h->timeout.set && h->timeout.value <= 0)
				return refuse_item(e, hook_words[kind], i, ".timeout", "must be above 0");
		}
	return 0;
}

static int check_annotations(const struct spec *s, struct nook_error *e)
{
	static const char *const contexts[] = {"context", "fscontext", "defcontext", "rootcontext"};
	const char *const files[] = {s->hooks_stdout, s->hooks_stderr};
	bool known = !s->mount_context;

	for (size_t i = 0; !known && i < sizeof(contexts) / sizeof(*contexts); i++)
		known = text_is(contexts[i], s->mount_context);
	if (!known)
		return refuse(e, "annotations.run.oci.mount_context_type", "is none of context, fscontext, defcontext and rootcontext");
	if (s->cgroup_delegate && !is_file_name(s->cgroup_delegate))
		return refuse(e, "annotations.run.oci.delegate-cgroup", "is no name of a group");
	for (size_t i = 0; i < 2; i++)
		if (files[i] && !is_absolute(files[i]))
			return refuse(e, i ? "annotations.run.oci.hooks.stderr" : "annotations.run.oci.hooks.stdout", "must be absolute");
	return 0;
}

static int check_net_devices(const struct spec *s, struct nook_error *e)
{
	for (size_t i = 0; i < s->n_net_devices; i++) {
		const char *const names[] = {s->net_devices[i].host_name, s->net_devices[i].name};

		for (int k = 0; k < 2; k++)
			if (names[k] && (!is_file_name(names[k]) || strlen(names[k]) >= IFNAMSIZ || strpbrk(names[k], ": \t\n")))
				return err_fmt(e, STEP_CONFIG, "linux.netDevices", EINVAL, "\"%s\" is no name of a network device", names[k]);
	}
	return 0;
}

static int check_rdt(const struct spec_rdt *rdt, struct nook_error *e)
{
	if (rdt->clos_id && *rdt->clos_id && !text_is(rdt->clos_id, "/") && !is_file_name(rdt->clos_id))
		return refuse(e, "linux.intelRdt.closID", "is no directory name");
	if (rdt->l3_schema && strchr(rdt->l3_schema, '\n'))
		return refuse(e, "linux.intelRdt.l3CacheSchema", "has more than one line");
	if (rdt->mem_schema && *rdt->mem_schema && (!text_after(rdt->mem_schema, "MB:") || strchr(rdt->mem_schema, '\n')))
		return refuse(e, "linux.intelRdt.memBwSchema", "is not one line that begins with MB:");
	for (size_t i = 0; rdt->schemata && rdt->schemata[i]; i++)
		if (!strchr(rdt->schemata[i], ':') || strchr(rdt->schemata[i], '\n'))
			return refuse_item(e, "linux.intelRdt.schemata", i, "", "is not one line such as L3:0=f");
	return 0;
}

/* 1024 nodes are as many as the kernel has. */
static int check_memory_policy(const struct spec_memory_policy *p, struct nook_error *e)
{
	uint64_t nodes[NUMBERS_MAX / 64];

	if (p->set && p->nodes && *p->nodes && text_bits(p->nodes, nodes, NUMBERS_MAX / 64) < 0)
		return refuse(e, "linux.memoryPolicy.nodes", "is no list of memory nodes such as 0-3,7");
	return 0;
}

static bool has_notify(const struct spec_seccomp *f)
{
	for (size_t i = 0; i < f->n_rules; i++)
		if (f->rules[i].action == SECCOMP_RET_USER_NOTIF)
			return true;
	return false;
}

static int check_seccomp(const struct spec_seccomp *f, struct nook_error *e)
{
	if (f->listener_metadata && *f->listener_metadata && !(f->listener_path && *f->listener_path))
		return refuse(e, "linux.seccomp.listenerMetadata", "needs listenerPath");
	if (f->listener_path && *f->listener_path && !is_absolute(f->listener_path))
		return refuse(e, "linux.seccomp.listenerPath", "must be absolute");
	if (!(f->listener_path && *f->listener_path) && has_notify(f))
		return refuse(e, "linux.seccomp.listenerPath", "is needed for SCMP_ACT_NOTIFY");
	return 0;
}

int spec_check(const struct spec *s, struct nook_error *e)
{
	if (s->root.kind != ROOT_TMPFS && (!s->root.path || !*s->root.path))
		return refuse(e, "root.path", "must not be empty");
	TRY(check_namespaces(s, e));
	TRY(check_paths(s->masked, "linux.maskedPaths", s, e));
	TRY(check_paths(s->readonly, "linux.readonlyPaths", s, e));
	TRY(check_mounts(s, e));
	TRY(check_devices(s, e));
	if (s->has_process)
		TRY(spec_check_process(&s->process, e));
	TRY(check_resources(&s->resources, e));
	TRY(check_sysctls(s, e));
	TRY(check_hooks(s, e));
	TRY(check_annotations(s, e));
	TRY(check_net_devices(s, e));
	TRY(check_rdt(&s->rdt, e));
	TRY(check_memory_policy(&s->memory_policy, e));
	return check_seccomp(&s->seccomp, e);
}
