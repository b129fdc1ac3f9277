/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "runtime/idrange.h"

#include "base/fd.h"
#include "runtime/idfiles.h"

#include <assert.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* As systemd-nspawn has them, so that the two share one pool that other software stays away from. */
enum { POOL_FIRST = 524288, POOL_LAST = 1879048191 };
/* The kernel takes 340 lines in uid_map; one is the user's own id. */
enum { SUBIDS_MAX = 339 };
enum { MAP_FILE_MAX = 64 << 10 };

int idrange_read_map(int dir, const char *name, struct arena *a, struct spec_idmap **ret, size_t *ret_n,
                     struct nook_error *e)
{
	AUTO_VALUE(buf_done) struct buf text = {0};
	struct spec_idmap *maps = NULL;
	char *rest = NULL;
	size_t n = 0;

	TRY(file_read(dir, name, MAP_FILE_MAX, &text, e));
	for (char *line = strtok_r(text.data ? text.data : (char[]){""}, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		struct spec_idmap m;
		char extra;

		if (sscanf(line, "%u %u %u %c", &m.inside, &m.outside, &m.count, &extra) != 3)
			return err_why(e, STEP_IDRANGE, name, EINVAL, "has a line that is no id map");
		*arena_push(a, &maps, &n) = m;
	}
	*ret = maps;
	*ret_n = n;
	return 0;
}

/* ---- root: one range a container ---------------------------------------------------------------------------------- */

static bool is_mapped(const struct spec_idmap *maps, size_t n, uint64_t first)
{
	for (size_t i = 0; i < n; i++)
		if (first >= maps[i].inside && first + IDRANGE_SIZE <= (uint64_t)maps[i].inside + maps[i].count)
			return true;
	return false;
}

/* Spreads containers over the pool, so that the first candidate is nearly always free. */
static uint32_t hash_of(const char *id)
{
	uint32_t h = 2166136261U;

	for (; *id; id++)
		h = (h ^ (unsigned char)*id) * 16777619U;
	return h ^ (h >> 15);
}

/* Takes over a stale range.  Whoever does so holds the lock, so that a range which another process has just taken over is
 * never taken from it: under the lock its link does not dangle any more. */
static int take_over(int run, const char *name, const char *target, struct nook_error *e)
{
	auto_close int lock = TRY(file_lock(run, "ids.lock", e));

	(void)lock; /* held to the end */
	if (faccessat(run, name, F_OK, 0) == 0 || errno != ENOENT)
		return 0;
	if (unlinkat(run, name, 0) < 0 && errno != ENOENT)
		return err_sys(e, STEP_IDRANGE, name);
	if (symlinkat(target, run, name) == 0)
		return 1;
	return errno == EEXIST ? 0 : err_sys(e, STEP_IDRANGE, name);
}

static bool is_ours(int run, const char *name, const char *target)
{
	char is[PATH_MAX];
	ssize_t n = readlinkat(run, name, is, sizeof(is));

	return n == (ssize_t)strlen(target) && !memcmp(is, target, (size_t)n);
}

/* 1: taken, 0: somebody else has it. */
static int try_base(int run, const char *target, uint32_t base, struct nook_error *e)
{
	char name[32];

	(void)snprintf(name, sizeof(name), "ids/%u", base);
	for (int i = 0; symlinkat(target, run, name) < 0; i++) {
		if (errno == ENOENT && i == 0) {
			if (mkdirat(run, "ids", 0700) < 0 && errno != EEXIST)
				return err_sys(e, STEP_IDRANGE, "ids");
			continue;
		}
		if (errno != EEXIST)
			return err_sys(e, STEP_IDRANGE, name);
		if (is_ours(run, name, target))
			return 1;
		if (faccessat(run, name, F_OK, 0) == 0 || errno != ENOENT)
			return 0;
		return take_over(run, name, target, e);
	}
	return 1;
}

struct search {
	const struct idrange_files *files;
	const struct id_ranges *taboo;
	const struct id_ranges *gid_entries; /* NULL: any gid will do */
	int run;
	const char *id, *target;
	bool any_mapped;
};

static bool is_inside(const struct id_ranges *r, uint64_t first)
{
	for (size_t i = 0; i < r->n; i++)
		if (first >= r->items[i].first && first + IDRANGE_SIZE <= r->items[i].end)
			return true;
	return false;
}

/* Tries the slices of one range, starting at one that the id names: 1 taken, 0 none free. */
static int search_range(struct search *s, const struct id_range *r, uint32_t *ret_base, struct nook_error *e)
{
	uint64_t n = (r->end - r->first) / IDRANGE_SIZE, start = n ? hash_of(s->id) % n : 0;

	for (uint64_t i = 0; i < n; i++) {
		uint64_t base = r->first + (start + i) % n * IDRANGE_SIZE;

		if (!is_mapped(s->files->uids, s->files->n_uids, base) || !is_mapped(s->files->gids, s->files->n_gids, base))
			continue;
		/* Base 0 would make the container's root the host's. */
		if (base < IDRANGE_SIZE / 2 || id_ranges_touch(s->taboo, base, IDRANGE_SIZE) ||
		    (s->gid_entries && !is_inside(s->gid_entries, base)))
			continue;
		s->any_mapped = true;
		if (TRY(try_base(s->run, s->target, (uint32_t)base, e))) {
			*ret_base = (uint32_t)base;
			return 1;
		}
	}
	return 0;
}

/* Whose entries in the files come first, before any free range. */
static const char *const owners[] = {"nook", "root"};
enum { OWNERS = sizeof(owners) / sizeof(owners[0]) };

/* The entries of one owner in both files. */
static int search_owner(struct search *s, const struct id_ranges *uids, const struct id_ranges *gids, uint32_t *ret_base,
                        struct nook_error *e)
{
	s->gid_entries = gids;
	for (size_t i = 0; i < uids->n; i++)
		if (TRY(search_range(s, &uids->items[i], ret_base, e)))
			return 1;
	s->gid_entries = NULL;
	return 0;
}

static bool has_ranges(const struct id_ranges *owned)
{
	for (size_t i = 0; i < OWNERS; i++)
		if (owned[i].n)
			return true;
	return false;
}

int idrange_take(const struct idrange_files *f, int run, const char *id, struct arena *a, uint32_t *ret_base,
                 struct nook_error *e)
{
	char stamp[IDFILES_STAMP];
	const struct id_range pool = {POOL_FIRST, (uint64_t)POOL_LAST + 1};
	struct id_ranges uids[OWNERS] = {0}, gids[OWNERS] = {0}, none = {0}, taboo = {0};
	struct search s = {.files = f, .taboo = &none, .run = run, .id = id};

	s.target = arena_printf(a, "../containers/%s", id);
	idfiles_stamp(f->etc, stamp);
	if (!idfiles_are_known(run, stamp)) {
		TRY(idfiles_of_owners(f->etc, "subuid", owners, OWNERS, a, uids, &taboo, e));
		TRY(idfiles_of_owners(f->etc, "subgid", owners, OWNERS, a, gids, &taboo, e));
		for (size_t i = 0; i < OWNERS; i++)
			if (TRY(search_owner(&s, &uids[i], &gids[i], ret_base, e)))
				return 0;
		TRY(idfiles_within(f->etc, "passwd", &pool, a, &taboo, e));
		TRY(idfiles_within(f->etc, "group", &pool, a, &taboo, e));
		if (!has_ranges(uids) && !id_ranges_touch(&taboo, pool.first, pool.end - pool.first))
			idfiles_note(run, f->etc, stamp);
	}
	s.taboo = &taboo;
	if (TRY(search_range(&s, &pool, ret_base, e)))
		return 0;
	if (!s.any_mapped)
		return 1;
	return err_why(e, STEP_IDRANGE, id, ENOSPC, "every range of 65536 ids is in use");
}

int idrange_take_again(int run, const char *id, uint32_t base, struct arena *a, struct nook_error *e)
{
	if (TRY(try_base(run, arena_printf(a, "../containers/%s", id), base, e)))
		return 0;
	return err_why(e, STEP_IDRANGE, id, EBUSY, "the ids that its files belong to are in use by another container");
}

int idrange_release(int run, const char *id, uint32_t base, struct nook_error *e)
{
	auto_free char *target = NULL;
	char name[32], is[PATH_MAX];
	ssize_t n;

	if (!base)
		return 0;
	(void)snprintf(name, sizeof(name), "ids/%u", base);
	target = xasprintf("../containers/%s", id);
	n = readlinkat(run, name, is, sizeof(is));
	if (n < 0)
		return errno == ENOENT || errno == EINVAL ? 0 : err_sys(e, STEP_IDRANGE, name);
	if (n != (ssize_t)strlen(target) || memcmp(is, target, (size_t)n) != 0)
		return 0;
	return unlinkat(run, name, 0) < 0 && errno != ENOENT ? err_sys(e, STEP_IDRANGE, name) : 0;
}

bool idrange_is_stale(int run, uint32_t base)
{
	char name[32];

	(void)snprintf(name, sizeof(name), "ids/%u", base);
	return faccessat(run, name, F_OK, 0) < 0 && errno == ENOENT && faccessat(run, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

int idrange_sweep(int run, uint32_t base, struct nook_error *e)
{
	auto_close int lock = TRY(file_lock(run, "ids.lock", e));
	char name[32];

	if (!idrange_is_stale(run, base))
		return 0;
	(void)snprintf(name, sizeof(name), "ids/%u", base);
	if (unlinkat(run, name, 0) < 0 && errno != ENOENT)
		return err_sys(e, STEP_IDRANGE, name);
	return 1;
}

/* ---- an ordinary user --------------------------------------------------------------------------------------------- */

/* {0 -> OWN, 1.. -> RANGES}, leaving out what would map a host id twice, which the kernel refuses. */
static size_t stack_maps(struct arena *a, uint32_t own, const struct id_ranges *ranges, struct spec_idmap **ret)
{
	struct id_ranges used = {0};
	uint64_t inside = 1;
	size_t n = 0;

	*ret = NULL;
	*arena_push(a, ret, &n) = (struct spec_idmap){0, own, 1};
	id_ranges_add(a, &used, own, 1);
	for (size_t i = 0; i < ranges->n && n <= SUBIDS_MAX; i++) {
		uint64_t first = ranges->items[i].first, count = ranges->items[i].end - first;

		if (id_ranges_touch(&used, first, count) || inside + count > UINT32_MAX)
			continue;
		*arena_push(a, ret, &n) = (struct spec_idmap){(uint32_t)inside, (uint32_t)first, (uint32_t)count};
		id_ranges_add(a, &used, first, count);
		inside += count;
	}
	return n;
}

int idrange_subids(int etc, uint32_t uid, uint32_t gid, struct arena *a, struct idrange *ret, struct nook_error *e)
{
	struct id_ranges uids = {0}, gids = {0}, none = {0};
	char name[IDFILES_NAME], number[16];
	struct idrange r = {0};

	TRY(idfiles_name_of(etc, uid, name, e));
	(void)snprintf(number, sizeof(number), "%u", uid);
	TRY(idfiles_of_user(etc, "subuid", *name ? name : number, number, a, &uids, e));
	if (uids.n)
		TRY(idfiles_of_user(etc, "subgid", *name ? name : number, number, a, &gids, e));
	r.helper = uids.n && gids.n;
	r.kind = r.helper ? IDRANGE_SUBID : IDRANGE_SINGLE;
	r.n_uid_maps = stack_maps(a, uid, r.helper ? &uids : &none, &r.uid_maps);
	r.n_gid_maps = stack_maps(a, gid, r.helper ? &gids : &none, &r.gid_maps);
	*ret = r;
	return 0;
}

static bool has_program(const char *name)
{
	/* Where base/spawn.c will look for it. */
	static const char *const dirs[] = {"/usr/sbin", "/usr/bin", "/sbin", "/bin", "/usr/local/sbin", "/usr/local/bin"};
	char path[64];

	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", dirs[i], name);
		if (faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) == 0)
			return true;
	}
	return false;
}

/* ---- both --------------------------------------------------------------------------------------------------------- */

static size_t one_to_one(struct arena *a, const struct spec_idmap *maps, size_t n, struct spec_idmap **ret)
{
	assert(maps || !n);
	*ret = arena_new_n(a, struct spec_idmap, n);
	for (size_t i = 0; i < n; i++)
		(*ret)[i] = (struct spec_idmap){maps[i].inside, maps[i].inside, maps[i].count};
	return n;
}

static int choose_as_root(int etc, int run, const char *id, bool first_userns, struct arena *a, struct idrange *ret,
                          struct nook_error *e)
{
	static const struct spec_idmap everything = {0, 0, UINT32_MAX};
	struct idrange_files f = {.etc = etc};
	struct spec_idmap *uids = NULL, *gids = NULL;
	struct idrange r = {0};

	if (first_userns) {
		uids = gids = arena_memdup(a, &everything, sizeof(everything));
		f.n_uids = f.n_gids = 1;
	} else {
		TRY(idrange_read_map(AT_FDCWD, "/proc/self/uid_map", a, &uids, &f.n_uids, e));
		TRY(idrange_read_map(AT_FDCWD, "/proc/self/gid_map", a, &gids, &f.n_gids, e));
	}
	f.uids = uids;
	f.gids = gids;
	if (TRY(idrange_take(&f, run, id, a, &r.base, e))) {
		r.kind = IDRANGE_NESTED;
		r.n_uid_maps = one_to_one(a, uids, f.n_uids, &r.uid_maps);
		r.n_gid_maps = one_to_one(a, gids, f.n_gids, &r.gid_maps);
	} else {
		const struct spec_idmap map = {0, r.base, IDRANGE_SIZE};

		r.kind = IDRANGE_TAKEN;
		r.uid_maps = arena_memdup(a, &map, sizeof(map));
		r.gid_maps = arena_memdup(a, &map, sizeof(map));
		r.n_uid_maps = r.n_gid_maps = 1;
	}
	*ret = r;
	return 0;
}

int idrange_choose(int run, const char *id, bool first_userns, struct arena *a, struct idrange *ret, struct nook_error *e)
{
	const int etc = AT_FDCWD;
	struct idrange r;

	if (geteuid() == 0)
		return choose_as_root(etc, run, id, first_userns, a, ret, e);
	TRY(idrange_subids(etc, geteuid(), getegid(), a, &r, e));
	if (r.helper && !(has_program("newuidmap") && has_program("newgidmap"))) {
		r = (struct idrange){.kind = IDRANGE_SINGLE};
		r.n_uid_maps = stack_maps(a, geteuid(), &(struct id_ranges){0}, &r.uid_maps);
		r.n_gid_maps = stack_maps(a, getegid(), &(struct id_ranges){0}, &r.gid_maps);
	}
	*ret = r;
	return 0;
}
