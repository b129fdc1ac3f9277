/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stream/header.h"

#include "base/fd.h"
#include "base/text.h"
#include "stream/ustar.h"

#include <stdio.h>

enum { OCTAL_ID_MAX = 07777777 };
#define OCTAL_SIZE_MAX UINT64_C(077777777777)

/* What does not fit stands in a record, and here as far as it goes. */
static void put_octal(char *field, size_t size, uint64_t value)
{
	uint64_t most = (UINT64_C(1) << (3 * (size - 1))) - 1;

	(void)snprintf(field, size, "%0*llo", (int)size - 1, (unsigned long long)(value > most ? most : value));
}

static void put_text(char *field, size_t size, const char *text)
{
	size_t len = strlen(text);

	memcpy(field, text, len < size ? len : size);
}

static void put_checksum(struct ustar *h)
{
	unsigned sum = 0;

	memset(h->checksum, ' ', sizeof(h->checksum));
	for (size_t i = 0; i < sizeof(*h); i++)
		sum += ((const unsigned char *)h)[i];
	(void)snprintf(h->checksum, sizeof(h->checksum), "%06o", sum);
}

static char type_of(const struct entry *entry)
{
	if (entry->hard_link)
		return '1';
	switch (entry->mode & S_IFMT) {
	case S_IFLNK: return '2';
	case S_IFCHR: return '3';
	case S_IFBLK: return '4';
	case S_IFDIR: return '5';
	case S_IFIFO: return '6';
	default: return '0';
	}
}

static int put_header(int fd, const struct entry *entry, char type, const char *name, uint64_t size, struct nook_error *e)
{
	struct ustar h = {.magic = "ustar", .version = {'0', '0'}, .type = type};
	int r;

	put_text(h.name, sizeof(h.name), name);
	put_octal(h.mode, sizeof(h.mode), entry->mode & 07777);
	put_octal(h.uid, sizeof(h.uid), entry->uid);
	put_octal(h.gid, sizeof(h.gid), entry->gid);
	put_octal(h.size, sizeof(h.size), size);
	put_octal(h.mtime, sizeof(h.mtime), entry->mtime.tv_sec > 0 ? (uint64_t)entry->mtime.tv_sec : 0);
	put_octal(h.major, sizeof(h.major), entry->major);
	put_octal(h.minor, sizeof(h.minor), entry->minor);
	put_text(h.link, sizeof(h.link), type == 'x' ? "" : entry->link);
	put_checksum(&h);
	r = fd_write(fd, &h, sizeof(h));
	return r < 0 ? err_num(e, STEP_FILE, "tar stream", r) : 0;
}

/* "LENGTH KEY=VALUE\n", where LENGTH counts itself. */
static void add_record(struct buf *out, const char *key, const void *value, size_t len)
{
	size_t rest = strlen(key) + len + 3, total = rest + 1;
	char digits[24];

	while ((size_t)snprintf(digits, sizeof(digits), "%zu", total) + rest != total)
		total = (size_t)snprintf(digits, sizeof(digits), "%zu", total) + rest;
	buf_addf(out, "%zu %s=", total, key);
	buf_add(out, value, len);
	buf_addc(out, '\n');
}

static void add_number(struct buf *out, const char *key, uint64_t value)
{
	char text[24];

	add_record(out, key, text, (size_t)snprintf(text, sizeof(text), "%llu", (unsigned long long)value));
}

static void add_xattrs(struct buf *out, const struct buf *xattrs)
{
	for (size_t at = 0; at < xattrs->len;) {
		const char *name = xattrs->data + at;
		char key[300];
		uint32_t len;

		at += strlen(name) + 1;
		memcpy(&len, xattrs->data + at, sizeof(len));
		at += sizeof(len);
		(void)snprintf(key, sizeof(key), XATTR_RECORD "%s", name);
		add_record(out, key, xattrs->data + at, len);
		at += len;
	}
}

static void add_records(struct buf *out, const struct entry *entry)
{
	char text[48];

	if (strlen(entry->name) > sizeof(((struct ustar *)0)->name))
		add_record(out, "path", entry->name, strlen(entry->name));
	if (strlen(entry->link) > sizeof(((struct ustar *)0)->link))
		add_record(out, "linkpath", entry->link, strlen(entry->link));
	if (entry->size > OCTAL_SIZE_MAX)
		add_number(out, "size", entry->size);
	if (entry->uid > OCTAL_ID_MAX)
		add_number(out, "uid", entry->uid);
	if (entry->gid > OCTAL_ID_MAX)
		add_number(out, "gid", entry->gid);
	if (entry->mtime.tv_nsec || entry->mtime.tv_sec < 0 || (uint64_t)entry->mtime.tv_sec > OCTAL_SIZE_MAX) {
		/* -0.5 s is second -1 and half a second more. */
		int64_t sec = entry->mtime.tv_sec;
		long nsec = entry->mtime.tv_nsec;
		bool negative = sec < 0;

		if (negative && nsec)
			sec++, nsec = 1000000000 - nsec;
		add_record(out, "mtime", text, (size_t)snprintf(text, sizeof(text), "%s%lld.%09ld", negative && !sec ? "-" : "",
			(long long)sec, nsec));
	}
	if (entry->sparse)
		add_record(out, SPARSE_RECORD, "1", 1);
	add_xattrs(out, &entry->xattrs);
}

int entry_write_padding(int fd, uint64_t size, struct nook_error *e)
{
	static const char zeros[BLOCK];
	int r = fd_write(fd, zeros, (size_t)(entry_padded(size) - size));

	return r < 0 ? err_num(e, STEP_FILE, "tar stream", r) : 0;
}

/* RECORDS, and what does not fit into the header. */
static int write_with(int fd, const struct entry *entry, struct buf *records, struct nook_error *e)
{
	add_records(records, entry);
	if (records->len) {
		const struct entry plain = {.mode = S_IFREG | 0644};
		int r;

		TRY(put_header(fd, &plain, 'x', "pax", records->len, e));
		r = fd_write(fd, records->data, records->len);
		if (r < 0)
			return err_num(e, STEP_FILE, "tar stream", r);
		TRY(entry_write_padding(fd, records->len, e));
	}
	return put_header(fd, entry, type_of(entry), entry->name, entry->size, e);
}

/* The pieces, in front of their data: decimal numbers, a line each. */
static void add_map(struct buf *out, const struct entry *entry)
{
	buf_addf(out, "%zu\n", entry->n_pieces);
	for (size_t i = 0; i < entry->n_pieces; i++)
		buf_addf(out, "%llu\n%llu\n", (unsigned long long)entry->pieces[i].at, (unsigned long long)entry->pieces[i].size);
	while (out->len % BLOCK)
		buf_addc(out, 0);
}

/* Readers that do not know of holes find what they do not understand under a name of its own. */
static int write_sparse(int fd, const struct entry *entry, struct nook_error *e)
{
	AUTO_VALUE(buf_done) struct buf records = {0}, map = {0};
	auto_free struct entry *plain = xcalloc(1, sizeof(*plain));
	int r;

	*plain = *entry;
	add_record(&records, GNU_SPARSE "major", "1", 1);
	add_record(&records, GNU_SPARSE "minor", "0", 1);
	add_record(&records, GNU_SPARSE "name", entry->name, strlen(entry->name));
	add_number(&records, GNU_SPARSE "realsize", entry->size);
	add_map(&map, entry);
	plain->pieces = NULL;
	plain->size = map.len;
	for (size_t i = 0; i < entry->n_pieces; i++)
		plain->size += entry->pieces[i].size;
	(void)snprintf(plain->name, sizeof(plain->name), "GNUSparseFile.0/%.80s", strrchr(entry->name, '/') ? strrchr(entry->name, '/') + 1 : entry->name);
	TRY(write_with(fd, plain, &records, e));
	r = fd_write(fd, map.data, map.len);
	return r < 0 ? err_num(e, STEP_FILE, "tar stream", r) : 0;
}

int entry_write(int fd, const struct entry *entry, struct nook_error *e)
{
	AUTO_VALUE(buf_done) struct buf records = {0};

	return entry->pieces ? write_sparse(fd, entry, e) : write_with(fd, entry, &records, e);
}

int entry_write_comment(int fd, const char *text, struct nook_error *e)
{
	AUTO_VALUE(buf_done) struct buf record = {0};
	const struct entry plain = {.mode = S_IFREG | 0644};
	int r;

	add_record(&record, COMMENT_RECORD, text, strlen(text));
	TRY(put_header(fd, &plain, 'g', "pax", record.len, e));
	r = fd_write(fd, record.data, record.len);
	return r < 0 ? err_num(e, STEP_FILE, "tar stream", r) : entry_write_padding(fd, record.len, e);
}

int entry_write_end(int fd, struct nook_error *e)
{
	static const char zeros[2 * BLOCK];
	int r = fd_write(fd, zeros, sizeof(zeros));

	return r < 0 ? err_num(e, STEP_FILE, "tar stream", r) : 0;
}
