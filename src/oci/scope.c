/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "oci/scope.h"

#include "base/fd.h"
#include "base/text.h"
#include "plan/build.h"

#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static pid_t hold(void)
{
	pid_t parent = getpid(), pid = fork();

	if (pid)
		return pid < 0 ? -errno : pid;
	(void)syscall(SYS_close_range, 0U, ~0U, 0U);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	/* The parent may have ended before that. */
	while (getppid() == parent)
		(void)pause();
	_exit(0);
}

void scope_release(struct scope *s)
{
	if (s->holder <= 0)
		return;
	(void)kill(s->holder, SIGKILL);
	while (waitpid(s->holder, NULL, 0) < 0 && errno == EINTR)
		;
	s->holder = 0;
}

static int put_annotations(const struct spec *s, struct buf *properties, struct nook_error *e)
{
	for (size_t i = 0; i < s->n_annotations; i++) {
		const char *name = text_after(s->annotations[i].key, "org.systemd.property.");

		if (name)
			TRY(systemd_put_property(properties, name, s->annotations[i].value, e));
	}
	return 0;
}

/* A group below the scope, to which the holder moves: on v2 the one above must be empty to pass controllers on. */
static int make_subgroup(struct arena *a, const char *name, struct scope *s, struct nook_error *e)
{
	char pid[16];

	(void)snprintf(pid, sizeof(pid), "%d", (int)s->holder);
	for (size_t i = 0; i < s->groups.n; i++) {
		const char *path = arena_printf(a, "%s/%s", s->groups.dirs[i], name);

		if (mkdir(path, 0755) < 0 && errno != EEXIST)
			return err_sys(e, STEP_CGROUP, path);
		TRY(file_write(AT_FDCWD, arena_printf(a, "%s/cgroup.procs", path), pid, STEP_CGROUP, e));
		s->groups.dirs[i] = path;
	}
	return 0;
}

static int start(struct oci *o, const struct spec *s, const char *id, const struct cgroup_layout *l, struct scope *scope,
	struct nook_error *e)
{
	AUTO_VALUE(dbus_close) struct dbus bus = DBUS_INIT;
	AUTO_VALUE(buf_done) struct buf properties = {0};
	const char *subgroup = spec_annotation(s, "run.oci.systemd.subgroup");

	if (subgroup && (strchr(subgroup, '/') || text_is(subgroup, ".") || text_is(subgroup, "..")))
		return err_why(e, STEP_CONFIG, "annotations", EINVAL, "run.oci.systemd.subgroup is one name");
	TRY(systemd_put_resources(&properties, &s->resources, e));
	TRY(put_annotations(s, &properties, e));
	scope->holder = hold();
	if (scope->holder < 0)
		return err_num(e, STEP_CLONE, "holder", scope->holder);
	TRY(dbus_open(&bus, scope->unit.user ? DBUS_USER : DBUS_SYSTEM, e));
	TRY(systemd_start(&bus, &scope->unit, scope->holder, arena_printf(o->arena, "nook container %s", id), &properties, e));
	TRY(cgroup_of_process(o->arena, l, scope->holder, arena_printf(o->arena, "/%s", scope->unit.name), &scope->groups, e));
	return subgroup && *subgroup ? make_subgroup(o->arena, subgroup, scope, e) : 0;
}

int scope_start(struct oci *o, const struct spec *s, const char *id, const struct cgroup_layout *l, struct scope *ret,
	struct nook_error *e)
{
	struct scope scope = {.holder = 0};
	struct plan_host host;
	int r;

	TRY(plan_host_probe(&host, e));
	TRY(systemd_unit_parse(o->arena, s->cgroup_path ? s->cgroup_path : "", id, !plan_host_is_root(&host), &scope.unit, e));
	r = start(o, s, id, l, &scope, e);
	if (r < 0)
		scope_release(&scope);
	else
		*ret = scope;
	return r;
}

int scope_attach(const struct container *c, pid_t pid, const char *group, struct nook_error *e)
{
	AUTO_VALUE(dbus_close) struct dbus bus = DBUS_INIT;
	const char *below = strstr(group, c->unit);

	TRY(dbus_open(&bus, c->user_unit ? DBUS_USER : DBUS_SYSTEM, e));
	return systemd_attach(&bus, c->unit, below ? below + strlen(c->unit) : "", pid, e);
}

int scope_update(const struct container *c, const struct spec_resources *r, struct nook_error *e)
{
	AUTO_VALUE(dbus_close) struct dbus bus = DBUS_INIT;

	if (!c->unit || !c->unit[0])
		return 0;
	TRY(dbus_open(&bus, c->user_unit ? DBUS_USER : DBUS_SYSTEM, e));
	return systemd_set(&bus, c->unit, r, e);
}
