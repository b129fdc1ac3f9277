/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Input: whom to look up, a zero byte, /etc/passwd, a zero byte, /etc/group. */
#include "scratch.h"
#include "sys/userdb.h"

#include <string.h>
#include <sys/stat.h>

static size_t part(const uint8_t *data, size_t size)
{
	const uint8_t *end = memchr(data, 0, size);

	return end ? (size_t)(end - data) : size;
}

static void put(int dir, const char *name, const void *data, size_t size)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	MUST(fd >= 0 && fd_write(fd, data, size) == 0);
	(void)close(fd);
}

static void judge(int r, const struct userdb_user *u, const struct nook_error *e)
{
	if (r < 0) {
		MUST(e->step == STEP_USER || e->step == STEP_GROUPS);
		return;
	}
	MUST(u->uid != UINT32_MAX && u->gid != UINT32_MAX);
	MUST(u->home[0] == '/' && strnlen(u->home, sizeof(u->home)) < sizeof(u->home));
	MUST(u->n_groups <= 8);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int root = -1;
	struct nook_error e = NOOK_ERROR_INIT;
	size_t n = part(data, size), at;
	uint32_t groups[8], gid = 0;
	struct userdb_user u;
	char who[512];
	int r;

	if (root < 0) {
		root = scratch_make();
		MUST(mkdirat(root, "etc", 0700) == 0);
	}
	if (n >= sizeof(who))
		return 0;
	memcpy(who, data, n);
	who[n] = 0;
	at = n < size ? n + 1 : size;
	n = part(data + at, size - at);
	put(root, "etc/passwd", data + at, n);
	at += n < size - at ? n + 1 : size - at;
	put(root, "etc/group", data + at, size - at);
	r = userdb_find(root, who, groups, 8, &u, &e);
	judge(r, &u, &e);
	/* Digits are never a name. */
	if (r == 0 && who[0] && !who[strspn(who, "0123456789")])
		MUST(u.uid == strtoull(who, NULL, 10));
	r = userdb_by_uid(root, 1000, &u, &e);
	MUST(r < 0 || u.uid == 1000);
	if (userdb_group(root, who, &gid, &e) == 0)
		MUST(gid != UINT32_MAX);
	return 0;
}
