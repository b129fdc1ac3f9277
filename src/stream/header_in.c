/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stream/header.h"

#include "base/fd.h"
#include "base/text.h"
#include "stream/ustar.h"

#include <stdio.h>

enum { RECORDS_MAX = 1 << 20 };

static int bad(const char *what, struct nook_error *e)
{
	return err_why(e, STEP_UNPACK, "tar stream", EINVAL, what);
}

/* Octal digits, or GNU's base 256 with the top bit set. */
static int get_number(const char *field, size_t size, uint64_t *ret)
{
	uint64_t n = 0;
	size_t i = 0;

	if (field[0] & 0x80) {
		if ((field[0] & 0x7f) != 0)
			return -ERANGE; /* negative, or wider than any number here */
		for (i = 1; i < size; i++) {
			if (n >> 56)
				return -ERANGE;
			n = n << 8 | (unsigned char)field[i];
		}
		*ret = n;
		return 0;
	}
	while (i < size && field[i] == ' ')
		i++;
	for (; i < size && field[i] >= '0' && field[i] <= '7'; i++) {
		if (n >> 61)
			return -ERANGE;
		n = n << 3 | (unsigned)(field[i] - '0');
	}
	if (i < size && field[i] && field[i] != ' ')
		return -EINVAL;
	*ret = n;
	return 0;
}

static bool is_zero(const struct ustar *h)
{
	static const struct ustar zeros;

	return memcmp(h, &zeros, sizeof(zeros)) == 0;
}

static bool has_checksum(const struct ustar *h)
{
	struct ustar copy = *h;
	uint64_t told;
	unsigned sum = 0;

	if (get_number(h->checksum, sizeof(h->checksum), &told) < 0)
		return false;
	memset(copy.checksum, ' ', sizeof(copy.checksum));
	for (size_t i = 0; i < sizeof(copy); i++)
		sum += ((const unsigned char *)&copy)[i];
	return sum == told;
}

static int read_all(int fd, void *to, size_t size, struct nook_error *e)
{
	ssize_t n = fd_read(fd, to, size);

	if (n < 0)
		return err_num(e, STEP_FILE, "tar stream", (int)n);
	return (size_t)n == size ? 0 : bad("it ends in the middle of an entry", e);
}

static int read_payload(int fd, uint64_t size, struct buf *out, struct nook_error *e)
{
	char block[BLOCK];

	if (size > RECORDS_MAX)
		return bad("a header is larger than 1 MiB", e);
	for (uint64_t left = size; left;) {
		size_t n = left < BLOCK ? (size_t)left : BLOCK;

		TRY(read_all(fd, block, BLOCK, e));
		buf_add(out, block, n);
		left -= n;
	}
	return 0;
}

/* What records say instead of the header. */
struct records {
	bool has_name, has_link, has_size, has_uid, has_gid, has_mtime;
	uint64_t size, uid, gid;
};

static int set_text(char *to, const char *from, size_t len, struct nook_error *e)
{
	if (len >= PATH_MAX || memchr(from, 0, len))
		return bad("a name is too long, or has a zero byte in it", e);
	memcpy(to, from, len);
	to[len] = 0;
	return 0;
}

static int parse_mtime(const char *text, struct timespec *ret)
{
	bool negative = text[0] == '-';
	char seconds[24];
	size_t len = strcspn(text, ".");
	int64_t sec;
	long nsec = 0, unit = 100000000;

	if (!len || len >= sizeof(seconds))
		return -EINVAL;
	memcpy(seconds, text, len);
	seconds[len] = 0;
	if (text_is(seconds, "-0"))
		sec = 0;
	else if (text_i64(seconds, &sec) < 0)
		return -EINVAL;
	for (const char *p = text[len] ? text + len + 1 : ""; *p; p++, unit /= 10) {
		if (*p < '0' || *p > '9')
			return -EINVAL;
		nsec += (*p - '0') * unit;
	}
	if (negative && nsec)
		sec--, nsec = 1000000000 - nsec;
	*ret = (struct timespec){.tv_sec = sec, .tv_nsec = nsec};
	return 0;
}

static int set_record(const char *key, const char *value, size_t len, struct records *r, struct entry *entry, struct nook_error *e)
{
	const char *xattr = text_after(key, XATTR_RECORD);
	const struct {
		const char *key;
		uint64_t *to;
		bool *has;
	} numbers[] = {{"size", &r->size, &r->has_size}, {"uid", &r->uid, &r->has_uid}, {"gid", &r->gid, &r->has_gid}};
	uint32_t bytes = (uint32_t)len;

	if (text_is(key, "path")) {
		r->has_name = true;
		return set_text(entry->name, value, len, e);
	}
	if (text_is(key, "linkpath")) {
		r->has_link = true;
		return set_text(entry->link, value, len, e);
	}
	if (text_is(key, "mtime")) {
		r->has_mtime = true;
		return parse_mtime(value, &entry->mtime) < 0 ? bad("a time is no number", e) : 0;
	}
	if (text_is(key, SPARSE_RECORD))
		entry->sparse = true;
	if (text_after(key, GNU_SPARSE))
		return bad("it has sparse entries as GNU tar writes them, which are not read here", e);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		if (text_is(key, numbers[i].key)) {
			*numbers[i].has = true;
			return text_u64(value, numbers[i].to) < 0 ? bad("a record is no number", e) : 0;
		}
	if (xattr && *xattr && strlen(xattr) < 256 && len <= 65536 && entry->xattrs.len + len < XATTRS_MAX) {
		buf_add(&entry->xattrs, xattr, strlen(xattr) + 1);
		buf_add(&entry->xattrs, &bytes, sizeof(bytes));
		buf_add(&entry->xattrs, value, len);
	}
	return 0;
}

static int parse_records(struct buf *text, struct records *r, struct entry *entry, struct nook_error *e)
{
	char *at = text->data, *end = text->data + text->len;

	while (at < end) {
		char *space = memchr(at, ' ', (size_t)(end - at)), *equals;
		uint64_t len;

		if (!space || space - at > 8)
			return bad("a record has no length", e);
		*space = 0;
		if (text_u64(at, &len) < 0 || len > (uint64_t)(end - at) || at + len <= space + 2 || at[len - 1] != '\n')
			return bad("a record's length is wrong", e);
		equals = memchr(space + 1, '=', (size_t)(at + len - space - 1));
		if (!equals)
			return bad("a record has no value", e);
		*equals = 0;
		at[len - 1] = 0;
		TRY(set_record(space + 1, equals + 1, (size_t)(at + len - 1 - (equals + 1)), r, entry, e));
		at += len;
	}
	return 0;
}

/* A field that is full has no zero at its end. */
static void field_text(char *to, const char *field, size_t size)
{
	size_t len = strnlen(field, size);

	memcpy(to, field, len);
	to[len] = 0;
}

static int from_header(const struct ustar *h, const struct records *r, struct entry *entry, struct nook_error *e)
{
	static const struct {
		char type;
		mode_t mode;
	} types[] = {{'0', S_IFREG}, {0, S_IFREG}, {'7', S_IFREG}, {'1', S_IFREG}, {'2', S_IFLNK},
		{'3', S_IFCHR}, {'4', S_IFBLK}, {'5', S_IFDIR}, {'6', S_IFIFO}};
	uint64_t mode, uid = 0, gid = 0, size, mtime = 0, major = 0, minor = 0;
	mode_t kind = 0;

	if (get_number(h->mode, sizeof(h->mode), &mode) < 0 || get_number(h->size, sizeof(h->size), &size) < 0 ||
		(!r->has_uid && get_number(h->uid, sizeof(h->uid), &uid) < 0) ||
		(!r->has_gid && get_number(h->gid, sizeof(h->gid), &gid) < 0) ||
		(!r->has_mtime && get_number(h->mtime, sizeof(h->mtime), &mtime) < 0))
		return bad("a header has a field that is no number", e);
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (types[i].type == h->type)
			kind = types[i].mode;
	if (!kind)
		return bad("it has an entry of an unknown type", e);
	if (kind == S_IFCHR || kind == S_IFBLK)
		if (get_number(h->major, sizeof(h->major), &major) < 0 || get_number(h->minor, sizeof(h->minor), &minor) < 0)
			return bad("a header has a field that is no number", e);
	entry->uid = (uint32_t)(r->has_uid ? r->uid : uid);
	entry->gid = (uint32_t)(r->has_gid ? r->gid : gid);
	entry->mode = kind | (mode & 07777);
	entry->hard_link = h->type == '1';
	entry->size = kind == S_IFREG && !entry->hard_link ? (r->has_size ? r->size : size) : 0;
	entry->major = (uint32_t)major;
	entry->minor = (uint32_t)minor;
	if (entry->size > INT64_MAX - BLOCK)
		return bad("an entry is too large", e);
	if (!r->has_mtime)
		entry->mtime = (struct timespec){.tv_sec = (time_t)mtime};
	if (!r->has_link)
		field_text(entry->link, h->link, sizeof(h->link));
	if (!r->has_name) {
		char prefix[sizeof(h->prefix) + 1] = "", name[sizeof(h->name) + 1];

		if (memcmp(h->magic, "ustar", 6) == 0)
			field_text(prefix, h->prefix, sizeof(h->prefix));
		field_text(name, h->name, sizeof(h->name));
		(void)snprintf(entry->name, sizeof(entry->name), "%s%s%s", prefix, *prefix ? "/" : "", name);
	}
	return 0;
}

/* Only the first record is looked at: no other would be ours. */
int entry_find_comment(int file, struct buf *ret)
{
	auto_free char *text = NULL;
	struct ustar h;
	uint64_t size;
	ssize_t n;
	char *value;

	if (pread(file, &h, sizeof(h), 0) != sizeof(h) || !has_checksum(&h) || h.type != 'g' ||
		get_number(h.size, sizeof(h.size), &size) < 0 || size > RECORDS_MAX)
		return 0;
	text = xcalloc(1, (size_t)size + 1);
	n = pread(file, text, (size_t)size, sizeof(h));
	if (n != (ssize_t)size || !size || text[size - 1] != '\n')
		return 0;
	text[size - 1] = 0;
	value = strchr(text, ' ');
	if (!value || strtoull(text, NULL, 10) != size || !text_after(value + 1, COMMENT_RECORD "="))
		return 0;
	buf_adds(ret, value + 1 + strlen(COMMENT_RECORD "="));
	return 1;
}

int entry_read(int fd, struct entry *entry, struct nook_error *e)
{
	struct records r = {0};
	struct ustar h;

	entry->xattrs.len = 0;
	entry->sparse = false;
	entry->name[0] = entry->link[0] = 0;
	for (;;) {
		AUTO_VALUE(buf_done) struct buf text = {0};
		ssize_t n = fd_read(fd, &h, sizeof(h));
		uint64_t size = 0;

		if (n < 0)
			return err_num(e, STEP_FILE, "tar stream", (int)n);
		if (n == 0 || (n == sizeof(h) && is_zero(&h)))
			return 0;
		if (n != sizeof(h) || !has_checksum(&h))
			return bad("it is no tar archive, or damaged", e);
		if (!strchr("xgLK", h.type) || !h.type)
			break;
		if (get_number(h.size, sizeof(h.size), &size) < 0)
			return bad("a header has a field that is no number", e);
		TRY(read_payload(fd, size, &text, e));
		if (h.type == 'x') {
			TRY(parse_records(&text, &r, entry, e));
		} else if (h.type == 'L') {
			r.has_name = true;
			TRY(set_text(entry->name, buf_text(&text), strnlen(buf_text(&text), text.len), e));
		} else if (h.type == 'K') {
			r.has_link = true;
			TRY(set_text(entry->link, buf_text(&text), strnlen(buf_text(&text), text.len), e));
		}
	}
	TRY(from_header(&h, &r, entry, e));
	return entry->name[0] ? 1 : bad("it has an entry without a name", e);
}

void entry_done(struct entry *entry)
{
	buf_done(&entry->xattrs);
}
