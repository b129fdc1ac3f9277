/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A program that shuts itself in.  It cannot have another view of files, so Landlock alone says what it may open; what a
 * rule wants beyond that is refused before anything has changed.  The plan has one stage, walked by the calling process.
 */
#include "box/box.h"

#include "base/fd.h"
#include "base/text.h"
#include "box/filter.h"
#include "launch/walk.h"
#include "security/landlock.h"
#include "security/seccomp.h"
#include "sys/rlimits.h"

#include <linux/filter.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

struct enter {
	const struct nook_box *box;
	struct arena *arena;
	struct plan_builder *out;
	struct spec *spec;
	struct plan_host host;
};

/* ---- what cannot be had ---------------------------------------------------------------------------------------------- */

static int refuse(const char *what, int rule, struct nook_error *e)
{
	int r = err_why(e, STEP_OPTION, what, EOPNOTSUPP, "only a box that is started can have it, not a program that is running already");

	if (e)
		e->rule = rule;
	return r;
}

static int check_paths(const struct nook_box *b, struct nook_error *e)
{
	for (size_t i = 0; i < b->n_paths; i++) {
		const struct box_path *p = &b->paths[i];

		if (p->kind > BOX_PATH_DEV || p->socket || !text_is(p->source, p->target))
			return refuse(p->target, p->rule, e);
	}
	return 0;
}

static int check_rules(const struct nook_box *b, struct nook_error *e)
{
	const struct box_limits *l = &b->limits;
	const struct {
		bool asked;
		const char *word;
	} words[] = {
		{b->n_files, "put"}, {b->root, "root"}, {b->net != BOX_NET_NONE && b->net != BOX_NET_HOST, "net"}, {b->n_allow, "allow"},
		{b->n_ports, "publish"}, {b->shared & ~(1U << NS_NET), "share"}, {b->uid.set, "user"}, {b->fake_root, "fake-root"},
		{b->map_auto || b->n_maps, "map"}, {b->n_env, "env"}, {b->clearenv, "clearenv"}, {b->cwd, "cwd"}, {b->hostname, "hostname"},
		{b->n_fds, "fd"}, {b->n_bus_names, "dbus"}, {b->proc != BOX_PROC_FULL, "proc"}, {l->mem.set, "limit mem"}, {l->cpu.set, "limit cpu"},
		{l->wall_us.set, "limit wall"}, {l->output.set, "limit output"}, {b->terminal, "tty"},
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (words[i].asked)
			return refuse(words[i].word, 0, e);
	return check_paths(b, e);
}

/* Landlock, capabilities and namespaces are a thread's: others would stay outside. */
static int check_threads(struct nook_error *e)
{
	struct stat st;

	if (stat("/proc/self/task", &st) < 0)
		return err_sys(e, STEP_PROC, "/proc/self/task");
	return st.st_nlink > 3 ? err_why(e, STEP_PROCESS, "threads", EBUSY, "the program has more than one thread; enter before the second starts") : 0;
}

/* ---- the steps -------------------------------------------------------------------------------------------------------- */

static struct step *add(struct enter *n, enum step_kind kind, const char *object)
{
	return plan_add_step(n->out, STAGE_FINAL, kind, plan_add_str(n->out, object));
}

static bool has_own_network(const struct nook_box *b)
{
	return b->net == BOX_NET_NONE && !(b->shared & (1U << NS_NET));
}

static void add_namespaces(struct enter *n)
{
	struct ref uids, gids;
	struct step *s;

	if (!has_own_network(n->box))
		return;
	uids = plan_add_fmt(n->out, "%u %u 1", n->host.euid, n->host.euid);
	gids = plan_add_fmt(n->out, "%u %u 1", n->host.egid, n->host.egid);
	add(n, DO_UNSHARE, "user, net, ipc")->ns.flags = CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWIPC;
	s = add(n, DO_OWN_MAP, NULL);
	s->idmap.uid_map = uids;
	s->idmap.gid_map = gids;
	(void)add(n, DO_LOOPBACK, "lo");
}

static void add_rlimit(struct enter *n, int resource, uint64_t value)
{
	struct step *s = add(n, DO_RLIMIT, rlimit_name(resource));

	s->rlimit.resource = resource;
	s->rlimit.soft = s->rlimit.hard = value;
}

static int add_limits(struct enter *n, struct nook_error *e)
{
	const struct box_limits *l = &n->box->limits;
	bool counted = has_own_network(n->box) && n->host.euid != 0;

	/* Processes are counted in the user namespace; without one they are those of the user, wherever they run. */
	if (!counted && n->box->pids_asked && !(n->box->best_effort & BOX_FEATURE_PIDS))
		return refuse("limit pids", 0, e);
	if (counted)
		add_rlimit(n, RLIMIT_NPROC, l->pids.value);
	if (l->files.set)
		add_rlimit(n, RLIMIT_NOFILE, l->files.value);
	if (l->fsize.set)
		add_rlimit(n, RLIMIT_FSIZE, l->fsize.value);
	if (l->stack.set)
		add_rlimit(n, RLIMIT_STACK, l->stack.value);
	if (l->time_us.set)
		add_rlimit(n, RLIMIT_CPU, l->time_us.value / 1000000 + 1);
	add_rlimit(n, RLIMIT_CORE, 0);
	return 0;
}

/* Programs, libraries and what they need of /etc; of the rest of it a root could read secrets. */
static const char *const readable[] = {
	"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/opt", "/nix", "/gnu", "/proc", "/etc/ld.so.cache", "/etc/ld.so.conf",
	"/etc/ld.so.conf.d", "/etc/ld.so.preload", "/etc/localtime", "/etc/timezone", "/etc/locale.alias", "/etc/locale.conf", "/etc/nsswitch.conf",
	"/etc/passwd", "/etc/group", "/etc/hosts", "/etc/host.conf", "/etc/resolv.conf", "/etc/services", "/etc/protocols", "/etc/ssl/certs",
	"/etc/ca-certificates", "/etc/pki", "/etc/alternatives", "/etc/fonts", "/etc/mime.types", "/etc/os-release",
};
static const char *const devices[] = {"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty", "/dev/pts", "/dev/shm"};

static void add_rule(struct enter *n, const char ***list, size_t *len, char right, const char *path)
{
	if (access(path, F_OK) == 0)
		*arena_push(n->arena, list, len) = arena_printf(n->arena, "%c%s", right, path);
}

static int add_fence(struct enter *n, struct nook_error *e)
{
	const struct spec_landlock l = {.n_rules = 1, .rules = &(struct spec_landlock_rule){"/", false},
		.any_reason = n->box->best_effort & BOX_FEATURE_LANDLOCK};
	struct landlock_kernel kernel = landlock_probe(NULL);
	const char **rules = NULL;
	struct refs refs;
	struct step *s;
	size_t len = 0;

	if (TRY(landlock_check(&kernel, &l, false, e)) == 1)
		return 0;
	for (size_t i = 0; !n->box->bare && i < sizeof(readable) / sizeof(readable[0]); i++)
		add_rule(n, &rules, &len, 'r', readable[i]);
	for (size_t i = 0; i < sizeof(devices) / sizeof(devices[0]); i++)
		add_rule(n, &rules, &len, 'w', devices[i]);
	for (size_t i = 0; i < n->box->n_paths; i++) {
		const struct box_path *p = &n->box->paths[i];

		if (access(p->source, F_OK) < 0 && p->if_exists)
			continue;
		if (access(p->source, F_OK) < 0) {
			int r = err_sys(e, STEP_SOURCE, p->source);

			if (e)
				e->rule = p->rule;
			return r;
		}
		add_rule(n, &rules, &len, p->kind == BOX_PATH_RO ? 'r' : 'w', p->source);
	}
	(void)arena_push(n->arena, &rules, &len);
	refs = plan_add_strs(n->out, rules);
	s = add(n, DO_LANDLOCK, NULL);
	s->landlock.rules = refs;
	s->landlock.handled_fs = kernel.fs;
	s->landlock.scoped = kernel.scopes;
	return 0;
}

static int add_filter(struct enter *n, const struct spec_seccomp *spec, struct nook_error *e)
{
	struct sock_filter *filter = NULL;
	struct refs refs;
	size_t len = 0;

	TRY(seccomp_compile(n->arena, spec, n->box->caps, &filter, &len, e));
	if (!len)
		return 0;
	refs = plan_add_array(n->out, filter, len, sizeof(*filter));
	add(n, DO_SECCOMP, NULL)->seccomp.filter = refs;
	return 0;
}

static void add_rights(struct enter *n)
{
	struct step *s = add(n, DO_CAPS, NULL);

	s->flags = CAPS_BOUNDING_ONLY;
	s->caps.sets[CAPS_BOUNDING] = n->box->caps;
	s = add(n, DO_CAPS, NULL);
	for (int i = 0; i < CAPS_SETS; i++)
		s->caps.sets[i] = n->box->caps;
	(void)add(n, DO_NO_NEW_PRIVS, NULL);
}

static int build(struct enter *n, struct nook_error *e)
{
	TRY(box_filter(n->box, n->arena, n->spec, e));
	add_namespaces(n);
	TRY(add_limits(n, e));
	(void)add(n, DO_KEYRING, NULL);
	/* To give up what is in the bounding set takes a right, which who has none need not do. */
	if (n->host.privileged || has_own_network(n->box))
		add_rights(n);
	else
		(void)add(n, DO_NO_NEW_PRIVS, NULL);
	TRY(add_fence(n, e));
	TRY(add_filter(n, &n->spec->seccomp_before, e));
	return add_filter(n, &n->spec->seccomp, e);
}

int box_enter(const struct nook_box *b, struct nook_error *e)
{
	AUTO(arena_free) struct arena *a = arena_new();
	AUTO(plan_builder_free) struct plan_builder *out = plan_builder_new();
	AUTO(spec_free) struct spec *spec = spec_new();
	AUTO(plan_free) struct plan *plan = NULL;
	struct enter n = {.box = b, .arena = a, .out = out, .spec = spec};
	struct walk w;
	int r;

	TRY(check_rules(b, e));
	TRY(check_threads(e));
	TRY(plan_host_probe(&n.host, e));
	TRY(build(&n, e));
	plan = plan_builder_seal(out);
	walk_init(&w, plan);
	r = walk_stage(&w, STAGE_FINAL, e);
	/* The first step has changed nothing when it failed; from the second on the program is neither in nor out. */
	return r < 0 && w.at > 0 ? NOOK_MUST_EXIT : r;
}
