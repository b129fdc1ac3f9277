/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "box/ids.h"

#include "base/fd.h"
#include "base/text.h"
#include "box/box.h"
#include "box/rule.h"
#include "runtime/idrange.h"

#include <string.h>

enum { ID_MAX = INT32_MAX };
enum { BOX_RANGE_BASE = 0x70000000 }; /* behind the ranges of containers, in a part that systemd and others leave alone */

/* ---- rules ---------------------------------------------------------------------------------------------------------- */

int box_set_user(struct nook_box *b, const char *value, struct nook_error *e)
{
	size_t len = strcspn(value, ":");
	uint64_t uid = 0, gid = 0;

	if (text_u64(arena_strndup(b->arena, value, len), &uid) < 0 || uid > ID_MAX)
		return rule_refuse(value, "the user is UID or UID:GID, in digits", e);
	gid = uid;
	if (value[len] && (text_u64(value + len + 1, &gid) < 0 || gid > ID_MAX))
		return rule_refuse(value, "the user is UID or UID:GID, in digits", e);
	b->uid = (struct opt_u64){uid, true};
	b->gid = (struct opt_u64){gid, true};
	return 0;
}

/* "auto" or "IN:OUT:N"; several lines add up. */
int box_add_map(struct nook_box *b, const char *value, struct nook_error *e)
{
	uint64_t number[3] = {0};
	char *words = arena_strdup(b->arena, value), *rest = words;

	b->map_auto = text_is(value, "auto");
	if (b->map_auto) {
		b->n_maps = 0;
		return 0;
	}
	for (int i = 0; i < 3; i++) {
		char *word = strsep(&rest, ":");

		if (!word || text_u64(word, &number[i]) < 0 || number[i] > ID_MAX)
			return rule_refuse(value, "it is auto or IN:OUT:N, in digits", e);
	}
	if (rest || !number[2])
		return rule_refuse(value, "it is auto or IN:OUT:N, in digits", e);
	*arena_push(b->arena, &b->maps, &b->n_maps) = (struct spec_idmap){(uint32_t)number[0], (uint32_t)number[1], (uint32_t)number[2]};
	return 0;
}

/* ---- maps ----------------------------------------------------------------------------------------------------------- */

static bool range_is_mapped(const struct spec_idmap *maps, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (maps[i].inside <= BOX_RANGE_BASE &&
			(uint64_t)maps[i].inside + maps[i].count >= (uint64_t)BOX_RANGE_BASE + IDRANGE_SIZE)
			return true;
	return false;
}

/* Root's: the range, or all that a nested root has. */
static int own_range(struct arena *a, struct spec *s, struct nook_error *e)
{
	auto_close int proc = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (proc < 0)
		return err_sys(e, STEP_PROC, "/proc/self");
	TRY(idrange_read_map(proc, "uid_map", a, &s->uid_maps, &s->n_uid_maps, e));
	TRY(idrange_read_map(proc, "gid_map", a, &s->gid_maps, &s->n_gid_maps, e));
	if (range_is_mapped(s->uid_maps, s->n_uid_maps) && range_is_mapped(s->gid_maps, s->n_gid_maps)) {
		*s->uid_maps = *s->gid_maps = (struct spec_idmap){0, BOX_RANGE_BASE, IDRANGE_SIZE};
		s->n_uid_maps = s->n_gid_maps = 1;
		return 0;
	}
	/* What stands inside of the caller's maps is outside of the box's. */
	for (size_t i = 0; i < s->n_uid_maps; i++)
		s->uid_maps[i].outside = s->uid_maps[i].inside;
	for (size_t i = 0; i < s->n_gid_maps; i++)
		s->gid_maps[i].outside = s->gid_maps[i].inside;
	return 0;
}

/* The caller's own id as user 0, and behind it what is set aside for it. */
static int subordinate(const struct plan_host *host, struct arena *a, struct spec *s, bool *ret_helper, struct nook_error *e)
{
	auto_close int etc = open("/etc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct idrange range;

	if (etc < 0)
		return err_sys(e, STEP_IDRANGE, "/etc");
	TRY(idrange_subids(etc, host->euid, host->egid, a, &range, e));
	if (range.kind != IDRANGE_SUBID)
		return err_why(e, STEP_IDMAP, "auto", EPERM, "/etc/subuid and /etc/subgid set no ids aside for this user");
	s->uid_maps = range.uid_maps;
	s->gid_maps = range.gid_maps;
	s->n_uid_maps = range.n_uid_maps;
	s->n_gid_maps = range.n_gid_maps;
	*ret_helper = true;
	return 0;
}

static void listed(const struct nook_box *b, struct arena *a, struct spec *s)
{
	s->uid_maps = arena_memdup(a, b->maps, b->n_maps * sizeof(*b->maps));
	s->gid_maps = arena_memdup(a, b->maps, b->n_maps * sizeof(*b->maps));
	s->n_uid_maps = s->n_gid_maps = b->n_maps;
}

static bool is_own_alone(const struct nook_box *b, const struct plan_host *host)
{
	return b->n_maps == 1 && b->maps->count == 1 && b->maps->outside == host->euid && b->maps->outside == host->egid;
}

static bool has_id(const struct spec_idmap *maps, size_t n, uint32_t id)
{
	for (size_t i = 0; i < n; i++)
		if (id >= maps[i].inside && id - maps[i].inside < maps[i].count)
			return true;
	return false;
}

int box_ids(const struct nook_box *b, const struct plan_host *host, struct arena *a, struct spec *s, struct plan_request *q,
	struct nook_error *e)
{
	struct spec_user *u = &s->process.user;
	bool zero = b->fake_root || (b->map_auto && !host->privileged);

	u->uid = zero ? 0 : host->euid;
	u->gid = zero ? 0 : host->egid;
	if (b->uid.set) {
		u->uid = (uint32_t)b->uid.value;
		u->gid = (uint32_t)b->gid.value;
	}
	if (b->n_maps) {
		listed(b, a, s);
		q->idmap_helper = !host->privileged && !is_own_alone(b, host);
	} else if (host->privileged) {
		TRY(own_range(a, s, e));
	} else if (b->map_auto) {
		TRY(subordinate(host, a, s, &q->idmap_helper, e));
	} else {
		s->uid_maps = arena_push(a, &s->uid_maps, &s->n_uid_maps);
		s->gid_maps = arena_push(a, &s->gid_maps, &s->n_gid_maps);
		*s->uid_maps = (struct spec_idmap){u->uid, host->euid, 1};
		*s->gid_maps = (struct spec_idmap){u->gid, host->egid, 1};
	}
	q->deny_setgroups = !host->privileged && !q->idmap_helper;
	if (!has_id(s->uid_maps, s->n_uid_maps, u->uid) || !has_id(s->gid_maps, s->n_gid_maps, u->gid))
		return err_fmt(e, STEP_USER, "user", EINVAL, "%u:%u has no place in the ids of the box", u->uid, u->gid);
	return 0;
}
