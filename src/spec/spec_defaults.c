/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "spec/spec_defaults.h"

#include "base/fd.h"
#include "base/text.h"

#include <assert.h>
#include <stdio.h>
#include <sys/resource.h>

enum {
	PAGE = 4096,
	SHM_BYTES = 64 << 20,
	OOM_SCORE_ABOVE = 100, /* the kernel kills the container before whoever started it */
	OOM_SCORE_MAX = 1000,
	TERMINAL_GID = 5,      /* "tty" everywhere */
	CPUS_MAX = 1024,
};

const char spec_default_path[] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

static const char *const masked_paths[] = {
	"/proc/acpi",
	"/proc/asound",
	"/proc/interrupts",
	"/proc/kcore",
	"/proc/keys",
	"/proc/kmsg",
	"/proc/kpagecgroup",
	"/proc/kpagecount",
	"/proc/kpageflags",
	"/proc/latency_stats",
	"/proc/pagetypeinfo",
	"/proc/sched_debug",
	"/proc/scsi",
	"/proc/slabinfo",
	"/proc/timer_list",
	"/proc/timer_stats",
	"/proc/vmallocinfo",
	"/sys/devices/virtual/dmi/id",
	"/sys/devices/virtual/powercap",
	"/sys/firmware",
	"/sys/kernel/debug",
	"/sys/kernel/notes",
	"/sys/kernel/security",
	"/sys/kernel/tracing",
	"/sys/kernel/vmcoreinfo",
};

static const char *const readonly_paths[] = {
	"/proc/bus",
	"/proc/fs",
	"/proc/irq",
	"/proc/pressure",
	"/proc/sys",
	"/proc/sysrq-trigger",
	NULL,
};

/* A node of /dev exists for each of these; pts/N has major 136.  Not 5:1: that is the machine's own console. */
static const struct spec_device_rule allowed_devices[] = {
	{true, 'c', 1, 3, DEV_READ | DEV_WRITE | DEV_MKNOD}, /* null */
	{true, 'c', 1, 5, DEV_READ | DEV_WRITE | DEV_MKNOD}, /* zero */
	{true, 'c', 1, 7, DEV_READ | DEV_WRITE | DEV_MKNOD}, /* full */
	{true, 'c', 1, 8, DEV_READ | DEV_WRITE | DEV_MKNOD}, /* random */
	{true, 'c', 1, 9, DEV_READ | DEV_WRITE | DEV_MKNOD}, /* urandom */
	{true, 'c', 5, 0, DEV_READ | DEV_WRITE | DEV_MKNOD}, /* tty */
	{true, 'c', 5, 2, DEV_READ | DEV_WRITE | DEV_MKNOD}, /* ptmx */
	{true, 'c', 136, -1, DEV_READ | DEV_WRITE | DEV_MKNOD},
};

static const struct {
	const char *target, *type, *options;
} standard_mounts[] = {
	{"/proc", "proc", "nosuid,nodev,noexec"},
	{"/dev", "tmpfs", "nosuid,noexec,strictatime,mode=755,size=64k,nr_inodes=64"},
	{"/dev/pts", "devpts", "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,max=1024"},
	{"/dev/shm", "tmpfs", NULL},
	{"/dev/mqueue", "mqueue", "nosuid,nodev,noexec"},
	{"/sys", "sysfs", "ro,nosuid,nodev,noexec"},
	{"/sys/fs/cgroup", "cgroup", "ro,nosuid,nodev,noexec,relatime"},
};

const char *spec_tmpfs_options(struct arena *a, const char *words, uint64_t bytes)
{
	uint64_t pages = bytes / PAGE;

	return arena_printf(a, "%s%ssize=%llu,nr_inodes=%llu", words, *words ? "," : "", (unsigned long long)bytes,
		(unsigned long long)(pages > 16 ? pages : 16));
}

void spec_default_namespaces(struct spec *s)
{
	for (int i = 0; i < NS_COUNT; i++)
		s->ns[i] = (struct spec_ns){.mode = i == NS_TIME ? NS_HOST : NS_PRIVATE};
	s->net_loopback_up = true;
	s->idmap_sources = true;
}

/* /proc, /dev and what is in it, /sys, /sys/fs/cgroup. */
static void spec_default_mounts(struct spec *s)
{
	for (size_t i = 0; i < sizeof(standard_mounts) / sizeof(standard_mounts[0]); i++) {
		const char *target = standard_mounts[i].target, *type = standard_mounts[i].type;
		const char *options = standard_mounts[i].options;
		struct spec_mount *m = NULL;

		if (!options)
			options = spec_tmpfs_options(s->arena, "nosuid,nodev,noexec,mode=1777", SHM_BYTES);
		int r = spec_mount_add(s, target, type, type, options, &m, NULL);

		assert(r == 0);
		(void)r;
		m->standard = true;
	}
	s->default_devices = true;
}

/* How hot each processor ran tells of the host's load; the directories exist on few machines. */
static void mask_thermal(struct spec *s, const char ***list, size_t *n)
{
	for (int cpu = 0; cpu < CPUS_MAX; cpu++) {
		char path[64];

		(void)snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%d/thermal_throttle", cpu);
		if (access(path, F_OK) < 0)
			return;
		*arena_push(s->arena, list, n) = arena_strdup(s->arena, path);
	}
}

void spec_default_device_rules(struct arena *a, struct spec_resources *r)
{
	for (size_t i = 0; i < sizeof(allowed_devices) / sizeof(allowed_devices[0]); i++)
		*arena_push(a, &r->devices, &r->n_devices) = allowed_devices[i];
}

void spec_default_security(struct spec *s)
{
	struct spec_process *p = &s->process;
	const char **masked = NULL;
	size_t n = 0;

	for (size_t i = 0; i < sizeof(masked_paths) / sizeof(masked_paths[0]); i++)
		*arena_push(s->arena, &masked, &n) = masked_paths[i];
	mask_thermal(s, &masked, &n);
	(void)arena_push(s->arena, &masked, &n);
	s->masked = masked;
	s->readonly = readonly_paths;
	s->default_masks = true;
	p->has_caps = true;
	p->caps[CAPS_BOUNDING] = p->caps[CAPS_EFFECTIVE] = p->caps[CAPS_PERMITTED] = SPEC_DEFAULT_CAPS;
	p->no_new_privs = true;
	p->new_keyring = true;
	s->seccomp.source = SECCOMP_DEFAULT;
	*arena_push(s->arena, &s->resources.devices, &s->resources.n_devices) =
		(struct spec_device_rule){false, 'a', -1, -1, DEV_READ | DEV_WRITE | DEV_MKNOD};
	spec_default_device_rules(s->arena, &s->resources);
}

/* The caller's own score, which a child of it inherits. */
static int64_t own_oom_score(void)
{
	char text[16] = "";
	auto_close int fd = open("/proc/self/oom_score_adj", O_RDONLY | O_CLOEXEC);
	int64_t score = 0;

	if (fd < 0 || fd_read_once(fd, text, sizeof(text) - 1) <= 0)
		return 0;
	text[strcspn(text, "\n")] = 0;
	return text_i64(text, &score) < 0 ? 0 : score;
}

void spec_default_process(struct spec *s)
{
	static const struct spec_rlimit limits[] = {
		/* Some programs still put descriptors into an fd_set of 1024; who can take more raises it. */
		{RLIMIT_NOFILE, 1024, 524288, true},
		/* A core pattern runs on the host. */
		{RLIMIT_CORE, 0, 0, true},
		{RLIMIT_MEMLOCK, 64 << 10, 8 << 20, true},
	};
	struct spec_process *p = &s->process;
	const char **env = arena_new_n(s->arena, const char *, 2);
	int64_t score = own_oom_score() + OOM_SCORE_ABOVE;

	env[0] = arena_printf(s->arena, "PATH=%s", spec_default_path);
	p->env = env;
	p->rlimits = arena_memdup(s->arena, limits, sizeof(limits));
	p->n_rlimits = sizeof(limits) / sizeof(limits[0]);
	p->user.has_umask = true;
	p->user.umask = 022;
	p->oom_score_adj = (struct opt_i64){score > OOM_SCORE_MAX ? OOM_SCORE_MAX : score, true};
	p->oom_score_adj_clamp = true;
	s->has_process = true;
	s->resources.pids_limit = (struct opt_i64){2048, true};
	s->resources.pids_limit_clamp = true;
	s->resources.memory_oom_group = true;
}

void spec_defaults(struct spec *s)
{
	spec_default_namespaces(s);
	spec_default_mounts(s);
	spec_default_security(s);
	spec_default_process(s);
}

/* The largest group id that a process in the container can have. */
static uint32_t last_gid(const struct spec *s)
{
	uint32_t last = 0;

	if (s->ns[NS_USER].mode == NS_HOST)
		return INT32_MAX;
	for (size_t i = 0; i < s->n_gid_maps; i++)
		if (s->gid_maps[i].count && s->gid_maps[i].inside + s->gid_maps[i].count - 1 > last)
			last = s->gid_maps[i].inside + s->gid_maps[i].count - 1;
	return last;
}

static bool has_sysctl(const struct spec *s, const char *key)
{
	for (size_t i = 0; i < s->n_sysctls; i++)
		if (text_is(s->sysctls[i].key, key))
			return true;
	return false;
}

static void default_sysctl(struct spec *s, const char *key, const char *value)
{
	if (!has_sysctl(s, key))
		spec_pair_set(s->arena, &s->sysctls, &s->n_sysctls, key, value);
}

static void add_option(struct arena *a, struct spec_mount *m, const char *option)
{
	const char **list = NULL;
	size_t n = 0;

	for (const char *const *o = m->options; o && *o; o++)
		*arena_push(a, &list, &n) = *o;
	*arena_push(a, &list, &n) = option;
	(void)arena_push(a, &list, &n);
	m->options = list;
	m->data = m->data ? arena_printf(a, "%s,%s", m->data, option) : option;
}

void spec_defaults_finish(struct spec *s)
{
	struct spec_resources *r = &s->resources;
	uint32_t gid = last_gid(s);

	if (s->ns[NS_NET].mode == NS_PRIVATE) {
		/* Ports below 1024 and ping(8) without CAP_NET_RAW.  The range may only name groups that are mapped. */
		default_sysctl(s, "net.ipv4.ip_unprivileged_port_start", "0");
		default_sysctl(s, "net.ipv4.ping_group_range", arena_printf(s->arena, "0 %u", gid));
	}
	for (size_t i = 0; i < s->n_mounts; i++) {
		struct spec_mount *m = &s->mounts[i];

		if (m->standard && text_is(m->target, "/dev/pts") && gid >= TERMINAL_GID)
			add_option(s->arena, m, arena_printf(s->arena, "gid=%d", TERMINAL_GID));
	}
	if (r->memory_limit.set && r->memory_limit.value > 0 && !r->memory_swap.set)
		r->memory_swap = r->memory_limit;
}
