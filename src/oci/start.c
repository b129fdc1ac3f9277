/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The order of a creation: the bundle is read and judged; what will be made (groups) is written to the container's state
 * as an intent; launch() makes it; the state then says who runs.  Whatever fails in between takes the intent back, and
 * `delete --force` does the same for a runtime that was killed.
 */
#include "oci/start.h"

#include "base/fd.h"
#include "base/text.h"
#include "bundle/bundle.h"
#include "bundle/config.h"
#include "cgroup/cgroup.h"
#include "oci/checkpoint.h"
#include "oci/hooks.h"
#include "oci/notify.h"
#include "oci/scope.h"
#include "oci/sd_notify.h"
#include "oci/sockets.h"
#include "oci/state.h"
#include "plan/build.h"
#include "runtime/plan_file.h"
#include "runtime/store.h"
#include "sys/pid.h"
#include "sys/resctrl.h"
#include "sys/rlimits.h"
#include "sys/selfexe.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>

/* Everything that is known before the container exists. */
struct making {
	struct oci *oci;
	struct store_run *store;
	const struct start_options *opts;
	const char *id;
	const char *config; /* absolute, when it is not the bundle's config.json; else "" */
	struct spec *spec;
	struct container container;
	struct pid_stat self;
	struct plan_host host;
	struct cgroup_layout layout;
	struct cgroup_want groups;
	bool has_groups;
	struct scope scope; /* with systemd */
	enum start_gate gate;
	const struct plan *plan;
	int ready; /* sd_notify_listen() */
	int dir; /* of the state, locked */
};

/* ---- from options to spec -------------------------------------------------------------------------------------------- */

/* The kernel walks the path once and tells where it leads, which realpath(3) asks for each of its names. */
static int bundle_path(struct arena *a, const char *given, const char **ret, struct nook_error *e)
{
	auto_close int fd = open(given ? given : ".", O_PATH | O_CLOEXEC);
	char path[PATH_MAX];
	int r = fd < 0 ? -errno : fd_real_path(fd, path, sizeof(path));

	if (r < 0)
		return err_num(e, STEP_CONFIG, given ? given : ".", r);
	*ret = arena_strdup(a, path);
	return 0;
}

/* Sockets that were passed to the runtime by socket activation go on to the container. */
static void pass_listen_fds(struct spec *s)
{
	const char *n = getenv("LISTEN_FDS");
	const char **env = NULL;
	size_t n_env = 0;
	uint32_t count = 0;

	if (!n || text_u32(n, &count) < 0 || !count || count > 1024)
		return;
	for (const char *const *p = s->process.env; p && *p; p++)
		*arena_push(s->arena, &env, &n_env) = *p;
	*arena_push(s->arena, &env, &n_env) = arena_printf(s->arena, "LISTEN_FDS=%u", count);
	if (getenv("LISTEN_FDNAMES"))
		*arena_push(s->arena, &env, &n_env) = arena_printf(s->arena, "LISTEN_FDNAMES=%s", getenv("LISTEN_FDNAMES"));
	*arena_push(s->arena, &env, &n_env) = "LISTEN_PID=1";
	(void)arena_push(s->arena, &env, &n_env);
	s->process.env = env;
	s->process.preserve_fds += count;
}

/* Without CAP_SYS_RESOURCE no limit can be raised above the caller's: said here, done by launch(). */
static void note_limits(const struct making *m)
{
	const struct spec_process *p = &m->spec->process;

	for (size_t i = 0; i < p->n_rlimits; i++) {
		const struct spec_rlimit *want = &p->rlimits[i];
		struct rlimit have = {.rlim_max = m->host.nofile_max};
		bool known = want->resource == RLIMIT_NOFILE && m->host.nofile_max;

		if ((!known && prlimit(0, (__rlimit_resource_t)want->resource, NULL, &have) < 0) || want->hard <= have.rlim_max)
			continue;
		if (prctl(PR_CAPBSET_READ, CAP_SYS_RESOURCE, 0, 0, 0) != 1 || geteuid() != 0)
			oci_warn(m->oci, "process.rlimits[%zu]: %s stays at %llu, the caller's", i, rlimit_name(want->resource),
				(unsigned long long)have.rlim_max);
	}
}

static int apply_options(struct making *m, struct nook_error *e)
{
	const struct start_options *opts = m->opts;
	struct spec *s = m->spec;

	if (!s->has_process)
		return err_why(e, STEP_CONFIG, "process", EINVAL, "missing");
	if (opts->preserve_fds.set && opts->preserve_fds.value > 1024)
		return err_why(e, STEP_OPTION, "--preserve-fds", ERANGE, "is above 1024");
	s->no_pivot = opts->no_pivot;
	s->process.new_keyring = !opts->no_new_keyring;
	s->process.keyring_name = arena_printf(s->arena, "_ses.%s", m->id);
	s->process.preserve_fds = (unsigned)opts->preserve_fds.value;
	TRY(notify_check(s, e));
	note_limits(m);
	if (s->ns[NS_USER].mode == NS_HOST)
		oci_clamp_caps(m->oci, &s->process, m->host.permitted);
	pass_listen_fds(s);
	TRY(fds_check_given(s->process.preserve_fds, e));
	sd_notify_prepare(s, m->store, m->id);
	if (!opts->console_socket)
		oci_terminal_size(&s->process);
	if (s->process.terminal && !opts->console_socket && (m->gate == START_GATED || opts->detach))
		return err_why(e, STEP_CONSOLE, "process.terminal", EINVAL,
			"needs --console-socket, because nobody stays to hold the terminal");
	return 0;
}

/* ---- the intent ------------------------------------------------------------------------------------------------------- */

static int id_taken(const char *id, struct nook_error *e)
{
	return err_why(e, STEP_CONTAINER, id, EEXIST, "a container with this id exists already");
}

static int plan_scope(struct making *m, struct nook_error *e)
{
	struct container *c = &m->container;

	/* Else its scope would be in the way first. */
	if (store_entry_exists(m->store, m->id))
		return id_taken(m->id, e);
	TRY(scope_start(m->oci, m->spec, m->id, &m->layout, &m->scope, e));
	c->unit = m->scope.unit.name;
	c->user_unit = m->scope.unit.user;
	return cgroup_want_in(m->oci->arena, &m->layout, &m->spec->resources, &m->scope.groups, &m->groups, e);
}

static int plan_groups(struct making *m, struct nook_error *e)
{
	const char *path = m->spec->cgroup_path;
	struct container *c = &m->container;

	if (m->oci->manager == MANAGER_NONE)
		return 0;
	if (!path || !*path)
		path = container_cgroup_path(m->store, m->id, m->oci->arena);
	TRY(cgroup_layout_read(m->oci->arena, AT_FDCWD, &m->layout, e));
	m->layout.all_ours = plan_host_is_root(&m->host);
	for (size_t i = 0; i < m->spec->n_mounts; i++)
		if (m->spec->mounts[i].source && m->spec->mounts[i].source[0] == '/')
			cgroup_layout_show(&m->layout, m->spec->mounts[i].source);
	if (m->oci->manager == MANAGER_SYSTEMD)
		TRY(plan_scope(m, e));
	else
		TRY(cgroup_want(m->oci->arena, &m->layout, &m->spec->resources, path, &m->groups, e));
	m->has_groups = true;
	for (const char **note = m->groups.notes; note && *note; note++)
		oci_warn(m->oci, "%s", *note);
	for (size_t i = 0; i < m->groups.n_dirs; i++)
		*arena_push(m->oci->arena, &c->cgroups, &c->n_cgroups) = m->groups.dirs[i].path;
	return 0;
}

/* What of resctrl will be this container's own, and so goes with it: what is not there yet, and what bears its id. */
static void plan_rdt(struct making *m)
{
	const struct spec_rdt *rdt = &m->spec->rdt;
	struct container *c = &m->container;
	struct arena *a = m->oci->arena;
	bool has_limits = (rdt->l3_schema && *rdt->l3_schema) || (rdt->mem_schema && *rdt->mem_schema) || (rdt->schemata && *rdt->schemata);
	const char *class = plan_rdt_class(rdt, m->id), *path;

	if (!rdt->set)
		return;
	if (!has_limits && class == m->id)
		class = ".";
	path = arena_printf(a, RESCTRL_ROOT "/%s", class);
	if (has_limits && !text_is(class, ".") && (class == m->id || access(path, F_OK) < 0))
		*arena_push(a, &c->rdt, &c->n_rdt) = path;
	if (rdt->monitoring)
		*arena_push(a, &c->rdt, &c->n_rdt) = text_is(class, ".") ? arena_printf(a, RESCTRL_ROOT "/mon_groups/%s", m->id)
		                                                          : arena_printf(a, "%s/mon_groups/%s", path, m->id);
}

static const char *joined(struct arena *a, const char *const *words)
{
	AUTO_VALUE(buf_done) struct buf text = {0};

	for (; words && *words; words++)
		buf_addf(&text, "%s%s", text.len ? " " : "", *words);
	return arena_strdup(a, buf_text(&text));
}

static int now_ns(int64_t *ret)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_REALTIME, &t);
	*ret = (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
	return 0;
}

static int write_intent(struct making *m, const char *bundle, struct nook_error *e)
{
	struct container *c = &m->container;

	c->id = m->id;
	c->bundle = bundle;
	c->source = m->config;
	c->command = joined(m->oci->arena, m->spec->process.argv);
	c->oci_version = m->spec->oci_version;
	c->rootfs = m->spec->root.path;
	c->annotations = m->spec->annotations;
	c->n_annotations = m->spec->n_annotations;
	c->creating = true;
	c->exit_status = -1;
	c->supervisor = pid_stat_self(&m->self) < 0 ? getpid() : m->self.pid;
	c->supervisor_start = m->self.start;
	(void)now_ns(&c->created_ns);
	m->dir = container_create(m->store, c, e);
	if (m->dir == -EEXIST)
		return id_taken(m->id, e);
	if (m->dir < 0)
		return m->dir;
	TRY(sd_notify_make(m->dir, e));
	if (m->spec->n_hooks[HOOK_POSTSTART] || m->spec->n_hooks[HOOK_POSTSTOP])
		return config_save_hooks(m->dir, OCI_HOOKS_FILE, m->spec, e);
	return 0;
}

/* ---- the start -------------------------------------------------------------------------------------------------------- */

/* Who runs: until this is written, only the groups tell `delete --force` whom to end. */
static int note_process(struct making *m, pid_t pid, int pidfd, struct nook_error *e)
{
	struct container *c = &m->container;
	int r = pid_start_time(AT_FDCWD, pid, &c->pid_start);
	struct stat st;

	if (r < 0)
		return err_num(e, STEP_PROC, "stat", r);
	c->pid = pid;
	if (plan_host_has_pidfs(&m->host) && fstat(pidfd, &st) == 0)
		c->pid_inode = st.st_ino;
	if (m->gate == START_AT_ONCE)
		(void)now_ns(&c->started_ns);
	return container_save(m->dir, c, e);
}

static int born(void *data, pid_t pid, int pidfd, struct nook_error *e)
{
	struct making *m = data;

	/* What waits at a gate is created when it has got there. */
	m->container.creating = m->gate == START_GATED;
	return note_process(m, pid, pidfd, e);
}

static int notify(void *data, pid_t pid, int listener, struct nook_error *e)
{
	struct making *m = data;
	struct notify n = {
		.oci = m->oci, .container = &m->container, .status = CONTAINER_CREATED, .plan = m->plan, .pidfd = -EBADF};

	return notify_send(&n, pid, listener, e);
}

static int attach(void *data, pid_t pid, const char *group, struct nook_error *e)
{
	struct making *m = data;

	return scope_attach(&m->container, pid, group, e);
}

/* Without rights over ids a caller maps its own one, for which setgroups(2) has to be denied; more takes newuidmap(1). */
static bool maps_only(const struct spec_idmap *maps, size_t n, uint32_t own)
{
	return n == 1 && maps->count == 1 && maps->outside == own;
}

static void choose_id_maps(struct plan_request *q)
{
	const struct spec *s = q->spec;
	bool own = maps_only(s->uid_maps, s->n_uid_maps, geteuid()) && maps_only(s->gid_maps, s->n_gid_maps, getegid());

	q->idmap_helper = !q->host->privileged && !own;
	q->deny_setgroups = !q->host->privileged && own;
}

/* The plan is only kept for exec: what it would make is in the image. */
static int restore(struct making *m, struct launched *ret, struct nook_error *e)
{
	const char *state = arena_printf(m->oci->arena, "%s/" STORE_CONTAINERS "/%s", m->store->path, m->id);
	struct launched l = LAUNCHED_INIT;
	struct criu_answer answer;

	TRY(image_restore(m->oci, m->opts->restore, m->spec, m->has_groups ? &m->groups : NULL, state, &answer, e));
	l.pid = answer.pid;
	l.console = answer.terminal;
	l.pidfd = pid_open_child(answer.pid, e);
	if (l.pidfd < 0) {
		launched_done(&l);
		return l.pidfd;
	}
	*ret = l;
	return 0;
}

static int launch_plan(struct making *m, struct launched *ret, struct nook_error *e)
{
	struct arena *a = m->oci->arena;
	/* A program that runs at once may be seen, and killed, before launch() returns. */
	const struct launch_hooks hooks = {
		.born = m->gate == START_AT_ONCE || !m->has_groups ? born : NULL, .notify = notify, .data = m,
		.attach = m->container.user_unit ? attach : NULL,
		.self = m->self.start ? &m->self : NULL, .alone = true};
	struct plan_result built = {0};
	struct plan_request q = {
		.spec = m->spec,
		.host = &m->host,
		.cgroups = m->has_groups ? &m->groups : NULL,
		.id = m->id,
		.hook_state = oci_hook_state(a, &m->container, CONTAINER_CREATING, STATE_PID_LATER),
		.hook_state_created = oci_hook_state(a, &m->container, CONTAINER_CREATED, STATE_PID_LATER),
	};
	int r;

	m->host.cgroups = m->has_groups ? &m->layout : NULL;
	choose_id_maps(&q);
	if (m->gate == START_GATED) {
		q.gate_dir = arena_printf(a, "%s/" STORE_CONTAINERS "/%s", m->store->path, m->id);
		q.gate_name = START_GATE;
	}
	TRY(plan_build(a, &q, &built, e));
	for (const char **note = built.notes; note && *note; note++)
		oci_warn(m->oci, "%s", *note);
	r = plan_save(m->dir, built.plan, e);
	if (r == 0 && m->gate == START_AT_ONCE) {
		m->ready = sd_notify_listen(m->dir, e);
		r = m->ready < 0 && m->ready != -ENOENT ? m->ready : 0;
	}
	m->plan = built.plan;
	if (r == 0)
		r = m->opts->restore ? restore(m, ret, e) : launch(built.plan, &hooks, ret, e);
	plan_free(built.plan);
	return r;
}

/* What the caller asked to hear about the new process. */
static int tell_caller(const struct making *m, const struct launched *l, struct nook_error *e)
{
	const char *receiver = spec_annotation(m->spec, "run.oci.pidfd_receiver");
	const char *pidfd_socket = m->opts->pidfd_socket ? m->opts->pidfd_socket : receiver;

	if (l->console >= 0 && m->opts->console_socket)
		TRY(oci_send_fd(m->opts->console_socket, l->console, "/dev/ptmx", e));
	if (pidfd_socket)
		TRY(oci_send_fd(pidfd_socket, l->pidfd, "pidfd", e));
	if (m->opts->pid_file)
		TRY(oci_write_pid(m->opts->pid_file, l->pid, e));
	return 0;
}

static int make(struct making *m, struct launched *l, struct nook_error *e)
{
	struct container *c = &m->container;
	bool stays = m->gate == START_AT_ONCE && !m->opts->detach;

	TRY(launch_plan(m, l, e));
	c->creating = false;
	/* Not before it has left the host's files: without a supervisor container_settle() waits for nothing. */
	if (!stays) {
		c->supervisor = 0;
		c->supervisor_start = 0;
	}
	if (!c->pid)
		TRY(note_process(m, l->pid, l->pidfd, e));
	else if (!stays)
		TRY(container_save(m->dir, c, e));
	return tell_caller(m, l, e);
}

/* A group that has somebody else in it ended the start before anything ran: nobody is killed in the groups, and what was
 * made beside it is empty.  (Those of a scope are systemd's, and nobody else's.) */
static void disown_groups(struct making *m)
{
	struct container *c = &m->container;

	for (size_t i = 0; i < c->n_cgroups; i++) {
		const struct cgroup one = {.dirs = &c->cgroups[i], .n = 1};

		/* In a hierarchy without a mount there is no path to it. */
		if (c->cgroups[i][0] == '/')
			(void)rmdir(c->cgroups[i]);
		else
			(void)cgroup_remove(&one, NULL);
	}
	c->n_cgroups = 0;
}

/* A start that failed by N, which E tells, leaves nothing; poststop hooks run as after any end. */
static void take_back(struct making *m, struct launched *l, int n, const struct nook_error *e)
{
	if (n == -EBUSY && e && e->step == STEP_CGROUP && !m->container.unit)
		disown_groups(m);
	if (l->pidfd >= 0) {
		(void)pid_signal(l->pidfd, SIGKILL, NULL);
		(void)pid_reap(l->pidfd, NULL);
	}
	launched_done(l);
	close_fd(&m->dir);
	(void)container_remove(m->store, &m->container, REMOVE_FORCE, NULL);
	oci_hooks_run_all(m->oci, &m->container, m->spec->hooks[HOOK_POSTSTOP], m->spec->n_hooks[HOOK_POSTSTOP],
		oci_hook_state(m->oci->arena, &m->container, CONTAINER_STOPPED, 0));
}

int oci_start_protect(struct oci *o, const struct start_options *opts, struct nook_error *e)
{
	o->safe = selfexe_is_protected();
	if (o->safe || bundle_may_have_userns(opts->bundle ? opts->bundle : ".", opts->config))
		return 0;
	return selfexe_protect(o->argv, e);
}

int oci_start(struct oci *o, struct store_run *r, const struct start_options *opts, const char *id, enum start_gate gate,
	struct started *ret, struct nook_error *e)
{
	AUTO(spec_free) struct spec *spec = spec_new();
	struct making m = {
		.oci = o, .store = r, .opts = opts, .id = id, .spec = spec, .config = "", .gate = gate, .ready = -EBADF, .dir = -EBADF};
	struct launched l = LAUNCHED_INIT;
	const char *bundle = "";
	int n;

	TRY(container_id_check(id, e));
	TRY(bundle_path(o->arena, opts->bundle, &bundle, e));
	if (opts->config)
		TRY(bundle_path(o->arena, opts->config, &m.config, e));
	TRY(bundle_load(bundle, opts->config, spec, e));
	if (!o->safe && !spec_has_own_ids(spec, geteuid()))
		TRY(selfexe_protect(o->argv, e));
	TRY(plan_host_probe(&m.host, e));
	TRY(apply_options(&m, e));
	plan_rdt(&m);
	/* In a pid namespace of its own the container has somebody who reaps. */
	if (!opts->detach && gate == START_AT_ONCE && !opts->no_subreaper && spec->ns[NS_PID].mode != NS_PRIVATE)
		(void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	n = plan_groups(&m, e);
	if (n == 0)
		n = write_intent(&m, bundle, e);
	if (n == 0)
		n = make(&m, &l, e);
	scope_release(&m.scope);
	if (n < 0)
		close_fd(&m.ready);
	if (n < 0 && m.dir < 0)
		return n;
	if (n < 0) {
		take_back(&m, &l, n, e);
		return n;
	}
	close_fd(&m.dir);
	*ret = (struct started){m.container, l, take_ptr(&spec), m.ready};
	return 0;
}

void started_done(struct started *s)
{
	launched_done(&s->process);
	close_fd(&s->ready);
	spec_free(s->spec);
}
