/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "runtime/idfiles.h"

#include "base/fd.h"
#include "base/text.h"
#include "sys/fields.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const char known[] = "ids.known";
static const char *const files[] = {"subuid", "subgid", "passwd", "group"};
enum { FILES = sizeof(files) / sizeof(files[0]), SETTLED_S = 3, PATH_SIZE = 16 };
/* What an administrator may well have with a hundred thousand users. */
enum { FILE_SIZE_MAX = 64 << 20 };

static const char *path_of(int etc, const char *name, char room[static PATH_SIZE])
{
	if (etc != AT_FDCWD)
		return name;
	(void)snprintf(room, PATH_SIZE, "/etc/%s", name);
	return room;
}

/* ---- ranges --------------------------------------------------------------------------------------------------------- */

void id_ranges_add(struct arena *a, struct id_ranges *r, uint64_t first, uint64_t count)
{
	*arena_push(a, &r->items, &r->n) = (struct id_range){first, first + count};
}

bool id_ranges_touch(const struct id_ranges *r, uint64_t first, uint64_t count)
{
	for (size_t i = 0; i < r->n; i++)
		if (first < r->items[i].end && r->items[i].first < first + count)
			return true;
	return false;
}

/* ---- what the files say --------------------------------------------------------------------------------------------- */

struct entry {
	char owner[IDFILES_NAME];
	uint64_t first, count;
};

static bool next_number(struct fields *f, uint64_t *ret)
{
	char text[24];

	return f->end == ':' && fields_next(f, text, sizeof(text), "") && f->fit && text_u64(text, ret) == 0;
}

/* The next line of subuid or subgid that means something. */
static bool next_entry(struct fields *f, struct entry *entry)
{
	while (fields_next(f, entry->owner, sizeof(entry->owner), "")) {
		bool is_good = f->fit && next_number(f, &entry->first) && next_number(f, &entry->count) && entry->count > 0 &&
			       entry->first < UINT32_MAX && entry->count <= UINT32_MAX - entry->first;

		fields_skip_line(f);
		if (is_good)
			return true;
	}
	return false;
}

/* Opens a file that may be missing: -ENOENT with nothing recorded. */
static int open_optional(int etc, const char *name, struct nook_error *e)
{
	char path[PATH_SIZE];
	int fd = openat(etc, path_of(etc, name, path), O_RDONLY | O_CLOEXEC);

	if (fd < 0 && errno != ENOENT)
		return err_sys(e, STEP_IDRANGE, name);
	return fd < 0 ? -ENOENT : fd;
}

int idfiles_of_user(int etc, const char *file, const char *name, const char *number, struct arena *a, struct id_ranges *mine,
	struct nook_error *e)
{
	auto_close int fd = open_optional(etc, file, e);
	struct entry entry;
	struct fields f;

	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	fields_init(&f, fd, FILE_SIZE_MAX);
	while (next_entry(&f, &entry))
		if (text_is(entry.owner, name) || text_is(entry.owner, number))
			id_ranges_add(a, mine, entry.first, entry.count);
	return f.error ? err_num(e, STEP_IDRANGE, file, f.error) : 0;
}

int idfiles_of_owners(int etc, const char *file, const char *const *owners, size_t n_owners, struct arena *a, struct id_ranges *owned,
	struct id_ranges *all, struct nook_error *e)
{
	auto_close int fd = open_optional(etc, file, e);
	struct entry entry;
	struct fields f;

	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	fields_init(&f, fd, FILE_SIZE_MAX);
	while (next_entry(&f, &entry)) {
		id_ranges_add(a, all, entry.first, entry.count);
		for (size_t i = 0; i < n_owners; i++)
			if (text_is(entry.owner, owners[i]))
				id_ranges_add(a, &owned[i], entry.first, entry.count);
	}
	return f.error ? err_num(e, STEP_IDRANGE, file, f.error) : 0;
}

int idfiles_within(int etc, const char *file, const struct id_range *within, struct arena *a, struct id_ranges *ids, struct nook_error *e)
{
	auto_close int fd = open_optional(etc, file, e);
	struct fields f;
	char word[2];

	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	fields_init(&f, fd, FILE_SIZE_MAX);
	while (fields_next(&f, word, sizeof(word), "")) {
		uint64_t id = 0;

		if (f.end == ':' && fields_next(&f, word, sizeof(word), "") && next_number(&f, &id) && id >= within->first && id < within->end)
			id_ranges_add(a, ids, id, 1);
		fields_skip_line(&f);
	}
	return f.error ? err_num(e, STEP_IDRANGE, file, f.error) : 0;
}

int idfiles_name_of(int etc, uint32_t uid, char name[static IDFILES_NAME], struct nook_error *e)
{
	auto_close int fd = open_optional(etc, "passwd", e);
	struct fields f;
	char word[2];

	name[0] = 0;
	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	fields_init(&f, fd, FILE_SIZE_MAX);
	while (fields_next(&f, name, IDFILES_NAME, "")) {
		bool fit = f.fit;
		uint64_t id = 0;

		if (f.end == ':' && fields_next(&f, word, sizeof(word), "") && next_number(&f, &id) && id == uid && fit)
			return 0;
		fields_skip_line(&f);
	}
	name[0] = 0;
	return f.error ? err_num(e, STEP_IDRANGE, "passwd", f.error) : 0;
}

/* ---- what was found the last time ----------------------------------------------------------------------------------- */

void idfiles_stamp(int etc, char stamp[static IDFILES_STAMP])
{
	size_t len = 0;

	for (size_t i = 0; i < FILES; i++) {
		char path[PATH_SIZE];
		struct stat st = {0};

		(void)fstatat(etc, path_of(etc, files[i], path), &st, 0); /* absent: all zero */
		len += (size_t)snprintf(stamp + len, IDFILES_STAMP - len, "%s%llu.%lld.%lld.%ld", i ? "," : "",
			(unsigned long long)st.st_ino, (long long)st.st_size, (long long)st.st_ctim.tv_sec, st.st_ctim.tv_nsec);
		if (len >= IDFILES_STAMP)
			return;
	}
}

bool idfiles_are_known(int run, const char *stamp)
{
	char text[IDFILES_STAMP];
	ssize_t n = readlinkat(run, known, text, sizeof(text));

	return n > 0 && (size_t)n == strlen(stamp) && !memcmp(text, stamp, (size_t)n);
}

static bool is_settled(int etc)
{
	time_t now = time(NULL);

	for (size_t i = 0; i < FILES; i++) {
		char path[PATH_SIZE];
		struct stat st;

		if (fstatat(etc, path_of(etc, files[i], path), &st, 0) == 0 && st.st_ctim.tv_sec > now - SETTLED_S)
			return false;
	}
	return true;
}

void idfiles_note(int run, int etc, const char *stamp)
{
	if (!is_settled(etc) || (unlinkat(run, known, 0) < 0 && errno != ENOENT))
		return;
	(void)symlinkat(stamp, run, known); /* it only saves time */
}
