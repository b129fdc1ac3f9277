/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/resctrl.h"

#include "base/fd.h"
#include "base/text.h"

#include <stdio.h>
#include <sys/stat.h>

enum { SCHEMATA_MAX = 256 * 1024 };

int resctrl_open(struct nook_error *e)
{
	auto_close int fd = open(RESCTRL_ROOT, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || faccessat(fd, "schemata", F_OK, 0) < 0)
		return err_why(e, STEP_LIMIT, "linux.intelRdt", EOPNOTSUPP, "no resctrl file system is mounted at " RESCTRL_ROOT);
	return take_fd(&fd);
}

/* ---- schemata --------------------------------------------------------------------------------------------------------- */

static const char *next_line(const char *p)
{
	p += strcspn(p, "\n");
	return p + (*p == '\n');
}

/* The line of TEXT that begins with the name of LINE ("L3:"), behind the colon; NULL when there is none. */
static const char *line_of(const char *text, const char *line)
{
	size_t len = strcspn(line, ":\n") + 1;

	for (; *text; text = next_line(text)) {
		const char *p = text + strspn(text, " \t");

		if (!strncmp(p, line, len))
			return p + len;
	}
	return NULL;
}

/* Does the list "0=ff;1=f" say of domain ID what is said at VALUE?  Masks are hexadecimal, shares need not be. */
static bool has_value(const char *list, const char *id, size_t id_len, const char *value)
{
	while (*list && *list != '\n') {
		list += strspn(list, " ");
		if (!strncmp(list, id, id_len) && list[id_len] == '=')
			return strtoull(list + id_len + 1, NULL, 16) == strtoull(value, NULL, 16);
		list += strcspn(list, ";\n");
		list += *list == ';';
	}
	return false;
}

/* Do all that WANTED says hold in what the class has? */
static bool agrees(const char *has, const char *wanted)
{
	for (; *wanted; wanted = next_line(wanted)) {
		const char *list = line_of(has, wanted), *p = wanted + strcspn(wanted, ":\n");

		if (!list || *p != ':')
			return false;
		for (p++; *p && *p != '\n'; p += *p == ';') {
			size_t id;

			p += strspn(p, " ");
			id = strcspn(p, "=;\n");
			if (p[id] != '=' || !has_value(list, p, id, p + id + 1))
				return false;
			p += strcspn(p, ";\n");
		}
	}
	return true;
}

static int check_agrees(int dir, const char *class, const char *schemata, struct nook_error *e)
{
	AUTO_VALUE(buf_done) struct buf has = {0};
	int r = file_read(dir, "schemata", SCHEMATA_MAX, &has, NULL);

	if (r < 0)
		return err_num(e, STEP_LIMIT, class, r);
	if (agrees(buf_text(&has), schemata))
		return 0;
	return err_why(e, STEP_LIMIT, class, EINVAL, "the resctrl class exists and its schemata are not those of linux.intelRdt");
}

/* The kernel says what it did not like in info/last_cmd_status. */
static int refused(int root, const char *class, int r, struct nook_error *e)
{
	AUTO_VALUE(buf_done) struct buf why = {0};

	(void)err_num(e, STEP_LIMIT, class, r);
	if (file_read(root, "info/last_cmd_status", SCHEMATA_MAX, &why, NULL) == 0 && why.len > 1 && !text_is(why.data, "ok\n")) {
		why.data[strcspn(why.data, "\n")] = 0;
		err_detail(e, why.data);
	}
	return r;
}

static int open_group(int root, const char *group, struct nook_error *e)
{
	int fd = openat(root, group, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? err_sys(e, STEP_LIMIT, group) : fd;
}

int resctrl_write(int root, const char *class, const char *schemata, struct nook_error *e)
{
	auto_close int dir = TRY(open_group(root, class, e));

	/* One resource a write: the kernel stops at the first that it refuses, and the record names it. */
	for (const char *line = schemata; *line; line = next_line(line)) {
		size_t len = strcspn(line, "\n");
		auto_close int fd = openat(dir, "schemata", O_WRONLY | O_CLOEXEC);
		auto_free char *text = len ? xasprintf("%.*s\n", (int)len, line) : NULL;

		if (text && (fd < 0 || write(fd, text, len + 1) < 0))
			return refused(root, class, -errno, e);
	}
	return 0;
}

/* ---- groups ------------------------------------------------------------------------------------------------------------ */

int resctrl_class(int root, const char *class, const char *schemata, enum resctrl_mode mode, struct nook_error *e)
{
	bool exists = text_is(class, ".") || faccessat(root, class, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
	int r;

	if (!exists && mode == RESCTRL_MUST_EXIST)
		return err_why(e, STEP_LIMIT, class, ENOENT, "there is no such resctrl class, and linux.intelRdt has no schemata to make it of");
	if (exists && mode != RESCTRL_OWN) {
		auto_close int dir = TRY(open_group(root, class, e));

		return check_agrees(dir, class, schemata, e);
	}
	if (!exists && mkdirat(root, class, 0755) < 0)
		return refused(root, class, -errno, e);
	r = resctrl_write(root, class, schemata, e);
	if (r < 0 && !exists)
		(void)unlinkat(root, class, AT_REMOVEDIR);
	return r;
}

int resctrl_monitor(int root, const char *group, struct nook_error *e)
{
	return mkdirat(root, group, 0755) < 0 && errno != EEXIST ? refused(root, group, -errno, e) : 0;
}

int resctrl_join(int root, const char *group, pid_t pid, struct nook_error *e)
{
	auto_close int dir = TRY(open_group(root, group, e));
	char text[16];
	int r;

	(void)snprintf(text, sizeof(text), "%d", (int)pid);
	r = file_write(dir, "tasks", text, STEP_LIMIT, NULL);
	return r < 0 ? refused(root, group, r, e) : 0;
}
