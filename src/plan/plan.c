/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "plan/plan.h"

#include "base/buf.h"

#include <assert.h>
#include <linux/filter.h>
#include <stdio.h>
#include <string.h>

const struct step_kind_info step_kinds[DO_COUNT] = {
#define X(id, word, err, why) [id] = {word, err, why},
	STEP_KINDS(X)
#undef X
};

struct plan_builder {
	struct buf data;
	struct step *steps;
	size_t n_steps, room;
	int n_slots;
	struct plan header; /* last, for its steps[] */
};

struct plan_builder *plan_builder_new(void)
{
	struct plan_builder *b = xcalloc(1, sizeof(*b));

	b->header.cgroup_slot = SLOT_NONE;
	b->header.gate_slot = SLOT_NONE;
	/* Offset 0 is the empty string, which stands for "none". */
	buf_addc(&b->data, 0);
	return b;
}

void plan_builder_free(struct plan_builder *b)
{
	if (!b)
		return;
	buf_done(&b->data);
	free(b->steps);
	free(b);
}

struct ref plan_add_str(struct plan_builder *b, const char *s)
{
	struct ref r = {0};

	if (s && *s) {
		r.at = (uint32_t)b->data.len;
		buf_add(&b->data, s, strlen(s) + 1);
	}
	return r;
}

struct ref plan_add_fmt(struct plan_builder *b, const char *fmt, ...)
{
	struct ref r = {(uint32_t)b->data.len};
	auto_free char *s = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&s, fmt, ap) < 0)
		abort();
	va_end(ap);
	buf_add(&b->data, s, strlen(s) + 1);
	return r;
}

struct refs plan_add_strs(struct plan_builder *b, const char *const *list)
{
	struct refs r = {(uint32_t)b->data.len, 0};

	for (; list && list[r.n]; r.n++)
		buf_add(&b->data, list[r.n], strlen(list[r.n]) + 1);
	return r;
}

struct refs plan_add_array(struct plan_builder *b, const void *items, size_t n, size_t size)
{
	static const char zeros[8];
	struct refs r;

	/* Arrays are read in place, so they start where any of their members may start. */
	buf_add(&b->data, zeros, (8 - b->data.len % 8) % 8);
	r = (struct refs){(uint32_t)b->data.len, (uint32_t)n};
	if (n)
		buf_add(&b->data, items, n * size);
	return r;
}

struct step *plan_add_step(struct plan_builder *b, enum stage stage, enum step_kind kind, struct ref object)
{
	struct step *s;

	if (b->n_steps == b->room) {
		b->room = b->room ? b->room * 2 : 64;
		b->steps = xrealloc(b->steps, b->room, sizeof(*b->steps));
	}
	s = &b->steps[b->n_steps++];
	*s = (struct step){.kind = (uint16_t)kind, .stage = (uint16_t)stage, .slot = SLOT_NONE, .object = object};
	return s;
}

int plan_add_slot(struct plan_builder *b)
{
	assert(b->n_slots < PLAN_SLOTS);
	return b->n_slots++;
}

int plan_slots_left(const struct plan_builder *b)
{
	return PLAN_SLOTS - b->n_slots;
}

struct plan *plan_builder_header(struct plan_builder *b)
{
	return &b->header;
}

struct plan *plan_builder_seal(struct plan_builder *b)
{
	size_t steps_size = b->n_steps * sizeof(struct step);
	size_t size = sizeof(struct plan) + steps_size + b->data.len;
	struct plan *p = xcalloc(1, size);
	size_t n = 0;

	*p = b->header;
	p->format = PLAN_FORMAT;
	p->size = (uint32_t)size;
	p->n_steps = (uint32_t)b->n_steps;
	p->data_at = (uint32_t)(sizeof(struct plan) + steps_size);
	p->data_len = (uint32_t)b->data.len;
	for (int stage = 0; stage < STAGE_COUNT; stage++)
		for (size_t i = 0; i < b->n_steps; i++)
			if (b->steps[i].stage == stage)
				p->steps[n++] = b->steps[i];
	memcpy((char *)p + p->data_at, b->data.data, b->data.len);
	return p;
}

void plan_free(struct plan *p)
{
	free(p);
}

/* ---- a plan from outside ------------------------------------------------------------------------------------------ */

static bool str_is_inside(const struct plan *p, struct ref r)
{
	return r.at < p->data_len;
}

static bool strs_are_inside(const struct plan *p, struct refs r)
{
	uint32_t at = r.at;

	if (r.n && r.at >= p->data_len)
		return false;
	for (uint32_t i = 0; i < r.n; i++) {
		const char *end = at < p->data_len ? memchr(plan_at(p, at), 0, p->data_len - at) : NULL;

		if (!end)
			return false;
		at += (uint32_t)(end - (const char *)plan_at(p, at)) + 1;
	}
	return true;
}

static bool array_is_inside(const struct plan *p, struct refs r, size_t size)
{
	return !r.n || (r.at % 8 == 0 && r.at < p->data_len && (uint64_t)r.n * size <= p->data_len - r.at);
}

static bool step_is_inside(const struct plan *p, const struct step *s)
{
	if (s->kind >= DO_COUNT || s->stage >= STAGE_COUNT || s->slot >= PLAN_SLOTS || s->slot < SLOT_NONE ||
		!str_is_inside(p, s->object))
		return false;
	switch ((enum step_kind)s->kind) {
	case DO_OPEN_TREE:
	case DO_DISK:
	case DO_ROOT_ATTACH:
	case DO_ROOT_OVERLAY:
	case DO_ROOT_TMPFS:
	case DO_MOUNT:
	case DO_OVERLAY:
	case DO_BIND:
	case DO_SHOW:
	case DO_COPY_LINK:
	case DO_DEV_TREE:
		return array_is_inside(p, s->mount.nodes, sizeof(struct plan_node)) && strs_are_inside(p, s->mount.links) &&
		       strs_are_inside(p, s->mount.dirs) && s->mount.links.n % 2 == 0 && s->mount.upper_slot >= SLOT_NONE &&
		       s->mount.upper_slot < PLAN_SLOTS && str_is_inside(p, s->mount.source) && str_is_inside(p, s->mount.target) &&
		       str_is_inside(p, s->mount.fstype) && strs_are_inside(p, s->mount.params) && str_is_inside(p, s->mount.data) &&
		       s->mount.params.n % 2 == 0 && array_is_inside(p, s->mount.lowers, sizeof(int16_t));
	case DO_CGROUP_DIR:
	case DO_CGROUP_OPEN:
	case DO_CGROUP_WRITE:
	case DO_CGROUP_BPF:
	case DO_CGROUP_DOOR:
		return str_is_inside(p, s->cgroup.dir) && str_is_inside(p, s->cgroup.mount) &&
		       str_is_inside(p, s->cgroup.prepare) && str_is_inside(p, s->cgroup.file) && s->cgroup.door_slot >= SLOT_NONE &&
		       s->cgroup.door_slot < PLAN_SLOTS &&
		       str_is_inside(p, s->cgroup.value) && array_is_inside(p, s->cgroup.insns, 8);
	case DO_IDMAP:
	case DO_OWN_MAP:
	case DO_IDMAP_MOUNT:
		return str_is_inside(p, s->idmap.uid_map) && str_is_inside(p, s->idmap.gid_map);
	case DO_MASK:
	case DO_READONLY:
		return str_is_inside(p, s->mask.base) && strs_are_inside(p, s->mask.paths);
	case DO_USER:
		return str_is_inside(p, s->user.name) && array_is_inside(p, s->user.groups, sizeof(uint32_t)) &&
		       strs_are_inside(p, s->user.group_names);
	case DO_LANDLOCK:
		return strs_are_inside(p, s->landlock.rules);
	case DO_SECCOMP:
		return array_is_inside(p, s->seccomp.filter, sizeof(struct sock_filter)) &&
		       str_is_inside(p, s->seccomp.listener) && str_is_inside(p, s->seccomp.metadata);
	case DO_EXEC:
		return strs_are_inside(p, s->exec.argv) && strs_are_inside(p, s->exec.env) &&
		       strs_are_inside(p, s->exec.candidates) && s->exec.argv.n && s->exec.argv_room.n > s->exec.argv.n &&
		       array_is_inside(p, s->exec.argv_room, sizeof(char *)) && s->exec.env_room.n > s->exec.env.n + 2 &&
		       array_is_inside(p, s->exec.env_room, sizeof(char *));
	case DO_LOOKUP:
		return strs_are_inside(p, s->exec.candidates);
	case DO_HOOK_INSIDE:
		if (s->hook.argv_room.n <= s->hook.argv.n || s->hook.env_room.n <= s->hook.env.n ||
			!array_is_inside(p, s->hook.argv_room, sizeof(char *)) || !array_is_inside(p, s->hook.env_room, sizeof(char *)))
			return false;
		__attribute__((fallthrough));
	case DO_HOOK:
		return s->hook.out_slot >= SLOT_NONE && s->hook.out_slot < PLAN_SLOTS && s->hook.err_slot >= SLOT_NONE &&
		       s->hook.err_slot < PLAN_SLOTS && str_is_inside(p, s->hook.path) && strs_are_inside(p, s->hook.argv) &&
		       strs_are_inside(p, s->hook.env) && str_is_inside(p, s->hook.state);
	case DO_DEVICE:
		return str_is_inside(p, s->device.target);
	case DO_HOSTNAME:
	case DO_DOMAINNAME:
	case DO_KEEP:
	case DO_KEYRING:
	case DO_SYMLINK:
	case DO_SYSCTL:
	case DO_RDT:
	case DO_NET_DEVICE:
	case DO_LSM:
	case DO_OPEN_NS:
	case DO_GATE:
		return str_is_inside(p, s->pair.key) && str_is_inside(p, s->pair.value);
	case DO_CWD:
		return s->flags & CWD_TRY ? strs_are_inside(p, s->cwd.places) && s->cwd.places.n
					  : str_is_inside(p, s->pair.key) && str_is_inside(p, s->pair.value);
	case DO_MAKE:
		return str_is_inside(p, s->make.target) && str_is_inside(p, s->make.text) && array_is_inside(p, s->make.data, 1);
	case DO_PUT:
		return str_is_inside(p, s->file.target) && str_is_inside(p, s->file.staging) && array_is_inside(p, s->file.data, 1);
	case DO_FDS:
		return s->fds.keep.n <= KEEP_MAX && array_is_inside(p, s->fds.keep, sizeof(uint32_t));
	case DO_AFFINITY:
		return array_is_inside(p, s->mask.paths, sizeof(unsigned long));
	case DO_MEMPOLICY:
		return array_is_inside(p, s->policy.nodes, sizeof(unsigned long));
	default:
		return true;
	}
}

int plan_validate(const void *data, size_t size)
{
	const struct plan *p = data;
	uint32_t stage = 0;

	if (size < sizeof(*p) || p->format != PLAN_FORMAT || p->size != size || p->n_steps > (size - sizeof(*p)) / sizeof(struct step) ||
		p->data_at != sizeof(*p) + p->n_steps * sizeof(struct step) || p->data_len != size - p->data_at ||
		!p->data_len || *(const char *)plan_at(p, 0) || *(const char *)plan_at(p, p->data_len - 1))
		return -EINVAL;
	if (p->cgroup_slot < SLOT_NONE || p->cgroup_slot >= PLAN_SLOTS || p->gate_slot < SLOT_NONE ||
		p->gate_slot >= PLAN_SLOTS || p->gate > GATE_SOCKET)
		return -EINVAL;
	for (uint32_t i = 0; i < p->n_steps; i++) {
		if (!step_is_inside(p, &p->steps[i]) || p->steps[i].stage < stage)
			return -EINVAL;
		stage = p->steps[i].stage;
	}
	return 0;
}
