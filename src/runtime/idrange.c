/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "runtime/idrange.h"

#include "base/fd.h"
#include "base/text.h"
#include "runtime/idfiles.h"
#include "sys/fields.h"

#include <assert.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

/* As systemd-nspawn has them, so that the two share one pool that other software stays away from. */
enum { POOL_FIRST = 524288, POOL_LAST = 1879048191 };
/* The kernel takes 340 lines in uid_map; one is the user's own id. */
enum { SUBIDS_MAX = 339, OWNER_MAX = 256 };
/* Host files: what an administrator may well have with a hundred thousand users. */
enum { HOST_FILE_MAX = 64 << 20, MAP_FILE_MAX = 64 << 10 };

struct range {
	uint64_t first, end; /* end is not part of it */
};

struct ranges {
	struct range *items;
	size_t n;
};

static void add_range(struct arena *a, struct ranges *r, uint64_t first, uint64_t count)
{
	*arena_push(a, &r->items, &r->n) = (struct range){first, first + count};
}

static bool touches(const struct ranges *r, uint64_t first, uint64_t count)
{
	for (size_t i = 0; i < r->n; i++)
		if (first < r->items[i].end && r->items[i].first < first + count)
			return true;
	return false;
}

/* ---- the files --------------------------------------------------------------------------------------------------- */

struct subid_line {
	char owner[OWNER_MAX + 1];
	uint64_t first, count;
};

static bool next_number(struct fields *f, uint64_t *ret)
{
	char text[24];

	return f->end == ':' && fields_next(f, text, sizeof(text), "") && f->fit && text_u64(text, ret) == 0;
}

static bool subid_line(struct fields *f, struct subid_line *l)
{
	return f->fit && next_number(f, &l->first) && next_number(f, &l->count) && l->count > 0 && l->first < UINT32_MAX &&
	       l->count <= UINT32_MAX - l->first;
}

/* Opens a file that may be missing: -ENOENT with nothing recorded. */
static int open_optional(int etc, const char *name, struct nook_error *e)
{
	char path[IDFILES_PATH];
	int fd = openat(etc, idfiles_path(etc, name, path), O_RDONLY | O_CLOEXEC);

	if (fd < 0 && errno != ENOENT)
		return err_sys(e, STEP_IDRANGE, name);
	return fd < 0 ? -ENOENT : fd;
}

/* The lines of a subuid file that are NAME's or NUMBER's. */
static int read_subids(int etc, const char *file, const char *name, const char *number, struct arena *a,
                       struct ranges *mine, struct nook_error *e)
{
	auto_close int fd = open_optional(etc, file, e);
	struct subid_line l;
	struct fields f;

	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	fields_init(&f, fd, HOST_FILE_MAX);
	while (fields_next(&f, l.owner, sizeof(l.owner), "")) {
		if (subid_line(&f, &l)) {
			if (text_is(l.owner, name) || text_is(l.owner, number))
				add_range(a, mine, l.first, l.count);
		}
		fields_skip_line(&f);
	}
	return f.error ? err_num(e, STEP_IDRANGE, file, f.error) : 0;
}

/* passwd or group: each id that lies in the pool. */
static int read_ids(int etc, const char *file, struct arena *a, struct ranges *others, struct nook_error *e)
{
	auto_close int fd = open_optional(etc, file, e);
	struct fields f;
	char word[2];

	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	fields_init(&f, fd, HOST_FILE_MAX);
	while (fields_next(&f, word, sizeof(word), "")) {
		uint64_t id = 0;

		if (f.end == ':' && fields_next(&f, word, sizeof(word), "") && next_number(&f, &id) && id >= POOL_FIRST &&
		    id <= POOL_LAST)
			add_range(a, others, id, 1);
		fields_skip_line(&f);
	}
	return f.error ? err_num(e, STEP_IDRANGE, file, f.error) : 0;
}

/* The user's name, or "" when passwd has no line for UID. */
static int read_name(int etc, uint32_t uid, char *name, size_t size, struct nook_error *e)
{
	auto_close int fd = open_optional(etc, "passwd", e);
	struct fields f;
	char word[2];

	name[0] = 0;
	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	fields_init(&f, fd, HOST_FILE_MAX);
	while (fields_next(&f, name, size, "")) {
		bool fit = f.fit;
		uint64_t id = 0;

		if (f.end == ':' && fields_next(&f, word, sizeof(word), "") && next_number(&f, &id) && id == uid && fit)
			return 0;
		fields_skip_line(&f);
	}
	name[0] = 0;
	return f.error ? err_num(e, STEP_IDRANGE, "passwd", f.error) : 0;
}

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
	const struct ranges *taboo;
	const struct ranges *gid_entries; /* NULL: any gid will do */
	int run;
	const char *id, *target;
	bool any_mapped;
};

static bool is_inside(const struct ranges *r, uint64_t first)
{
	for (size_t i = 0; i < r->n; i++)
		if (first >= r->items[i].first && first + IDRANGE_SIZE <= r->items[i].end)
			return true;
	return false;
}

/* Tries the slices of one range, starting at one that the id names: 1 taken, 0 none free. */
static int search_range(struct search *s, const struct range *r, uint32_t *ret_base, struct nook_error *e)
{
	uint64_t n = (r->end - r->first) / IDRANGE_SIZE, start = n ? hash_of(s->id) % n : 0;

	for (uint64_t i = 0; i < n; i++) {
		uint64_t base = r->first + (start + i) % n * IDRANGE_SIZE;

		if (!is_mapped(s->files->uids, s->files->n_uids, base) || !is_mapped(s->files->gids, s->files->n_gids, base))
			continue;
		/* Base 0 would make the container's root the host's. */
		if (base < IDRANGE_SIZE / 2 || touches(s->taboo, base, IDRANGE_SIZE) ||
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

/* One pass over a subuid file: each owner's ranges, and all ranges. */
static int read_owners(int etc, const char *file, struct arena *a, struct ranges *owned, struct ranges *all,
                       struct nook_error *e)
{
	auto_close int fd = open_optional(etc, file, e);
	struct subid_line l;
	struct fields f;

	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	fields_init(&f, fd, HOST_FILE_MAX);
	while (fields_next(&f, l.owner, sizeof(l.owner), "")) {
		if (subid_line(&f, &l)) {
			add_range(a, all, l.first, l.count);
			for (size_t i = 0; i < OWNERS; i++)
				if (text_is(l.owner, owners[i]))
					add_range(a, &owned[i], l.first, l.count);
		}
		fields_skip_line(&f);
	}
	return f.error ? err_num(e, STEP_IDRANGE, file, f.error) : 0;
}

/* The entries of one owner in both files. */
static int search_owner(struct search *s, const struct ranges *uids, const struct ranges *gids, uint32_t *ret_base,
                        struct nook_error *e)
{
	s->gid_entries = gids;
	for (size_t i = 0; i < uids->n; i++)
		if (TRY(search_range(s, &uids->items[i], ret_base, e)))
			return 1;
	s->gid_entries = NULL;
	return 0;
}

static bool has_ranges(const struct ranges *owned)
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
	const struct range pool = {POOL_FIRST, (uint64_t)POOL_LAST + 1};
	struct ranges uids[OWNERS] = {0}, gids[OWNERS] = {0}, none = {0}, taboo = {0};
	struct search s = {.files = f, .taboo = &none, .run = run, .id = id};

	s.target = arena_printf(a, "../containers/%s", id);
	idfiles_stamp(f->etc, stamp);
	if (!idfiles_are_known(run, stamp)) {
		TRY(read_owners(f->etc, "subuid", a, uids, &taboo, e));
		TRY(read_owners(f->etc, "subgid", a, gids, &taboo, e));
		for (size_t i = 0; i < OWNERS; i++)
			if (TRY(search_owner(&s, &uids[i], &gids[i], ret_base, e)))
				return 0;
		TRY(read_ids(f->etc, "passwd", a, &taboo, e));
		TRY(read_ids(f->etc, "group", a, &taboo, e));
		if (!has_ranges(uids) && !touches(&taboo, pool.first, pool.end - pool.first))
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
static size_t stack_maps(struct arena *a, uint32_t own, const struct ranges *ranges, struct spec_idmap **ret)
{
	struct ranges used = {0};
	uint64_t inside = 1;
	size_t n = 0;

	*ret = NULL;
	*arena_push(a, ret, &n) = (struct spec_idmap){0, own, 1};
	add_range(a, &used, own, 1);
	for (size_t i = 0; i < ranges->n && n <= SUBIDS_MAX; i++) {
		uint64_t first = ranges->items[i].first, count = ranges->items[i].end - first;

		if (touches(&used, first, count) || inside + count > UINT32_MAX)
			continue;
		*arena_push(a, ret, &n) = (struct spec_idmap){(uint32_t)inside, (uint32_t)first, (uint32_t)count};
		add_range(a, &used, first, count);
		inside += count;
	}
	return n;
}

int idrange_subids(int etc, uint32_t uid, uint32_t gid, struct arena *a, struct idrange *ret, struct nook_error *e)
{
	struct ranges uids = {0}, gids = {0}, none = {0};
	char name[OWNER_MAX + 1], number[16];
	struct idrange r = {0};

	TRY(read_name(etc, uid, name, sizeof(name), e));
	(void)snprintf(number, sizeof(number), "%u", uid);
	TRY(read_subids(etc, "subuid", *name ? name : number, number, a, &uids, e));
	if (uids.n)
		TRY(read_subids(etc, "subgid", *name ? name : number, number, a, &gids, e));
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
		r.n_uid_maps = stack_maps(a, geteuid(), &(struct ranges){0}, &r.uid_maps);
		r.n_gid_maps = stack_maps(a, getegid(), &(struct ranges){0}, &r.gid_maps);
	}
	*ret = r;
	return 0;
}
