/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One more process in a running container: its namespaces and groups are joined, its bundle says what else holds. */
#include "base/fd.h"
#include "base/text.h"
#include "bundle/bundle.h"
#include "launch/launch.h"
#include "oci/commands.h"
#include "oci/notify.h"
#include "oci/scope.h"
#include "oci/sockets.h"
#include "plan/build.h"
#include "runtime/plan_file.h"
#include "runtime/supervise.h"
#include "security/caps.h"
#include "sys/pid.h"
#include "sys/selfexe.h"

#include <sched.h>

struct options {
	const char *console_socket, *pidfd_socket, *pid_file, *process, *cwd, *user, *label, *apparmor;
	struct opt_list env, groups, caps, cgroups;
	struct opt_u64 preserve_fds;
	bool tty, detach, no_new_privs, ignore_paused, no_subreaper;
};

#define OF(member) offsetof(struct options, member)

static const struct opt table[] = {
	{0, "console-socket", "SOCKET", OPT_STRING, OF(console_socket), "send the terminal's descriptor there"},
	{0, "pidfd-socket", "SOCKET", OPT_STRING, OF(pidfd_socket), "send a pidfd of the process there"},
	{0, "pid-file", "FILE", OPT_STRING, OF(pid_file), "write the pid of the process there"},
	{'p', "process", "FILE", OPT_STRING, OF(process), "the process as JSON, as in config.json"},
	{0, "cwd", "DIR", OPT_STRING, OF(cwd), "working directory"},
	{'e', "env", "NAME=VALUE", OPT_STRINGS, OF(env), "add to the environment"},
	{'t', "tty", NULL, OPT_FLAG, OF(tty), "with a terminal"},
	{'u', "user", "UID[:GID]", OPT_STRING, OF(user), "run as this user"},
	{'g', "additional-gids", "GID", OPT_STRINGS, OF(groups), "further groups"},
	{'c', "cap", "CAP", OPT_STRINGS, OF(caps), "add a capability to all sets"},
	{'d', "detach", NULL, OPT_FLAG, OF(detach), "return as soon as the program runs"},
	{0, "process-label", "LABEL", OPT_STRING, OF(label), "SELinux label"},
	{0, "apparmor", "PROFILE", OPT_STRING, OF(apparmor), "AppArmor profile"},
	{0, "no-new-privs", NULL, OPT_FLAG, OF(no_new_privs), "forbid gaining rights"},
	{0, "preserve-fds", "N", OPT_U64, OF(preserve_fds), "pass N more descriptors, from 3 on"},
	{0, "cgroup", "[CONTROLLERS:]PATH", OPT_STRINGS, OF(cgroups), "run in this group below the container's"},
	{0, "ignore-paused", NULL, OPT_FLAG, OF(ignore_paused), "start it although the container is paused"},
	{0, "no-subreaper", NULL, OPT_FLAG, OF(no_subreaper), "accepted for compatibility"},
	{0},
};

/* ---- the process ------------------------------------------------------------------------------------------------------ */

static const char *const *appended(struct arena *a, const char *const *list, const struct opt_list *more)
{
	const char **all = NULL;
	size_t n = 0;

	for (; list && *list; list++)
		*arena_push(a, &all, &n) = *list;
	for (size_t i = 0; i < more->n; i++)
		*arena_push(a, &all, &n) = more->items[i];
	(void)arena_push(a, &all, &n);
	return all;
}

/* "1000", "1000:100": numbers are numbers, whole and in range; a name is looked up in the container. */
static int apply_user(struct spec_process *p, const char *user, struct arena *a)
{
	const char *colon = strchr(user, ':');
	const char *uid = colon ? arena_strndup(a, user, (size_t)(colon - user)) : user;
	uint32_t u, g = p->user.gid;

	if (text_u32(uid, &u) < 0 || u == UINT32_MAX || (colon && (text_u32(colon + 1, &g) < 0 || g == UINT32_MAX))) {
		p->user.name = user;
		return 0;
	}
	p->user.name = NULL;
	p->user.uid = u;
	p->user.gid = g;
	return 0;
}

static int apply_options(const struct options *opts, struct spec_process *p, struct arena *a, struct nook_error *e)
{
	if (opts->cwd)
		p->cwd = opts->cwd;
	if (opts->env.n)
		p->env = appended(a, p->env, &opts->env);
	if (opts->user)
		TRY(apply_user(p, opts->user, a));
	for (size_t i = 0; i < opts->groups.n; i++) {
		uint32_t gid;

		if (text_u32(opts->groups.items[i], &gid) < 0 || gid == UINT32_MAX)
			return err_fmt(e, STEP_OPTION, "--additional-gids", EINVAL, "\"%.40s\" is no group id", opts->groups.items[i]);
		*arena_push(a, &p->user.groups, &p->user.n_groups) = gid;
	}
	for (size_t i = 0; i < opts->caps.n; i++) {
		uint64_t mask;

		if (caps_parse(opts->caps.items[i], &mask) < 0)
			return err_fmt(e, STEP_OPTION, "--cap", EINVAL, "unknown capability \"%.40s\"", opts->caps.items[i]);
		p->has_caps = true;
		for (int set = 0; set < CAPS_SETS; set++)
			p->caps[set] |= mask;
	}
	if (opts->label)
		p->selinux = opts->label;
	if (opts->apparmor)
		p->apparmor = opts->apparmor;
	p->no_new_privs |= opts->no_new_privs;
	return 0;
}

/* The groups array came from the reader with the exact size; arena_push() wants one that it made itself. */
static void own_groups(struct arena *a, struct spec_user *user)
{
	uint32_t *old = user->groups, *groups = NULL;
	size_t n = 0;

	for (size_t i = 0; i < user->n_groups; i++)
		*arena_push(a, &groups, &n) = old[i];
	user->groups = groups;
}

static int make_process(const struct options *opts, int argc, char **argv, struct spec *s, struct nook_error *e)
{
	const char **words;

	s->process.terminal = false;
	if (opts->process) {
		TRY(bundle_load_process(AT_FDCWD, opts->process, s, e));
	} else if (argc > 0) {
		words = arena_new_n(s->arena, const char *, (size_t)argc + 1);
		for (int i = 0; i < argc; i++)
			words[i] = argv[i];
		s->process.argv = words;
		s->has_process = true;
	} else {
		return err_why(e, STEP_OPTION, "exec", EINVAL, "needs a command or --process");
	}
	own_groups(s->arena, &s->process.user);
	TRY(apply_options(opts, &s->process, s->arena, e));
	s->process.terminal |= opts->tty;
	if (!opts->console_socket)
		oci_terminal_size(&s->process);
	s->process.new_keyring = false;
	s->process.preserve_fds = (unsigned)opts->preserve_fds.value;
	if (opts->preserve_fds.value > 1024)
		return err_why(e, STEP_OPTION, "--preserve-fds", ERANGE, "is above 1024");
	TRY(fds_check_given(s->process.preserve_fds, e));
	if (s->process.terminal && opts->detach && !opts->console_socket)
		return err_why(e, STEP_CONSOLE, "terminal", EINVAL, "needs --console-socket, because nobody stays to hold the terminal");
	return spec_check_process(&s->process, e);
}

/* ---- where it goes ----------------------------------------------------------------------------------------------------- */

/* Have two comma lists a word in common?  Each ends at the first of END. */
static bool share_word(const char *a, const char *b, const char *end)
{
	for (const char *x = a;; x++) {
		size_t n = strcspn(x, ",:/");

		for (const char *y = b; n;) {
			size_t len = strcspn(y, ",:/");

			if (len == n && memcmp(x, y, n) == 0)
				return true;
			y += len;
			if (*y++ != ',')
				break;
		}
		x += n;
		if (!*x || strchr(end, *x))
			return false;
	}
}

/* The container's directory DIR, or the group below it that a --cgroup option names for its hierarchy. */
static int below(struct arena *a, const char *dir, const struct opt_list *options, const char **ret, struct nook_error *e)
{
	const char *hierarchy = text_after(dir, "/sys/fs/cgroup/");

	*ret = dir;
	for (size_t i = 0; i < options->n; i++) {
		const char *colon = strchr(options->items[i], ':');
		const char *path = colon ? colon + 1 : options->items[i];

		if (colon && !(hierarchy && share_word(options->items[i], hierarchy, ":/")))
			continue;
		if (strstr(path, ".."))
			return err_fmt(e, STEP_OPTION, "--cgroup", EINVAL, "\"%.100s\" leads out of the container's group", path);
		path += strspn(path, "/");
		*ret = *path ? arena_printf(a, "%s/%s", dir, path) : dir;
	}
	return 0;
}

/* On v2 a group that hands controllers down takes no processes: init has moved to a group below, follow it there. */
static const char *where_init_is(struct arena *a, const char *dir, pid_t pid)
{
	AUTO_VALUE(buf_done) struct buf down = {0}, groups = {0};
	const char *own, *rest;
	size_t len = strlen(dir);

	if (file_read_piece(AT_FDCWD, arena_printf(a, "%s/cgroup.subtree_control", dir), 4096, &down, NULL) < 0 || down.len <= 1)
		return dir;
	if (file_read(AT_FDCWD, arena_printf(a, "/proc/%d/cgroup", (int)pid), 65536, &groups, NULL) < 0)
		return dir;
	own = strstr(buf_text(&groups), "0::/");
	if (!own)
		return dir;
	own = arena_strndup(a, own + 3, strcspn(own + 3, "\n"));
	for (rest = own + strlen(own); rest > own; rest--) {
		size_t n = (size_t)(rest - own);

		if ((*rest == '/' || !*rest) && n <= len && memcmp(dir + len - n, own, n) == 0)
			return arena_printf(a, "%s%s", dir, rest);
	}
	return dir;
}

/* The v2 group that the container was born in, or "". */
static const char *v2_group(const struct plan *p)
{
	for (uint32_t i = 0; i < p->n_steps; i++)
		if (p->steps[i].kind == DO_CGROUP_DIR && p->steps[i].slot != SLOT_NONE && p->steps[i].slot == p->cgroup_slot)
			return plan_str(p, p->steps[i].cgroup.dir);
	return "";
}

enum v2_place { IN_THE_GROUP, WHERE_INIT_IS };

static int find_groups(struct arena *a, const struct container *c, const struct plan *of, const struct opt_list *options,
	enum v2_place place, const char *const **ret, struct nook_error *e)
{
	const char *v2 = place == WHERE_INIT_IS ? v2_group(of) : "";
	const char **dirs = NULL;
	size_t n = 0;

	for (size_t i = 0; i < c->n_cgroups; i++) {
		const char *dir;

		TRY(below(a, c->cgroups[i], options, &dir, e));
		if (dir == c->cgroups[i] && text_is(dir, v2))
			dir = where_init_is(a, dir, c->pid);
		*arena_push(a, &dirs, &n) = dir;
	}
	(void)arena_push(a, &dirs, &n);
	*ret = dirs;
	return 0;
}

/* A pidfd of the container's first process. */
static int open_running(const struct container *c, const struct options *opts, struct nook_error *e)
{
	auto_close int pidfd = c->creating ? -ESRCH : container_pidfd(c, NULL);

	if (pidfd < 0)
		return err_why(e, STEP_CONTAINER, c->id, ESRCH, "cannot exec in a container that is not running");
	if (!opts->ignore_paused && container_status_noted(c) == CONTAINER_PAUSED)
		return err_why(e, STEP_CONTAINER, c->id, EINVAL,
			"cannot exec in a paused container (use --ignore-paused to override)");
	return take_fd(&pidfd);
}

static bool plan_has_userns(const struct plan *p)
{
	if (p->clone_flags & CLONE_NEWUSER)
		return true;
	for (uint32_t i = 0; i < p->n_steps; i++)
		if (p->steps[i].kind == DO_JOIN_NS && (p->steps[i].ns.flags & CLONE_NEWUSER))
			return true;
	return false;
}

/* ---- the start ----------------------------------------------------------------------------------------------------------- */

/* What notify_send() gets as its data tells the container, too. */
static int attach(void *data, pid_t pid, const char *group, struct nook_error *e)
{
	const struct notify *agent = data;

	return scope_attach(agent->container, pid, group, e);
}

static int start_at(struct oci *o, const struct options *opts, const struct container *c, struct plan_join *join, int *pidfd,
	enum v2_place place, struct launched *ret, struct nook_error *e)
{
	struct notify agent = {.oci = o, .container = c, .status = CONTAINER_RUNNING, .pidfd = -EBADF};
	const struct launch_hooks hooks = {.notify = notify_send, .data = &agent, .alone = true, .joined = take_fd(pidfd),
		.attach = c->user_unit ? attach : NULL};
	AUTO(plan_free) struct plan *plan = NULL;

	TRY(find_groups(o->arena, c, join->of, &opts->cgroups, place, &join->cgroups, e));
	TRY(plan_build_join(o->arena, join, &plan, e));
	agent.plan = plan;
	return launch(plan, &hooks, ret, e);
}

static int start(struct oci *o, struct store_run *r, const struct options *opts, const struct container *c, int *pidfd,
	struct spec_process *p, struct launched *ret, struct nook_error *e)
{
	struct plan_join join = {.pid = c->pid, .pid_start = c->pid_start, .process = p, .whole = true};
	int n;

	TRY(plan_load(r, c->id, o->arena, &join.of, e));
	if (!plan_has_userns(join.of))
		oci_clamp_caps(o, p, oci_permitted());
	n = start_at(o, opts, c, &join, pidfd, IN_THE_GROUP, ret, e);
	/* A group of v2 that hands controllers down takes no processes. */
	return n == -EBUSY && e->step == STEP_CLONE ? start_at(o, opts, c, &join, pidfd, WHERE_INIT_IS, ret, e) : n;
}

/* Whoever has a range of ids of its own cannot write our file; so it is with who made it.  Asked first of all, because it
 * may begin all anew. */
static int protect(struct oci *o, const char *id, struct nook_error *e)
{
	return selfexe_is_protected() || plan_file_has_own_ids(o->root, id) ? 0 : selfexe_protect(o->argv, e);
}

static int tell_caller(const struct options *opts, const struct launched *l, struct nook_error *e)
{
	if (l->console >= 0 && opts->console_socket)
		TRY(oci_send_fd(opts->console_socket, l->console, "/dev/ptmx", e));
	if (opts->pidfd_socket)
		TRY(oci_send_fd(opts->pidfd_socket, l->pidfd, "pidfd", e));
	if (opts->pid_file)
		TRY(oci_write_pid(opts->pid_file, l->pid, e));
	return 0;
}

static int attend(const struct options *opts, struct launched *l, struct nook_error *e)
{
	int r = tell_caller(opts, l, e);

	if (r < 0) {
		(void)pid_signal(l->pidfd, SIGKILL, NULL);
		(void)pid_reap(l->pidfd, NULL);
		return r;
	}
	if (opts->detach)
		return 0;
	if (opts->console_socket)
		close_fd(&l->console);
	return supervise(l, e);
}

static int run(struct oci *o, void *options, int argc, char **argv, struct nook_error *e)
{
	const struct options *opts = options;
	struct store_run *r = NULL; /* open until the program ends */
	AUTO(spec_free) struct spec *s = spec_new();
	struct launched l = LAUNCHED_INIT; /* so is what it holds */
	struct container c;
	sigset_t before;

	TRY(protect(o, argv[0], e));
	TRY(oci_store(o, &r, e));
	TRY(oci_load(o, r, argv[0], &c, e));
	container_note_boot(r, &c);
	auto_close int pidfd = TRY(open_running(&c, opts, e));

	TRY(container_settle(r, &c, e));
	if (!opts->process)
		TRY(bundle_load_own_process(c.bundle, *c.source ? c.source : NULL, s, e));
	TRY(make_process(opts, argc - 1, argv + 1, s, e));
	if (opts->detach)
		supervise_hold_pipe();
	else
		supervise_begin(&before);
	TRY(start(o, r, opts, &c, &pidfd, &s->process, &l, e));
	return attend(opts, &l, e);
}

const struct oci_command cmd_exec = {
	.name = "exec",
	.usage = "[OPTIONS] ID [COMMAND [ARGUMENT...]]",
	.summary = "run one more program in a container",
	.options = table,
	.options_size = sizeof(struct options),
	.mode = OPT_STOP,
	.min_args = 1,
	.max_args = -1,
	.starts = true,
	.run = run,
};
