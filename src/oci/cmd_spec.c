/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A config.json to begin with: a shell in a bundle's rootfs, isolated as runtimes have it. */
#include "base/fd.h"
#include "bundle/config.h"
#include "oci/commands.h"

#include <linux/capability.h>
#include <sys/resource.h>

struct options {
	const char *bundle, *file;
	bool rootless;
};

static const struct opt table[] = {
	{'b', "bundle", "DIR", OPT_STRING, offsetof(struct options, bundle), "where to write it (default: here)"},
	{'f', "config", "FILE", OPT_STRING, offsetof(struct options, file), "name of the file (default: config.json)"},
	{0, "rootless", NULL, OPT_FLAG, offsetof(struct options, rootless), "for a user without rights"},
	{0},
};

static const struct {
	const char *target, *type, *source, *options;
	bool rootful; /* not for a user without rights */
} mounts[] = {
	{"/proc", "proc", "proc", NULL},
	{"/dev", "tmpfs", "tmpfs", "nosuid,strictatime,mode=755,size=65536k"},
	{"/dev/pts", "devpts", "devpts", "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5", true},
	{"/dev/shm", "tmpfs", "shm", "nosuid,noexec,nodev,mode=1777,size=65536k"},
	{"/dev/mqueue", "mqueue", "mqueue", "nosuid,noexec,nodev"},
	{"/sys", "sysfs", "sysfs", "nosuid,noexec,nodev,ro", true},
	{"/sys/fs/cgroup", "cgroup", "cgroup", "nosuid,noexec,nodev,relatime,ro", true},
};

static const char *const args[] = {"sh", NULL};
static const char *const env[] = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm", NULL};
static const char *const masked[] = {"/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys",
	"/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/sys/firmware", "/proc/scsi", NULL};
static const char *const readonly[] = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger", NULL};

static int add_mounts(struct spec *s, bool rootless, struct nook_error *e)
{
	for (size_t i = 0; i < sizeof(mounts) / sizeof(mounts[0]); i++)
		if (!rootless || !mounts[i].rootful)
			TRY(spec_mount_add(s, mounts[i].target, mounts[i].type, mounts[i].source, mounts[i].options, NULL, e));
	if (!rootless)
		return 0;
	/* Terminals belong to a group that a single id map lacks; a new sysfs needs a network namespace of one's own. */
	TRY(spec_mount_add(s, "/dev/pts", "devpts", "devpts", "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620", NULL, e));
	return spec_mount_add(s, "/sys", "none", "/sys", "rbind,nosuid,noexec,nodev,ro", NULL, e);
}

static void add_process(struct spec *s)
{
	static const struct spec_rlimit nofile = {RLIMIT_NOFILE, 1024, 1024, false};
	uint64_t caps = 1U << CAP_AUDIT_WRITE | 1U << CAP_KILL | 1U << CAP_NET_BIND_SERVICE;
	struct spec_process *p = &s->process;

	s->has_process = true;
	p->terminal = true;
	p->argv = args;
	p->env = env;
	p->cwd = "/";
	p->has_caps = true;
	p->caps[CAPS_BOUNDING] = p->caps[CAPS_EFFECTIVE] = p->caps[CAPS_PERMITTED] = caps;
	p->rlimits = arena_memdup(s->arena, &nofile, sizeof(nofile));
	p->n_rlimits = 1;
	p->no_new_privs = true;
}

static void add_namespaces(struct spec *s, bool rootless)
{
	static const enum ns_kind kinds[] = {NS_PID, NS_IPC, NS_UTS, NS_MNT, NS_CGROUP};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		s->ns[kinds[i]].mode = NS_PRIVATE;
	if (!rootless) {
		s->ns[NS_NET].mode = NS_PRIVATE;
		return;
	}
	s->ns[NS_USER].mode = NS_PRIVATE;
	*arena_push(s->arena, &s->uid_maps, &s->n_uid_maps) = (struct spec_idmap){0, geteuid(), 1};
	*arena_push(s->arena, &s->gid_maps, &s->n_gid_maps) = (struct spec_idmap){0, getegid(), 1};
}

static int make(struct spec *s, bool rootless, struct nook_error *e)
{
	s->oci_version = CONFIG_OCI_VERSION;
	s->root.path = "rootfs";
	s->root.readonly = true;
	s->hostname = "nook";
	add_process(s);
	add_namespaces(s, rootless);
	TRY(add_mounts(s, rootless, e));
	*arena_push(s->arena, &s->resources.devices, &s->resources.n_devices) =
		(struct spec_device_rule){false, 'a', -1, -1, DEV_READ | DEV_WRITE | DEV_MKNOD};
	s->masked = masked;
	s->readonly = readonly;
	return 0;
}

static int run(struct oci *o, void *options, int argc, char **argv, struct nook_error *e)
{
	const struct options *opts = options;
	const char *dir = opts->bundle ? opts->bundle : ".", *name = opts->file ? opts->file : "config.json";
	AUTO(spec_free) struct spec *s = spec_new();
	AUTO_VALUE(buf_done) struct buf text = {0};
	auto_close int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(e, STEP_FILE, dir);
	TRY(make(s, opts->rootless, e));
	config_text(s, JSON_PRETTY, &text);
	buf_addc(&text, '\n');
	auto_close int out = openat(fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);

	if (out < 0)
		return err_sys(e, STEP_FILE, name);
	int r = fd_write(out, text.data, text.len);

	return r < 0 ? err_num(e, STEP_FILE, name, r) : 0;
}

const struct oci_command cmd_spec = {
	.name = "spec",
	.usage = "[OPTIONS]",
	.summary = "write a config.json to begin with",
	.options = table,
	.options_size = sizeof(struct options),
	.run = run,
};
