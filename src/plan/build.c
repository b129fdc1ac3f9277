/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "plan/build.h"

#include "base/text.h"
#include "plan/compile.h"

#include <sys/mount.h>

/* ---- namespaces ---------------------------------------------------------------------------------------------------- */

/* Entering the user namespace last keeps the caller's rights for entering the others; a caller without rights has them
 * only in the user namespace, so it goes there first. */
static void join_order(const struct plan_host *h, enum ns_kind *order)
{
	size_t n = 0;

	if (!h->privileged)
		order[n++] = NS_USER;
	for (int kind = 0; kind < NS_COUNT; kind++)
		if (kind != NS_USER && kind != NS_MNT)
			order[n++] = (enum ns_kind)kind;
	order[n++] = NS_MNT;
	if (h->privileged)
		order[n++] = NS_USER;
}

static void build_join(struct build *b, enum stage stage, const char *path, uint64_t flags)
{
	int slot = plan_add_slot(b->out);
	struct step *s;

	build_step(b, STAGE_PREPARE, DO_OPEN_NS, path)->slot = (int16_t)slot;
	s = build_step(b, stage, DO_JOIN_NS, path);
	s->slot = (int16_t)slot;
	s->ns.flags = flags;
}

static void build_joins(struct build *b)
{
	enum ns_kind order[NS_COUNT];

	join_order(b->host, order);
	for (int i = 0; i < NS_COUNT; i++) {
		const struct spec_ns *ns = &b->spec->ns[order[i]];

		if (ns->mode == NS_PATH)
			build_join(b, STAGE_JOIN, ns->path, ns_flags[order[i]]);
	}
	if (b->spec->parent_pidns)
		build_join(b, STAGE_JOIN, b->spec->parent_pidns, ns_flags[NS_PID]);
}

static void build_namespaces(struct build *b)
{
	const struct spec *spec = b->spec;
	struct plan *header = plan_builder_header(b->out);
	struct step *s;

	for (int kind = 0; kind < NS_COUNT; kind++)
		if (spec->ns[kind].mode == NS_PRIVATE && kind != NS_CGROUP && kind != NS_TIME)
			header->clone_flags |= ns_flags[kind];
	build_joins(b);
	if (b->new_userns && !b->request->maps_elsewhere) {
		s = build_step(b, STAGE_ADOPT, DO_IDMAP, NULL);
		s->idmap.uid_map = build_map_text(b, spec->uid_maps, spec->n_uid_maps);
		s->idmap.gid_map = build_map_text(b, spec->gid_maps, spec->n_gid_maps);
		s->idmap.deny_setgroups = b->request->deny_setgroups;
		s->idmap.helper = b->request->idmap_helper;
	} else if (!b->new_userns && spec->ns[NS_MNT].mode == NS_PRIVATE) {
		/* A new user namespace makes all mounts slaves by itself. */
		build_step(b, STAGE_EARLY, DO_PROPAGATION, "/")->mount.propagation =
			spec->root.propagation & (MS_SHARED | MS_SLAVE) ? MS_REC | MS_SLAVE : MS_REC | MS_PRIVATE;
	}
	if (spec->ns[NS_UTS].mode == NS_PRIVATE && spec->hostname) {
		s = build_step(b, STAGE_EARLY, DO_HOSTNAME, spec->hostname);
		s->pair.key = s->object;
	}
	if (spec->ns[NS_UTS].mode == NS_PRIVATE && spec->domainname) {
		s = build_step(b, STAGE_EARLY, DO_DOMAINNAME, spec->domainname);
		s->pair.key = s->object;
	}
	if (spec->ns[NS_NET].mode == NS_PRIVATE && spec->net_loopback_up)
		build_step(b, STAGE_EARLY, DO_LOOPBACK, "lo");
	if (spec->ns[NS_NET].mode == NS_PRIVATE && spec->net_listen)
		build_step(b, STAGE_BUILD, DO_LISTEN, arena_printf(b->arena, "127.0.0.1:%u", spec->net_listen))->value.number =
			spec->net_listen;
	for (size_t i = 0; i < spec->n_net_devices; i++) {
		const struct spec_net_device *d = &spec->net_devices[i];
		struct ref name = plan_add_str(b->out, d->name && *d->name ? d->name : d->host_name);

		s = build_step(b, STAGE_ADOPT, DO_NET_DEVICE, d->host_name);
		s->pair.key = s->object;
		s->pair.value = name;
	}
	if (spec->ns[NS_TIME].mode == NS_PRIVATE) {
		s = build_step(b, STAGE_EARLY, DO_TIME, NULL);
		s->time.set[0] = spec->time_monotonic.set;
		s->time.secs[0] = spec->time_monotonic.secs;
		s->time.nsecs[0] = spec->time_monotonic.nanosecs;
		s->time.set[1] = spec->time_boottime.set;
		s->time.secs[1] = spec->time_boottime.secs;
		s->time.nsecs[1] = spec->time_boottime.nanosecs;
	}
	if (spec->process.new_keyring) {
		s = build_step(b, STAGE_EARLY, DO_KEYRING, spec->process.keyring_name);
		s->pair.key = s->object;
		s->pair.value = plan_add_str(b->out, spec->process.selinux);
	}
	/* Where 0 has no id behind it (a box of one id), the creator of the namespace has root's rights in it anyway. */
	if (b->userns && build_host_id(spec->uid_maps, spec->n_uid_maps, 0) != UINT32_MAX &&
		(!b->request->maps_elsewhere || !spec->process.user.uid))
		build_step(b, STAGE_BUILD, DO_BECOME_ROOT, NULL);
}

static void build_gate(struct build *b)
{
	struct plan *header = plan_builder_header(b->out);
	struct step *s;

	if (!b->request->gate_dir)
		return;
	header->gate = GATE_SOCKET;
	header->gate_slot = plan_add_slot(b->out);
	s = build_step(b, STAGE_PREPARE, DO_GATE, b->request->gate_name);
	s->slot = (int16_t)header->gate_slot;
	s->flags = b->host->privileged ? GATE_HIDDEN : 0;
	s->pair.key = plan_add_str(b->out, b->request->gate_dir);
	s->pair.value = s->object;
}

/* Through the container's own /proc, before parts of it become read-only. */
static void build_sysctls(struct build *b)
{
	const struct spec *spec = b->spec;

	for (size_t i = 0; i < spec->n_sysctls; i++) {
		char *path = arena_printf(b->arena, "sys/%s", spec->sysctls[i].key);

		/* "net.ipv4.ip_forward" or with slashes; a name with a slash in it keeps its dots (net/ipv4/conf/eth0.1/...). */
		for (char *c = strchr(path + 4, '/') ? path + strlen(path) : path + 4; *c; c++)
			if (*c == '.')
				*c = '/';
		struct step *s = build_step(b, STAGE_BUILD, DO_SYSCTL, path);
		s->pair.key = s->object;
		s->pair.value = plan_add_str(b->out, spec->sysctls[i].value);
	}
}

static void build_enter(struct build *b)
{
	const struct spec *spec = b->spec;
	struct step *s;

	if (spec->ns[NS_MNT].mode != NS_PRIVATE)
		return;
	build_hooks_inside(b, STAGE_ENTER, HOOK_CREATE_CONTAINER, b->request->hook_state);
	s = build_step(b, STAGE_ENTER, DO_PIVOT, "/");
	if (spec->no_pivot)
		s->flags |= PIVOT_NONE;
	if (spec->root.propagation)
		build_step(b, STAGE_ENTER, DO_ROOT_PROPAGATION, "/")->mount.propagation = (uint32_t)spec->root.propagation;
	if (spec->root.readonly)
		build_step(b, STAGE_ENTER, DO_ROOT_READONLY, "/");
}

static int build_all(struct build *b, struct nook_error *e)
{
	struct plan *header = plan_builder_header(b->out);

	b->hook_out = build_hook_log(b, b->spec->hooks_stdout);
	b->hook_err = build_hook_log(b, b->spec->hooks_stderr);
	TRY(build_cgroup(b, e));
	build_namespaces(b);
	TRY(build_limits(b, e));
	build_rdt(b);
	if (b->spec->ns[NS_MNT].mode == NS_PRIVATE) {
		TRY(build_root(b, e));
		TRY(build_mounts(b, e));
		TRY(build_devices(b, e));
		build_sysctls(b);
		build_masks(b);
	}
	build_hooks(b, STAGE_HOOKS, HOOK_PRESTART);
	build_hooks(b, STAGE_HOOKS, HOOK_CREATE_RUNTIME);
	if (b->spec->start_fd.set)
		build_step(b, STAGE_HOOKS, DO_WAIT, "start")->value.number = (int64_t)b->spec->start_fd.value;
	for (const char *const *lock = b->spec->locks; lock && *lock; lock++)
		build_step(b, STAGE_BUILD, DO_LOCK, *lock);
	build_enter(b);
	if (b->spec->last_userns)
		build_join(b, STAGE_FINAL, b->spec->last_userns, ns_flags[NS_USER]);
	build_gate(b);
	header->own_ids = spec_has_own_ids(b->spec, b->host->euid);
	header->init = b->spec->process.init;
	header->terminal = b->spec->process.terminal;
	return build_final(b, e);
}

int plan_build(struct arena *a, const struct plan_request *q, struct plan_result *ret, struct nook_error *e)
{
	AUTO(plan_builder_free) struct plan_builder *out = plan_builder_new();
	const struct spec_ns *user = &q->spec->ns[NS_USER];
	struct plan_result result = {0};
	struct build b = {
		.arena = a,
		.out = out,
		.spec = q->spec,
		.host = q->host,
		.request = q,
		.result = &result,
		.userns = user->mode != NS_HOST,
		.new_userns = user->mode == NS_PRIVATE,
		.without_root = spec_has_own_ids(q->spec, 0),
		/* Who has no rights over its mounts gets them in the child's namespaces only. */
		.open = q->host->privileged ? STAGE_PREPARE : STAGE_EARLY,
		.identity = q->gate_dir && !q->spec->process.init ? STAGE_ENTER : STAGE_FINAL,
	};

	TRY(build_all(&b, e));
	(void)arena_push(a, &result.notes, &result.n_notes);
	result.n_notes--; /* the NULL at the end does not count */
	result.plan = plan_builder_seal(out);
	*ret = result;
	return 0;
}

int plan_build_mounts(struct arena *a, const struct spec *spec, struct plan **ret, struct nook_error *e)
{
	AUTO(plan_builder_free) struct plan_builder *out = plan_builder_new();
	const struct plan_request request = {.spec = spec};
	struct plan_result result = {0};
	struct plan_host host = {0};
	struct build b = {.arena = a, .out = out, .spec = spec, .host = &host, .request = &request, .result = &result, .open = STAGE_PREPARE};

	TRY(plan_host_probe(&host, e));
	TRY(build_mounts(&b, e));
	*ret = plan_builder_seal(out);
	return 0;
}
