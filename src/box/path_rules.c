/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Rules about files: what of the host a box shows and where, what it hides, what it has of its own. */
#include "box/path_rules.h"

#include "base/fd.h"
#include "base/text.h"
#include "box/rule.h"

#include <string.h>

enum { PUT_MAX = 8 << 20 };

/* What such a path leads to depends on who opens it. */
static int check_own(const char *path, const char *value, struct nook_error *e)
{
	static const char *const own[] = {"/proc/self/", "/proc/thread-self/", "/dev/fd/", "/dev/stdin", "/dev/stdout", "/dev/stderr"};

	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		if (text_after(path, own[i]))
			return rule_refuse(value, "it leads elsewhere for each process: give the path of the file itself", e);
	return 0;
}

/* "SOURCE[:TARGET]"; a colon of a name is written "\:". */
static int path_pair(struct nook_box *b, const char *value, struct box_path *ret, struct nook_error *e)
{
	char *source = arena_alloc(b->arena, strlen(value) + 1), *to = source;
	const char *target = NULL;

	for (const char *c = value; *c; c++) {
		if (*c == ':' && !target) {
			target = c + 1;
			break;
		}
		if (*c == '\\' && c[1] == ':')
			c++;
		*to++ = *c;
	}
	TRY(rule_path(b, source, &ret->source, e));
	TRY(check_own(ret->source, value, e));
	ret->target = ret->source;
	if (target && target[0] != '/')
		return rule_refuse(value, "the target behind the colon is an absolute path", e);
	return target ? rule_path(b, target, &ret->target, e) : 0;
}

static void path_add(struct nook_box *b, const struct box_path *p)
{
	struct box_path *at = NULL;

	/* The later rule about the same place wins. */
	for (size_t i = 0; i < b->n_paths; i++)
		if (text_is(b->paths[i].target, p->target) && (b->paths[i].kind >= BOX_PATH_HIDE) == (p->kind >= BOX_PATH_HIDE))
			at = &b->paths[i];
	if (!at)
		at = arena_push(b->arena, &b->paths, &b->n_paths);
	*at = *p;
	at->rule = (int)b->n_lines + 1;
}

static int add_bind(struct nook_box *b, enum box_path_kind kind, bool if_exists, const char *value, struct nook_error *e)
{
	struct box_path p = {.kind = kind, .if_exists = if_exists};

	TRY(path_pair(b, value, &p, e));
	if (text_is(p.target, "/"))
		return rule_refuse(value, "the root itself is given by root, not by a path in it", e);
	path_add(b, &p);
	return 0;
}

int box_add_ro(struct nook_box *b, const char *value, struct nook_error *e)
{
	return add_bind(b, BOX_PATH_RO, false, value, e);
}

int box_add_rw(struct nook_box *b, const char *value, struct nook_error *e)
{
	return add_bind(b, BOX_PATH_RW, false, value, e);
}

int box_add_dev(struct nook_box *b, const char *value, struct nook_error *e)
{
	return add_bind(b, BOX_PATH_DEV, false, value, e);
}

int box_add_try(struct nook_box *b, const char *value, struct nook_error *e)
{
	return add_bind(b, BOX_PATH_RO, true, value, e);
}

/* "PATH[:TARGET][,keep=DIR]" */
int box_add_overlay(struct nook_box *b, const char *value, struct nook_error *e)
{
	struct box_path p = {.kind = BOX_PATH_OVERLAY};
	const char *keep = strstr(value, ",keep=");

	TRY(path_pair(b, keep ? arena_strndup(b->arena, value, (size_t)(keep - value)) : value, &p, e));
	if (keep)
		TRY(rule_path(b, keep + strlen(",keep="), &p.keep, e));
	if (text_is(p.target, "/"))
		return rule_refuse(value, "the root itself is given by root, not by a path in it", e);
	path_add(b, &p);
	return 0;
}

int box_add_sock(struct nook_box *b, const char *value, struct nook_error *e)
{
	struct box_path p = {.kind = BOX_PATH_RO, .socket = true};

	TRY(path_pair(b, value, &p, e));
	path_add(b, &p);
	return 0;
}

int box_add_tmp(struct nook_box *b, const char *value, struct nook_error *e)
{
	size_t len = strcspn(value, ",");
	struct box_path p = {.kind = BOX_PATH_TMP};
	const char *size = value[len] ? text_after(value + len + 1, "size=") : NULL;

	if (value[0] != '/')
		return rule_refuse(value, "the directory is an absolute path", e);
	if (value[len] && (!size || text_bytes(size, &p.bytes) < 0 || !p.bytes))
		return rule_refuse(value, "behind the comma stands size=BYTES", e);
	TRY(rule_path(b, arena_strndup(b->arena, value, len), &p.target, e));
	if (text_is(p.target, "/"))
		return rule_refuse(value, "an empty root is given by bare", e);
	path_add(b, &p);
	return 0;
}

int box_add_hide(struct nook_box *b, const char *value, struct nook_error *e)
{
	struct box_path p = {.kind = BOX_PATH_HIDE};

	if (strpbrk(value, "*?[")) {
		p.kind = BOX_PATH_GLOB;
		p.target = value;
		if (value[0] != '/' && !text_after(value, "**/"))
			return rule_refuse(value, "a pattern starts with / or **/", e);
		path_add(b, &p);
		return 0;
	}
	TRY(rule_path(b, value, &p.target, e));
	if (text_is(p.target, "/"))
		return rule_refuse(value, "the root cannot be hidden", e);
	path_add(b, &p);
	return 0;
}

/* ---- files of the box's own ----------------------------------------------------------------------------------------- */

int box_add_file(struct nook_box *b, const char *target, const void *data, size_t size, struct nook_error *e)
{
	struct box_file f = {.data = arena_memdup(b->arena, data, size ? size : 1), .size = size};

	if (target[0] != '/')
		return rule_refuse(target, "the target is an absolute path", e);
	if (size > PUT_MAX)
		return err_num(e, STEP_OPTION, target, EFBIG);
	TRY(rule_path(b, target, &f.target, e));
	for (size_t i = 0; i < b->n_files; i++) {
		if (text_is(b->files[i].target, f.target)) {
			b->files[i] = f;
			return 0;
		}
	}
	*arena_push(b->arena, &b->files, &b->n_files) = f;
	return 0;
}

/* "fd:N", which is read to its end. */
static int put_from_fd(struct nook_box *b, const char *target, const char *number, struct nook_error *e)
{
	auto_free char *data = xcalloc(1, PUT_MAX + 1);
	uint64_t fd = 0;
	ssize_t n;

	if (text_u64(number, &fd) < 0 || fd > BOX_FD_MAX)
		return rule_refuse(number, "behind fd: stands the number of a descriptor", e);
	n = fd_read((int)fd, data, PUT_MAX + 1);
	return n < 0 ? err_num(e, STEP_FILE, target, (int)n) : box_add_file(b, target, data, (size_t)n, e);
}

/* "TARGET=TEXT" or "TARGET=@FILE" or "TARGET=fd:N", which are read now. */
int box_add_put(struct nook_box *b, const char *value, struct nook_error *e)
{
	AUTO_VALUE(buf_done) struct buf text = {0};
	size_t len = strcspn(value, "=");
	const char *target = arena_strndup(b->arena, value, len), *file = NULL;

	if (!value[len])
		return rule_refuse(value, "it is TARGET=TEXT, TARGET=@FILE or TARGET=fd:N", e);
	if (text_after(value + len + 1, "fd:"))
		return put_from_fd(b, target, value + len + 1 + strlen("fd:"), e);
	if (value[len + 1] != '@')
		return box_add_file(b, target, value + len + 1, strlen(value + len + 1), e);
	TRY(rule_path(b, value + len + 2, &file, e));
	TRY(file_read(AT_FDCWD, file, PUT_MAX, &text, e));
	return box_add_file(b, target, buf_text(&text), text.len, e);
}
