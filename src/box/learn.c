/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "box/learn.h"

#include "base/fd.h"
#include "base/text.h"
#include "box/box.h"
#include "box/secrets.h"
#include "box/view.h"

#include <dirent.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>

/* Made by the box itself; /run holds sockets of services, some of which are as good as root. */
static const char *const own_tops[] = {"/proc", "/dev", "/sys", "/run", "/lost+found"};

static bool is_named(const char *const *list, size_t n, const char *path)
{
	for (size_t i = 0; i < n && list[i]; i++)
		if (text_is(list[i], path))
			return true;
	return false;
}

static int add_top(struct nook_box *b, const char *name, struct nook_error *e)
{
	char path[NAME_MAX + 2];
	struct stat st;

	(void)snprintf(path, sizeof(path), "/%s", name);
	if (strpbrk(name, ":\\") || lstat(path, &st) < 0 || !S_ISDIR(st.st_mode) || is_named(box_view_dirs, SIZE_MAX, path) ||
		is_named(own_tops, sizeof(own_tops) / sizeof(own_tops[0]), path))
		return 0;
	return box_add(b, BOX_RW, path, e);
}

int learn_rules(struct nook_box *b, struct nook_error *e)
{
	const char *home = secure_getenv("HOME");
	DIR *top = opendir("/");
	int r = 0;

	if (!top)
		return err_sys(e, STEP_SOURCE, "/");
	for (struct dirent *entry; r == 0 && (entry = readdir(top));)
		if (entry->d_name[0] != '.')
			r = add_top(b, entry->d_name, e);
	(void)closedir(top);
	TRY(r);
	/* Where the resolver's settings are, for the host's network. */
	TRY(box_add(b, BOX_IF_EXISTS, "/run/systemd/resolve", e));
	for (const char *const *s = secrets_home; home && home[0] == '/' && !strpbrk(home, "*?[") && *s; s++) {
		AUTO_VALUE(buf_done) struct buf path = {0};

		buf_addf(&path, "%s/%s", home, *s);
		if (access(buf_text(&path), F_OK) == 0)
			TRY(box_add(b, BOX_HIDE, buf_text(&path), e));
	}
	b->learn = true;
	b->net = BOX_NET_HOST;
	return 0;
}

/* Root's ids are its own here: file systems of all kinds are shown, and most of them cannot be idmapped. */
static int keep_ids(struct nook_box *b, struct nook_error *e)
{
	struct plan_host host;

	TRY(plan_host_probe(&host, e));
	return host.first_userns && host.privileged && !b->n_maps ? box_add(b, BOX_MAP, "0:0:2147483647", e) : 0;
}

int learn_ready(struct nook_box *b, int *ret, struct nook_error *e)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(at);
	auto_close int fd = -EBADF;

	*ret = -EBADF;
	if (b->bare || b->root)
		return err_why(e, STEP_OPTION, "--learn", EINVAL, "it starts from this machine as it is: not from bare or root");
	TRY(keep_ids(b, e));
	if (b->net != BOX_NET_HOST)
		return 0;
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&at, len) < 0 || listen(fd, SOMAXCONN) < 0 ||
		getsockname(fd, (struct sockaddr *)&at, &len) < 0)
		return err_sys(e, STEP_NET, "proxy");
	b->learn_port = ntohs(at.sin_port);
	*ret = take_fd(&fd);
	return 0;
}
