/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* nook run: namespaces and the maps of ids. */
#include "cli/run_options.h"

#include "base/text.h"
#include "runtime/container.h"

#include <stdio.h>

/* The namespace file of a container's first process. */
static int ns_of_container(struct cli *c, const char *id, enum ns_kind kind, const char **ret, struct nook_error *e)
{
	AUTO(runtime_close) struct store_run *store = NULL;
	struct container other;

	TRY(runtime_open(c->run, c->arena, &store, e));
	TRY(container_load(store, id, c->arena, &other, e));
	/* Some of its namespaces are made when its process is there already. */
	TRY(container_settle(store, &other, e));
	/* The pidfd proves that the number still means the container's process. */
	auto_close int pidfd = TRY(container_pidfd(&other, e));

	*ret = arena_printf(c->arena, "/proc/%d/ns/%s", (int)other.pid, ns_names[kind]);
	return 0;
}

static int ns_mode(struct cli *c, const char *option, const char *text, enum ns_kind kind, struct spec_ns *ns, struct nook_error *e)
{
	const char *rest;

	if (!text)
		return 0;
	if (text_is(text, "private") || (kind == NS_NET && text_is(text, "none"))) {
		*ns = (struct spec_ns){.mode = NS_PRIVATE};
	} else if (text_is(text, "host")) {
		*ns = (struct spec_ns){.mode = NS_HOST};
	} else if ((rest = text_after(text, "path:")) || (rest = text_after(text, "ns:"))) {
		*ns = (struct spec_ns){.mode = NS_PATH, .path = rest};
	} else if ((rest = text_after(text, "container:"))) {
		ns->mode = NS_PATH;
		TRY(ns_of_container(c, rest, kind, &ns->path, e));
	} else {
		return err_fmt(e, STEP_OPTION, option, EINVAL, "\"%s\" is not %sprivate, host, path:FILE or container:ID", text,
			kind == NS_NET ? "none, " : kind == NS_USER ? "auto, " : "");
	}
	return 0;
}

static int parse_map(const char *text, struct spec_idmap *ret)
{
	char tail;

	return sscanf(text, "%u:%u:%u%c", &ret->inside, &ret->outside, &ret->count, &tail) == 3 && ret->count &&
		!strpbrk(text, "+- ") ? 0 : -EINVAL;
}

static int parse_maps(struct cli *c, const char *option, const struct opt_list *list, struct spec_idmap **maps, size_t *n,
	struct nook_error *e)
{
	for (size_t i = 0; i < list->n; i++)
		if (parse_map(list->items[i], arena_push(c->arena, maps, n)) < 0)
			return err_fmt(e, STEP_OPTION, option, EINVAL, "\"%s\" is not INSIDE:OUTSIDE:COUNT", list->items[i]);
	return 0;
}

static int time_offset(struct spec *s, const char *text, struct nook_error *e)
{
	static const char *const clocks[] = {"boottime=", "boot=", "monotonic="};
	int64_t ns = 0;

	for (size_t i = 0; i < 3; i++) {
		const char *value = text_after(text, clocks[i]);
		struct spec_time_offset *o = i == 2 ? &s->time_monotonic : &s->time_boottime;

		if (!value)
			continue;
		if (text_duration(value, &ns) < 0)
			break;
		o->set = true;
		o->secs = ns / 1000000000;
		ns %= 1000000000;
		/* The kernel wants nanoseconds that count upwards. */
		if (ns < 0) {
			o->secs--;
			ns += 1000000000;
		}
		o->nanosecs = (uint32_t)ns;
		s->ns[NS_TIME] = (struct spec_ns){.mode = NS_PRIVATE};
		return 0;
	}
	return err_fmt(e, STEP_OPTION, "--time-offset", EINVAL, "\"%s\" is not boottime=OFFSET or monotonic=OFFSET", text);
}

static int user_namespace(struct cli *c, const struct run_options *o, struct spec *s, struct nook_error *e)
{
	TRY(parse_maps(c, "--uidmap", &o->uid_maps, &s->uid_maps, &s->n_uid_maps, e));
	TRY(parse_maps(c, "--gidmap", &o->gid_maps, &s->gid_maps, &s->n_gid_maps, e));
	if (s->n_uid_maps && !s->n_gid_maps) {
		s->gid_maps = s->uid_maps;
		s->n_gid_maps = s->n_uid_maps;
	}
	if (s->n_gid_maps && !s->n_uid_maps)
		return err_why(e, STEP_OPTION, "--gidmap", EINVAL, "it needs --uidmap as well");
	if (!o->userns || text_is(o->userns, "auto"))
		return 0;
	TRY(ns_mode(c, "--userns", o->userns, NS_USER, &s->ns[NS_USER], e));
	if (s->ns[NS_USER].mode != NS_PRIVATE && s->n_uid_maps)
		return err_why(e, STEP_OPTION, "--uidmap", EINVAL, "only a private user namespace has maps of its own");
	return 0;
}

int run_namespaces(struct cli *c, const struct run_options *o, struct spec *s, struct nook_error *e)
{
	TRY(ns_mode(c, "--pid", o->pid, NS_PID, &s->ns[NS_PID], e));
	TRY(ns_mode(c, "--uts", o->uts, NS_UTS, &s->ns[NS_UTS], e));
	TRY(ns_mode(c, "--ipc", o->ipc, NS_IPC, &s->ns[NS_IPC], e));
	TRY(ns_mode(c, "--net", o->net, NS_NET, &s->ns[NS_NET], e));
	TRY(ns_mode(c, "--cgroupns", o->cgroupns, NS_CGROUP, &s->ns[NS_CGROUP], e));
	TRY(ns_mode(c, "--time", o->time, NS_TIME, &s->ns[NS_TIME], e));
	TRY(user_namespace(c, o, s, e));
	for (size_t i = 0; i < o->time_offsets.n; i++)
		TRY(time_offset(s, o->time_offsets.items[i], e));
	s->hostname = o->hostname;
	s->domainname = o->domainname;
	if (s->ns[NS_UTS].mode != NS_PRIVATE && (o->hostname || o->domainname))
		return err_why(e, STEP_OPTION, "--hostname", EINVAL, "a name can only be set in a private uts namespace");
	return 0;
}
