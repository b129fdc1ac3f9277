/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/userdb.h"

#include "base/text.h"
#include "sys/fields.h"
#include "sys/inroot.h"

#include <fcntl.h>
#include <sys/stat.h>

#define PASSWD "/etc/passwd"
#define GROUP  "/etc/group"

struct passwd_line {
	char name[USERDB_NAME_MAX + 1];
	uint32_t uid, gid;
	char home[PATH_MAX];
};

/* 1: TEXT is an id (0..4294967294), 0: not a number, -ERANGE: a number that is no id. */
static int id_parse(const char *text, uint32_t *ret)
{
	uint32_t value = 0;

	if (!*text || text[strspn(text, "0123456789")])
		return 0;
	if (text_u32(text, &value) < 0 || value == UINT32_MAX)
		return -ERANGE;
	*ret = value;
	return 1;
}

/* A descriptor, or -ENOENT when there is no regular file of this name (nothing recorded), or another -errno. */
static int open_regular(int root, const char *name, enum step_id step, struct nook_error *e)
{
	/* O_NONBLOCK: a FIFO opens at once instead of waiting for a writer. */
	auto_close int fd = inroot_open_raw(root, name, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
	struct stat st;

	if (fd == -ENOENT || fd == -ENXIO || fd == -ELOOP || fd == -ENOTDIR)
		return -ENOENT;
	if (fd < 0)
		return err_num(e, step, name, fd);
	if (fstat(fd, &st) < 0)
		return err_sys(e, step, name);
	return S_ISREG(st.st_mode) ? take_fd(&fd) : -ENOENT;
}

/* A field that must be there, with more behind it on the line unless it is the last one wanted. */
static bool take(struct fields *f, char *out, size_t size)
{
	return f->end == ':' && fields_next(f, out, size, "") && f->fit;
}

static bool take_id(struct fields *f, uint32_t *ret)
{
	char text[16];

	return take(f, text, sizeof(text)) && id_parse(text, ret) == 1;
}

/* Judges the first field, NAME, and passes over the password; false when the line is of no use (comment, NIS). */
static bool is_entry(struct fields *f, const char *name)
{
	char password[2];

	if (!f->fit || f->end != ':' || !*name || strchr("#+-", *name))
		return false;
	return fields_next(f, password, sizeof(password), "") && f->end == ':';
}

static bool passwd_line(struct fields *f, struct passwd_line *p)
{
	char comment[2];

	if (!is_entry(f, p->name) || !take_id(f, &p->uid) || !take_id(f, &p->gid))
		return false;
	p->home[0] = 0;
	if (f->end == ':' && fields_next(f, comment, sizeof(comment), "") && !take(f, p->home, sizeof(p->home)))
		p->home[0] = 0;
	return true;
}

/* Finds by NAME, or by UID when NAME is NULL: 0, 1 when there is no such line. */
static int passwd_find(int root, const char *name, uint32_t uid, struct passwd_line *ret, struct nook_error *e)
{
	auto_close int fd = open_regular(root, PASSWD, STEP_USER, e);
	struct fields f;

	if (fd == -ENOENT)
		return 1;
	if (fd < 0)
		return fd;
	fields_init(&f, fd, USERDB_FILE_MAX);
	while (fields_next(&f, ret->name, sizeof(ret->name), "")) {
		bool good = passwd_line(&f, ret);

		if (good && (name ? text_is(ret->name, name) : ret->uid == uid))
			return 0;
		fields_skip_line(&f);
	}
	return f.error ? err_num(e, STEP_USER, PASSWD, f.error) : 1;
}

static void fill(struct userdb_user *ret, const struct passwd_line *p)
{
	ret->uid = p->uid;
	ret->gid = p->gid;
	ret->known = true;
	if (p->home[0] == '/')
		memcpy(ret->home, p->home, strlen(p->home) + 1);
}

static void clear(struct userdb_user *ret, uint32_t uid)
{
	ret->uid = uid;
	ret->gid = 0;
	ret->n_groups = 0;
	ret->known = false;
	ret->home[0] = '/';
	ret->home[1] = 0;
}

int userdb_by_uid(int root, uint32_t uid, struct userdb_user *ret, struct nook_error *e)
{
	struct passwd_line p;
	int r;

	r = TRY(passwd_find(root, NULL, uid, &p, e));
	clear(ret, uid);
	if (!r)
		fill(ret, &p);
	return r;
}

int userdb_group(int root, const char *group, uint32_t *ret, struct nook_error *e)
{
	int is_number = id_parse(group, ret);
	auto_close int fd = -EBADF;
	struct fields f;

	if (is_number < 0)
		return err_why(e, STEP_GROUPS, group, ERANGE, "a group id is at most 4294967294");
	if (is_number)
		return 0;
	fd = open_regular(root, GROUP, STEP_GROUPS, e);
	if (fd < 0 && fd != -ENOENT)
		return fd;
	if (fd >= 0) {
		char name[USERDB_NAME_MAX + 1];
		uint32_t gid;

		fields_init(&f, fd, USERDB_FILE_MAX);
		while (fields_next(&f, name, sizeof(name), "")) {
			if (is_entry(&f, name) && take_id(&f, &gid) && text_is(name, group)) {
				*ret = gid;
				return 0;
			}
			fields_skip_line(&f);
		}
		if (f.error)
			return err_num(e, STEP_GROUPS, GROUP, f.error);
	}
	return err_why(e, STEP_GROUPS, group, ENOENT, "no such group in the container's " GROUP);
}

/* Is USER in the member list that follows?  Reads the rest of the line. */
static bool has_member(struct fields *f, const char *user)
{
	char member[USERDB_NAME_MAX + 1];

	while (f->end == ':' || f->end == ',')
		if (fields_next(f, member, sizeof(member), ",") && f->fit && text_is(member, user))
			return true;
	return false;
}

static int groups_of(int root, const char *user, uint32_t *groups, size_t max, struct userdb_user *u, struct nook_error *e)
{
	auto_close int fd = open_regular(root, GROUP, STEP_GROUPS, e);
	char name[USERDB_NAME_MAX + 1];
	struct fields f;
	uint32_t gid;

	if (fd == -ENOENT)
		return 0;
	if (fd < 0)
		return fd;
	fields_init(&f, fd, USERDB_FILE_MAX);
	while (fields_next(&f, name, sizeof(name), "")) {
		if (is_entry(&f, name) && take_id(&f, &gid) && gid != u->gid && has_member(&f, user)) {
			if (u->n_groups == max)
				return err_num(e, STEP_GROUPS, user, E2BIG);
			groups[u->n_groups++] = gid;
		}
		fields_skip_line(&f);
	}
	return f.error ? err_num(e, STEP_GROUPS, GROUP, f.error) : 0;
}

/* The user's line by name or number into P and RET: 0, or 1 for a number without a line. */
static int find_user(int root, const char *user, struct passwd_line *p, struct userdb_user *ret, struct nook_error *e)
{
	uint32_t uid = 0;
	int is_number = *user ? id_parse(user, &uid) : 1;
	int r;

	if (is_number < 0)
		return err_why(e, STEP_USER, user, ERANGE, "a user id is at most 4294967294");
	r = TRY(passwd_find(root, is_number ? NULL : user, uid, p, e));
	if (r && !is_number)
		return err_why(e, STEP_USER, user, ENOENT, "no such user in the container's " PASSWD);
	clear(ret, uid);
	if (!r)
		fill(ret, p);
	return r;
}

int userdb_find(int root, const char *who, uint32_t *groups, size_t max, struct userdb_user *ret, struct nook_error *e)
{
	size_t len = strcspn(who, ":");
	char user[USERDB_NAME_MAX + 1];
	struct passwd_line p;
	int unknown;

	if (len >= sizeof(user))
		return err_num(e, STEP_USER, who, ENAMETOOLONG);
	memcpy(user, who, len);
	user[len] = 0;
	unknown = TRY(find_user(root, user, &p, ret, e));
	if (who[len] && who[len + 1])
		return userdb_group(root, who + len + 1, &ret->gid, e);
	return unknown ? 0 : groups_of(root, p.name, groups, max, ret, e);
}
