/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * From a box, this machine and a command to a plan.  The order is that of spec_defaults.h: what every box has, what the
 * rules say, what follows from both.
 *
 * A box has no state directory; ids.c says who its users are.  Groups are made only for
 * limits that need them: the number of processes is limited within the user namespace, by RLIMIT_NPROC.
 */
#include "box/box.h"

#include "base/fd.h"
#include "base/path.h"
#include "base/text.h"
#include "box/filter.h"
#include "box/ids.h"
#include "box/learned.h"
#include "runtime/idrange.h"
#include "spec/spec_defaults.h"
#include "sys/openat2.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>

static const uint64_t tmp_bytes = UINT64_C(1) << 30, run_bytes = UINT64_C(64) << 20, shm_bytes = UINT64_C(64) << 20;

struct make {
	const struct nook_box *box;
	struct arena *arena;
	struct spec *spec;
	struct plan_host host;
	struct cgroup_layout layout;
	struct cgroup_want want;
	bool has_groups;
	const char *home;
	struct spec_landlock_rule *fence;
	size_t n_fence;
};

static const char *outside(const char *name)
{
	size_t len = strlen(name);

	for (char **v = environ; v && *v; v++)
		if (!strncmp(*v, name, len) && (*v)[len] == '=')
			return *v + len + 1;
	return NULL;
}

/* ---- namespaces ------------------------------------------------------------------------------------------------------ */

static int make_namespaces(struct make *m, struct nook_error *e)
{
	struct spec *s = m->spec;

	spec_default_namespaces(s);
	for (int kind = 0; kind < NS_COUNT; kind++)
		if (m->box->shared & (1U << kind))
			s->ns[kind].mode = NS_HOST;
	TRY(box_network_spec(m->box, m->arena, s, e));
	s->net_loopback_up = s->ns[NS_NET].mode == NS_PRIVATE;
	if (s->ns[NS_UTS].mode == NS_PRIVATE)
		s->hostname = m->box->hostname ? m->box->hostname : "box";
	return 0;
}

/* ---- what is seen -------------------------------------------------------------------------------------------------- */

/* Programs, libraries and their settings. */
const char *const box_view[] = {"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/etc", "/opt", "/nix", "/gnu", NULL};

/* What in it is nobody's business.  Most cannot be read by an ordinary user anyway. */
const char *const box_secrets[] = {
	"/etc/shadow", "/etc/shadow-", "/etc/gshadow", "/etc/gshadow-", "/etc/sudoers", "/etc/sudoers.d", "/etc/ssh",
	"/etc/ssl/private", "/etc/krb5.keytab", "/etc/wpa_supplicant", "/etc/NetworkManager/system-connections", "/etc/wireguard",
	"/etc/openvpn", "/etc/polkit-1", "/etc/docker", "/etc/kubernetes", "/etc/rancher", NULL,
};

static void fence_add(struct make *m, const char *path, bool write)
{
	*arena_push(m->arena, &m->fence, &m->n_fence) = (struct spec_landlock_rule){path, write};
}

static int make_view(struct make *m, struct nook_error *e)
{
	for (size_t i = 0; box_view[i]; i++) {
		struct stat st;

		if (lstat(box_view[i], &st) < 0) {
			if (errno == ENOENT)
				continue;
			return err_sys(e, STEP_SOURCE, box_view[i]);
		}
		if (S_ISLNK(st.st_mode))
			TRY(spec_mount_add(m->spec, box_view[i], "bind", box_view[i], "bind,copy-symlink", NULL, e));
		else if (S_ISDIR(st.st_mode))
			TRY(spec_mount_add(m->spec, box_view[i], "bind", box_view[i], "rbind,rro,rnosuid,rnodev", NULL, e));
	}
	return 0;
}

static int make_tmpfs(struct make *m, const char *target, const char *mode, uint64_t bytes, struct nook_error *e)
{
	const char *words = arena_printf(m->arena, "nosuid,nodev,mode=%s,uid=%u,gid=%u", mode, m->spec->process.user.uid,
		m->spec->process.user.gid);

	fence_add(m, target, true);
	return spec_mount_add(m->spec, target, "tmpfs", "tmpfs", spec_tmpfs_options(m->arena, words, bytes), NULL, e);
}

static int add_standard(struct make *m, const char *target, const char *type, const char *options, struct nook_error *e)
{
	struct spec_mount *mount = NULL;

	TRY(spec_mount_add(m->spec, target, type, type, options, &mount, e));
	mount->standard = true;
	return 0;
}

static int make_private(struct make *m, struct nook_error *e)
{
	if (m->box->proc != BOX_PROC_NONE)
		TRY(add_standard(m, "/proc", "proc", m->box->proc == BOX_PROC_MIN ? "nosuid,nodev,noexec,subset=pid" : "nosuid,nodev,noexec", e));
	TRY(add_standard(m, "/dev", "tmpfs", "nosuid,noexec,mode=755,size=64k,nr_inodes=64", e));
	TRY(add_standard(m, "/dev/pts", "devpts", "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,max=64", e));
	TRY(add_standard(m, "/dev/shm", "tmpfs", spec_tmpfs_options(m->arena, "nosuid,nodev,noexec,mode=1777", shm_bytes), e));
	m->spec->default_devices = true;
	if (m->box->proc != BOX_PROC_NONE)
		fence_add(m, "/proc", true);
	fence_add(m, "/dev", true);
	TRY(make_tmpfs(m, "/tmp", "1777", tmp_bytes, e));
	TRY(make_tmpfs(m, "/run", "0755", run_bytes, e));
	if (!m->box->bare && !m->box->root)
		TRY(make_tmpfs(m, "/var/tmp", "1777", tmp_bytes, e));
	return make_tmpfs(m, m->home, "0700", tmp_bytes, e);
}

/* A home of the caller's that is a place of its own; for others "/home" is the home. */
const char *box_home(struct arena *a)
{
	const char *home = outside("HOME");
	static const char *const taken[] = {"/usr", "/bin", "/sbin", "/lib", "/etc", "/opt", "/nix", "/gnu", "/proc", "/sys", "/dev", "/tmp", "/run", "/var/tmp"};

	if (!home || home[0] != '/' || !home[strspn(home, "/")] || strstr(home, "/../") || strlen(home) > 1024)
		return "/home";
	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
		if (path_below(home, taken[i]))
			return "/home";
	return arena_strdup(a, home);
}

/* Is PATH in what the box may write? */
static bool is_writable(const struct nook_box *b, const char *path)
{
	for (size_t i = 0; i < b->n_paths; i++) {
		const struct box_path *p = &b->paths[i];
		const char *rest = p->kind == BOX_PATH_RW || p->kind == BOX_PATH_DEV ? text_after(path, p->source) : NULL;

		if (rest && (!*rest || *rest == '/'))
			return true;
	}
	return false;
}

static int make_overlay(struct make *m, const struct box_path *p, struct nook_error *e)
{
	struct spec_layers *layers = arena_new_of(m->arena, struct spec_layers);
	const char **lowers = arena_new_n(m->arena, const char *, 2);
	struct spec_mount *mount = NULL;

	/* What is brought back is what stands in there. */
	if (p->keep && is_writable(m->box, p->keep))
		return err_why(e, STEP_OPTION, p->keep, EINVAL, "the box could write to where its changes are kept");
	lowers[0] = p->source;
	*layers = (struct spec_layers){.lowers = lowers, .keep = p->keep, .original = p->source};
	TRY(spec_mount_add(m->spec, p->target, "overlay", p->source, "nosuid,nodev", &mount, e));
	mount->layers = layers;
	return 0;
}

/* In a directory that a box may write, an earlier run may have planted a link to anywhere: what lies below it is taken only
 * when there is none on the way. */
static int check_planted(const struct nook_box *b, const struct box_path *p, struct nook_error *e)
{
	for (size_t i = 0; i < b->n_paths; i++) {
		const struct box_path *above = &b->paths[i];
		const char *rest = above->kind == BOX_PATH_RW ? text_after(p->source, above->source) : NULL;
		auto_close int dir = -EBADF;
		int fd;

		if (!rest || *rest != '/')
			continue;
		dir = open(above->source, O_PATH | O_DIRECTORY | O_CLOEXEC);
		fd = dir < 0 ? -errno : openat2_raw(dir, rest + 1, O_PATH, 0, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
		if (fd == -ELOOP)
			return err_fmt(e, STEP_SOURCE, p->source, ELOOP, "a link stands on the way in %s, which the box may write: give the path it leads to",
				above->source);
		if (fd >= 0)
			(void)close(fd);
	}
	return 0;
}

static int make_path(struct make *m, const struct box_path *p, struct nook_error *e)
{
	static const char *const words[] = {
		[BOX_PATH_RO] = "rbind,rro,rnosuid,rnodev",
		[BOX_PATH_RW] = "rbind,rnosuid,rnodev",
		[BOX_PATH_DEV] = "rbind,rnosuid,dev",
	};
	struct stat st;

	if (p->kind == BOX_PATH_TMP)
		return make_tmpfs(m, p->target, "0755", p->bytes ? p->bytes : tmp_bytes, e);
	if (stat(p->source, &st) < 0) {
		if (errno == ENOENT && p->if_exists)
			return 0;
		return err_sys(e, STEP_SOURCE, p->source);
	}
	TRY(check_planted(m->box, p, e));
	if (p->socket && !S_ISSOCK(st.st_mode))
		return err_why(e, STEP_SOURCE, p->source, ENOTSOCK, "it is not a socket");
	fence_add(m, p->target, p->kind != BOX_PATH_RO);
	if (p->kind == BOX_PATH_OVERLAY)
		return make_overlay(m, p, e);
	return spec_mount_add(m->spec, p->target, "bind", p->source, words[p->kind], NULL, e);
}

static size_t depth(const char *path)
{
	size_t n = 0;

	for (; *path; path++)
		n += *path == '/';
	return n;
}

/* Mounts of the rules, the upper directories first, so that the order of rules does not matter. */
static int make_paths(struct make *m, struct nook_error *e)
{
	const struct nook_box *b = m->box;
	size_t deepest = 0;

	for (size_t i = 0; i < b->n_paths; i++)
		if (depth(b->paths[i].target) > deepest)
			deepest = depth(b->paths[i].target);
	for (size_t level = 1; level <= deepest; level++) {
		for (size_t i = 0; i < b->n_paths; i++) {
			const struct box_path *p = &b->paths[i];
			int r;

			if (p->kind >= BOX_PATH_HIDE || depth(p->target) != level)
				continue;
			r = make_path(m, p, e);
			if (r < 0) {
				if (e)
					e->rule = p->rule;
				return r;
			}
		}
	}
	return 0;
}

/* What the defaults mask of /proc, the secrets of /etc, and what rules hide. */
static int make_masks(struct make *m, struct nook_error *e)
{
	const char **list = NULL;
	size_t n = 0;

	for (const char *const *p = m->spec->masked; p && *p; p++)
		if (text_after(*p, "/proc/"))
			*arena_push(m->arena, &list, &n) = *p;
	for (size_t i = 0; !m->box->bare && !m->box->root && box_secrets[i]; i++)
		*arena_push(m->arena, &list, &n) = box_secrets[i];
	for (size_t i = 0; i < m->box->n_paths; i++) {
		const struct box_path *p = &m->box->paths[i];

		if (p->kind == BOX_PATH_HIDE)
			*arena_push(m->arena, &list, &n) = p->target;
		else if (p->kind == BOX_PATH_GLOB)
			TRY(box_glob(m->box, p->target, m->arena, &list, &n, e));
	}
	(void)arena_push(m->arena, &list, &n);
	m->spec->masked = list;
	return 0;
}

static void make_own_files(struct make *m)
{
	for (size_t i = 0; i < m->box->n_files; i++) {
		const struct box_file *f = &m->box->files[i];

		*arena_push(m->arena, &m->spec->files, &m->spec->n_files) =
			(struct spec_file){f->target, f->data, f->size, "/run/.nook-put"};
	}
}

static int make_files(struct make *m, struct nook_error *e)
{
	struct spec *s = m->spec;

	s->root.kind = m->box->root ? ROOT_DIR : ROOT_TMPFS;
	s->root.path = m->box->root;
	s->root.upper_bytes = UINT64_C(16) << 20;
	s->root.readonly = true;
	if (!m->box->bare && !m->box->root)
		TRY(make_view(m, e));
	TRY(make_private(m, e));
	TRY(make_paths(m, e));
	make_own_files(m);
	return make_masks(m, e);
}

/* ---- what is allowed ----------------------------------------------------------------------------------------------- */

static void make_security(struct make *m)
{
	struct spec *s = m->spec;
	struct spec_process *p = &s->process;

	spec_default_security(s);
	/* There are no devices but those of the box's own /dev, so no rules about them are needed. */
	s->resources.n_devices = 0;
	for (int i = 0; i < CAPS_SETS; i++)
		p->caps[i] = m->box->caps;
	s->start_fd = m->box->start_fd;
	p->landlock_scope = true;
	p->init = true;
	p->die_with_parent = true;
}

static void make_fence(struct make *m)
{
	fence_add(m, "/", false);
	m->spec->landlock.rules = m->fence;
	m->spec->landlock.n_rules = m->n_fence;
	m->spec->landlock.optional = true;
	m->spec->landlock.any_reason = m->box->best_effort & BOX_FEATURE_LANDLOCK;
}

/* ---- groups -------------------------------------------------------------------------------------------------------- */

static int make_groups(struct make *m, struct nook_error *e)
{
	const struct box_limits *l = &m->box->limits;
	unsigned missing_ok = (l->mem.set ? BOX_FEATURE_MEM : 0) | (l->cpu.set ? BOX_FEATURE_CPU : 0);
	uint64_t id;
	int r;

	if (!missing_ok)
		return 0;
	if (getrandom(&id, sizeof(id), 0) != sizeof(id))
		return err_sys(e, STEP_CGROUP, "random");
	TRY(cgroup_layout_read(m->arena, AT_FDCWD, &m->layout, e));
	r = cgroup_want(m->arena, &m->layout, &m->spec->resources, arena_printf(m->arena, BOX_GROUP_PREFIX "%016llx", (unsigned long long)id),
		&m->want, e);
	if (r < 0 && (m->box->best_effort & missing_ok) == missing_ok) {
		m->spec->resources.memory_limit = m->spec->resources.memory_swap = m->spec->resources.cpu_quota = (struct opt_i64){0};
		m->spec->resources.cpu_period = (struct opt_u64){0};
		m->want = (struct cgroup_want){0};
		return 0;
	}
	m->has_groups = true;
	return r < 0 ? r : 0;
}

/* ---- the process --------------------------------------------------------------------------------------------------- */

/* Variables that a program needs to behave and that tell nothing of the caller's secrets. */
static const char *const harmless[] = {"PATH", "TERM", "LANG", "LANGUAGE", "USER", "LOGNAME", "SHELL", "COLORTERM", "TZ", "NO_COLOR"};

static bool is_harmless(const char *variable, size_t len)
{
	for (size_t i = 0; i < sizeof(harmless) / sizeof(harmless[0]); i++)
		if (strlen(harmless[i]) == len && !strncmp(harmless[i], variable, len))
			return true;
	return !strncmp(variable, "LC_", 3);
}

static void make_env(struct make *m)
{
	const struct nook_box *b = m->box;
	const char **list = NULL;
	size_t n = 0;

	*arena_push(m->arena, &list, &n) = arena_printf(m->arena, "PATH=%s", spec_default_path);
	*arena_push(m->arena, &list, &n) = arena_printf(m->arena, "HOME=%s", m->home);
	for (char **v = environ; !b->clearenv && v && *v; v++)
		if (is_harmless(*v, strcspn(*v, "=")))
			*arena_push(m->arena, &list, &n) = arena_strdup(m->arena, *v);
	box_network_env(b, m->arena, &list, &n);
	for (size_t i = 0; i < b->n_env; i++) {
		const char *value = b->env[i].value ? b->env[i].value : outside(b->env[i].name);

		if (value)
			*arena_push(m->arena, &list, &n) = arena_printf(m->arena, "%s=%s", b->env[i].name, value);
	}
	if (box_bus_env(b))
		*arena_push(m->arena, &list, &n) = box_bus_env(b);
	(void)arena_push(m->arena, &list, &n);
	m->spec->process.env = list;
}

/* Is PATH the target, or below the target, of a rule that shows something? */
static bool is_shown(const struct nook_box *b, const char *path)
{
	for (size_t i = 0; i < b->n_paths; i++) {
		const struct box_path *p = &b->paths[i];

		if (p->kind <= BOX_PATH_OVERLAY && path_below(path, p->target) && text_is(p->source, p->target))
			return true;
	}
	return false;
}

static void make_process(struct make *m, const char *const *argv)
{
	const struct nook_box *b = m->box;
	struct spec_process *p = &m->spec->process;
	uint32_t *keep = arena_new_n(m->arena, uint32_t, b->n_fds + 1);

	spec_default_process(m->spec);
	p->argv = argv;
	p->terminal = b->terminal;
	p->rows = b->rows;
	p->columns = b->columns;
	make_env(m);
	/* A current directory that is in the box stays the current one. */
	p->cwd = b->cwd ? b->cwd : b->base && is_shown(b, b->base) ? b->base : m->home;
	for (size_t i = 0; i < b->n_fds; i++)
		if (b->fds[i].as > 2)
			keep[p->n_keep_fds++] = (uint32_t)b->fds[i].as;
	p->keep_fds = keep;
}

/* The kernel counts processes per user and exempts the machine's root.  Without the right to have other ids (root in a
 * container that has no user namespace) a box's processes are just that. */
static int check_pids(struct make *m, struct plan_result *result, struct nook_error *e)
{
	static const char why[] = "the kernel does not count the processes of the machine's root, and no other id may be taken";
	struct spec_idmap *maps = NULL;
	size_t n = 0;
	auto_close int proc = -EBADF;

	if (m->host.euid || m->host.privileged || m->has_groups || !m->box->limits.pids.set)
		return 0;
	proc = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);
	TRY(idrange_read_map(proc, "uid_map", m->arena, &maps, &n, e));
	if (!n || maps[0].inside || maps[0].outside)
		return 0;
	if (m->box->pids_asked && !(m->box->best_effort & BOX_FEATURE_PIDS))
		return err_why(e, STEP_LIMIT, "pids", EOPNOTSUPP, why);
	*arena_push(m->arena, &result->notes, &result->n_notes) = arena_printf(m->arena, "pids: %s", why);
	(void)arena_push(m->arena, &result->notes, &result->n_notes);
	result->n_notes--;
	return 0;
}

int box_compile(const struct nook_box *b, const char *const *argv, struct arena *a, struct box_plan *ret, struct nook_error *e)
{
	AUTO(spec_free) struct spec *spec = spec_new();
	struct make m = {.box = b, .arena = a, .spec = spec};
	struct plan_request q = {.spec = spec, .host = &m.host};
	struct plan_result result = {0};
	struct box_bus bus = {0};
	int r;

	TRY(plan_host_probe(&m.host, e));
	m.home = box_home(a);
	TRY(box_network_check(b, e));
	TRY(make_namespaces(&m, e));
	make_security(&m);
	TRY(box_filter(b, a, spec, e));
	make_process(&m, argv);
	TRY(box_ids(b, &m.host, a, spec, &q, e));
	TRY(make_files(&m, e));
	TRY(box_bus_spec(b, a, spec, &bus, e));
	make_fence(&m);
	box_limits_spec(b, a, spec);
	TRY(make_groups(&m, e));
	q.cgroups = m.has_groups ? &m.want : NULL;
	m.host.cgroups = m.has_groups ? &m.layout : NULL;
	TRY(spec_check(spec, e));
	TRY(plan_build(a, &q, &result, e));
	r = check_pids(&m, &result, e);
	if (r < 0) {
		plan_free(result.plan);
		return r;
	}
	*ret = (struct box_plan){
		.plan = result.plan,
		.notes = result.notes,
		.bounds = {b->limits.wall_us.value, b->limits.time_us.value, b->limits.output.value},
	};
	box_network_of(b, a, &ret->network, &ret->hosts);
	ret->network.bus = bus;
	return 0;
}
