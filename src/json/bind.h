/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Bind tables: one row per JSON member says where its value lives in a struct; the same rows read and write.
 *
 *	static const struct bind limit_table[] = {
 *		{AT(struct limit, name), BIND_STRING, "name", .flags = BIND_REQUIRED},
 *		{AT(struct limit, soft), BIND_UINT, "soft", .flags = BIND_ALWAYS},
 *		{0},
 *	};
 *	static const struct bind process_table[] = {
 *		{AT(struct process, argv), BIND_STRINGS, "args"},
 *		{LIST(struct process, limits, n_limits), BIND_ARRAY, "limits", .table = limit_table},
 *		{0},
 *	};
 *
 * Reading: unknown members are ignored, null counts as absent, absent members leave the struct as it was.  A wrong type
 * or a number out of the member's range is an error whose object is the member's path: process.limits[2].soft.
 * Writing: members come in table order; what is zero, NULL or empty is left out unless its row says BIND_ALWAYS.
 */
#pragma once

#include "base/alloc.h"
#include "base/fd.h"
#include "base/value.h"
#include "json/load.h"
#include "json/out.h"

enum bind_type {
	BIND_STRING = 1, /* const char * */
	BIND_BOOL,       /* bool */
	BIND_INT,        /* a signed integer of the member's width */
	BIND_UINT,       /* an unsigned one */
	BIND_OPT_INT,    /* struct opt_i64 */
	BIND_OPT_UINT,   /* struct opt_u64 */
	BIND_STRINGS,    /* const char *const *, NULL-terminated; LIST() also keeps the count */
	BIND_UINTS,      /* LIST(): unsigned integers of the element's width */
	BIND_STRUCT,     /* .table: an object, the struct lies in place */
	BIND_ARRAY,      /* LIST(), .table: an array of objects */
	BIND_MAP,        /* LIST() of {const char *key, *value} (struct spec_pair), sorted by key */
	BIND_OBJECTS,    /* LIST(), .table: an object of objects, sorted; an element's first member (const char *) is the key */
	BIND_WORD,       /* .words: a string that stands for an integer of the member's width */
	BIND_WORDS,      /* .words: an array of strings, each a bit (or bits) of the member */
	BIND_CUSTOM,     /* .custom */
	BIND_INLINE,     /* .table: members of this same JSON object that live in the nested struct; no name */
};

enum bind_flags {
	BIND_ALWAYS = 1,   /* written even when zero or empty */
	BIND_REQUIRED = 2, /* its absence is an error; written always */
	BIND_READ_ONLY = 4, /* read, never written: an older spelling */
};

/* More elements than any container has; keeps a small file from becoming gigabytes of structs. */
enum { BIND_ITEMS_MAX = 65536 };

struct bind_word {
	const char *word;
	int64_t value;
};

struct bind_reader;
/* A member that no type above describes.  MEMBER is the struct's address plus the row's offset. */
struct bind_custom {
	int (*read)(struct bind_reader *r, struct json *value, void *member, struct nook_error *e);
	/* Writes KEY and value, or nothing when the member is not set; NULL: never written. */
	void (*write)(struct json_out *o, const char *key, const void *member);
};

struct bind {
	uint16_t offset;
	uint16_t count;  /* offset of the size_t of LIST() or the bool of HAS() */
	uint8_t counted; /* count is in use */
	uint16_t size;   /* of the member; LIST(): of one element */
	uint8_t type;    /* enum bind_type; 0 ends the table */
	const char *name;
	union {
		const struct bind *table;
		const struct bind_word *words; /* ends with a NULL word */
		const struct bind_custom *custom;
	};
	uint8_t flags;
};

#define AT(type, member) .offset = offsetof(type, member), .size = sizeof(((type *)0)->member)
#define LIST(type, member, n) \
	.offset = offsetof(type, member), .count = offsetof(type, n), .counted = 1, .size = sizeof(*((type *)0)->member)
/* A member (no list) with a bool beside it that tells whether it was there, and decides whether it is written. */
#define HAS(type, member, has) \
	.offset = offsetof(type, member), .count = offsetof(type, has), .counted = 1, .size = sizeof(((type *)0)->member)

/* Where the reader is; for custom functions. */
enum { BIND_DEPTH = 16 };
struct bind_reader {
	struct arena *arena; /* all memory of the result */
	enum step_id step;   /* of errors */
	unsigned depth;
	struct {
		const char *name; /* NULL: index */
		size_t index;
	} path[BIND_DEPTH];
};

/* Fills OBJECT from ROOT.  PREFIX is the path of ROOT for messages ("linux.resources"), or NULL. */
int bind_read(struct json *root, const struct bind *table, void *object, struct arena *a, const char *prefix,
	enum step_id step, struct nook_error *e);
/* Load and read in one: the JSON text is gone when it returns. */
int bind_load(int dir, const char *name, size_t limit, const struct bind *table, void *object, struct arena *a,
	enum step_id step, struct nook_error *e);
/* Appends the object as text, without a final newline. */
void bind_text(const struct bind *table, const void *object, enum json_style style, struct buf *text);
/* Replaces DIR/NAME by the object's text and a newline: file_replace(). */
int bind_save(int dir, const char *name, const struct bind *table, const void *object, enum json_style style, mode_t mode,
	enum file_sync sync, struct nook_error *e);

/* For custom functions: values with checks, and errors that name the member. */
int bind_read_table(struct bind_reader *r, struct json *value, const struct bind *table, void *object,
	struct nook_error *e);
int bind_read_string(struct bind_reader *r, struct json *value, const char **ret, struct nook_error *e);
/* -EINVAL with one clause. */
int bind_refuse(struct bind_reader *r, struct nook_error *e, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
int bind_expect(struct bind_reader *r, struct json *value, enum json_type type, struct nook_error *e);
/* Goes into member NAME, or with NULL into element INDEX, and back. */
int bind_enter(struct bind_reader *r, const char *name, size_t index, struct nook_error *e);
void bind_leave(struct bind_reader *r);
void bind_write_table(struct json_out *o, const struct bind *table, const void *object);
static inline bool bind_is_list(const struct bind *row)
{
	return row->type == BIND_STRINGS || row->type == BIND_UINTS || row->type == BIND_ARRAY || row->type == BIND_MAP ||
		row->type == BIND_OBJECTS;
}
/* The row of WORD in WORDS, or NULL; the word of VALUE, or NULL. */
const struct bind_word *bind_word_find(const struct bind_word *words, const char *word);
const char *bind_word_of(const struct bind_word *words, int64_t value);
