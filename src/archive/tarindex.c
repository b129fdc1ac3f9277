/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "archive/tarindex.h"

#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { BLOCK = 512, EXTRA_MAX = 1 << 20, LINKS_MAX = 8 };
enum { AT_NAME = 0, AT_SIZE = 124, AT_SUM = 148, AT_TYPE = 156, AT_LINK = 157, AT_MAGIC = 257, AT_PREFIX = 345 };

struct reader {
	int fd;
	const char *what;
	struct arena *arena;
	uint64_t at, end;
	/* What a header before said about the next entry. */
	const char *long_name, *long_link;
	uint64_t pax_size;
	bool has_pax_size;
};

static int refuse(const struct reader *r, struct nook_error *e, const char *why)
{
	return err_why(e, STEP_IMAGE, r->what, EINVAL, why);
}

static int read_at(const struct reader *r, uint64_t at, void *data, size_t size, struct nook_error *e)
{
	for (size_t done = 0; done < size;) {
		ssize_t n = pread(r->fd, (char *)data + done, size - done, (off_t)(at + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(e, STEP_IMAGE, r->what);
		if (n == 0)
			return refuse(r, e, "the archive ends in the middle");
		done += (size_t)n;
	}
	return 0;
}

/* Octal digits, or base 256. */
static int number(const unsigned char *field, size_t size, uint64_t *ret)
{
	uint64_t value = 0;
	size_t i = 0;

	if (field[0] & 0x80) {
		if (field[0] != 0x80)
			return -EINVAL;
		for (i = 1; i < size; i++) {
			if (value >> 55)
				return -EINVAL;
			value = value << 8 | field[i];
		}
		*ret = value;
		return 0;
	}
	while (i < size && field[i] == ' ')
		i++;
	for (; i < size && field[i] >= '0' && field[i] <= '7'; i++)
		value = value << 3 | (uint64_t)(field[i] - '0');
	if (i < size && field[i] && field[i] != ' ')
		return -EINVAL;
	*ret = value;
	return 0;
}

static bool is_sum_right(const unsigned char *header)
{
	uint64_t said = 0, sum = 0;

	for (size_t i = 0; i < BLOCK; i++)
		sum += i >= AT_SUM && i < AT_SUM + 8 ? ' ' : header[i];
	return number(header + AT_SUM, 8, &said) == 0 && said == sum;
}

static bool is_zero(const unsigned char *header)
{
	for (size_t i = 0; i < BLOCK; i++)
		if (header[i])
			return false;
	return true;
}

/* "27 path=some/name\n" and so on. */
static int read_pax(struct reader *r, const char *text, size_t size, struct nook_error *e)
{
	while (size) {
		char *rest = NULL;
		unsigned long len = strtoul(text, &rest, 10);
		const char *key = rest + 1, *end, *equals;

		/* strtoul(3) takes a sign for a number. */
		if (*text < '0' || *text > '9' || *rest != ' ' || len > size || len < 5)
			return refuse(r, e, "a pax header of the archive is damaged");
		end = text + len;
		if (key >= end || end[-1] != '\n')
			return refuse(r, e, "a pax header of the archive is damaged");
		equals = memchr(key, '=', (size_t)(end - key));
		if (!equals)
			return refuse(r, e, "a pax header of the archive is damaged");
		const char *value = arena_strndup(r->arena, equals + 1, (size_t)(end - 1 - (equals + 1)));

		if (equals - key == 4 && memcmp(key, "path", 4) == 0)
			r->long_name = value;
		if (equals - key == 8 && memcmp(key, "linkpath", 8) == 0)
			r->long_link = value;
		if (equals - key == 4 && memcmp(key, "size", 4) == 0) {
			if (text_u64(value, &r->pax_size) < 0)
				return refuse(r, e, "a pax header of the archive is damaged");
			r->has_pax_size = true;
		}
		text += len;
		size -= len;
	}
	return 0;
}

/* A header that speaks about the next entry. */
static int read_extra(struct reader *r, unsigned char type, uint64_t size, struct nook_error *e)
{
	char *text;

	if (size > EXTRA_MAX)
		return refuse(r, e, "a header of the archive is too large");
	text = arena_alloc(r->arena, size + 1);
	TRY(read_at(r, r->at, text, size, e));
	if (type == 'L')
		r->long_name = text;
	else if (type == 'K')
		r->long_link = text;
	else if (type == 'x')
		return read_pax(r, text, size, e);
	return 0;
}

static const char *plain_name(const char *name)
{
	while (name[0] == '.' && name[1] == '/')
		for (name += 2; *name == '/'; name++)
			;
	return name;
}

static const char *header_name(const struct reader *r, const unsigned char *header)
{
	const char *name = arena_strndup(r->arena, (const char *)header, strnlen((const char *)header, 100));
	const char *prefix = (const char *)header + AT_PREFIX;

	/* Old GNU tar has other things where ustar has the prefix. */
	if (memcmp(header + AT_MAGIC, "ustar", 6) != 0 || !*prefix)
		return name;
	return arena_printf(r->arena, "%.*s/%s", (int)strnlen(prefix, 155), prefix, name);
}

static int read_entry(struct reader *r, const unsigned char *header, struct tarindex *t, struct nook_error *e)
{
	const unsigned char type = header[AT_TYPE];
	const bool is_file = type == '0' || type == 0 || type == '7', is_link = type == '2';
	struct tarindex_entry entry = {.at = r->at};
	uint64_t size = 0;

	if (number(header + AT_SIZE, 12, &size) < 0)
		return refuse(r, e, "a size in the archive is no number");
	if (type == 'L' || type == 'K' || type == 'x' || type == 'g') {
		TRY(read_extra(r, type, size, e));
	} else {
		if (r->has_pax_size)
			size = r->pax_size;
		entry.name = plain_name(r->long_name ? r->long_name : header_name(r, header));
		entry.size = size;
		if (is_link)
			entry.link = r->long_link ? r->long_link
						  : arena_strndup(r->arena, (const char *)header + AT_LINK, strnlen((const char *)header + AT_LINK, 100));
		if (t->n == TARINDEX_ENTRIES_MAX || strlen(entry.name) > TARINDEX_NAME_MAX)
			return refuse(r, e, "the archive has too many entries or too long names");
		if (is_file || is_link)
			*arena_push(r->arena, &t->entries, &t->n) = entry;
		r->long_name = r->long_link = NULL;
		r->has_pax_size = false;
	}
	if (size > r->end - r->at)
		return refuse(r, e, "the archive ends in the middle of an entry");
	r->at += (size + BLOCK - 1) / BLOCK * BLOCK;
	return 0;
}

int tarindex_read(int fd, const char *what, struct arena *a, struct tarindex *ret, struct nook_error *e)
{
	struct reader r = {.fd = fd, .what = what, .arena = a};
	unsigned char header[BLOCK];
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(e, STEP_IMAGE, what);
	r.end = (uint64_t)st.st_size;
	*ret = (struct tarindex){0};
	while (r.at < r.end && r.end - r.at >= BLOCK) {
		TRY(read_at(&r, r.at, header, sizeof(header), e));
		r.at += BLOCK;
		if (is_zero(header))
			break;
		if (!is_sum_right(header))
			return refuse(&r, e, "is no tar archive, or a damaged one");
		TRY(read_entry(&r, header, ret, e));
	}
	return 0;
}

/* "a/b/../c" as "a/c"; 0, or -1 when it leads out. */
static int join(const char *dir, size_t dir_len, const char *link, char *path, size_t size)
{
	size_t len = 0;

	if (*link == '/' || dir_len + strlen(link) + 2 > size)
		return -1;
	memcpy(path, dir, dir_len);
	len = dir_len;
	while (*link) {
		size_t n = strcspn(link, "/");

		if (n == 2 && link[0] == '.' && link[1] == '.') {
			if (!len)
				return -1;
			while (len && path[len - 1] != '/')
				len--;
			len -= len > 0;
		} else if (n && !(n == 1 && link[0] == '.')) {
			if (len)
				path[len++] = '/';
			memcpy(path + len, link, n);
			len += n;
		}
		link += n + (link[n] == '/');
	}
	path[len] = 0;
	return 0;
}

static const struct tarindex_entry *find_entry(const struct tarindex *t, const char *name)
{
	for (size_t i = t->n; i-- > 0;)
		if (text_is(t->entries[i].name, name))
			return &t->entries[i];
	return NULL;
}

const struct tarindex_entry *tarindex_find(const struct tarindex *t, const char *name)
{
	const struct tarindex_entry *found = find_entry(t, plain_name(name));
	char path[2 * TARINDEX_NAME_MAX];

	for (int i = 0; found && found->link; i++) {
		const char *slash = strrchr(found->name, '/');

		if (i == LINKS_MAX || join(found->name, slash ? (size_t)(slash - found->name) : 0, found->link, path, sizeof(path)) < 0)
			return NULL;
		found = find_entry(t, path);
	}
	return found;
}
