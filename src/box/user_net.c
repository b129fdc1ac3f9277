/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Both programs are kept from the host's loopback, and both say when the network stands: pasta writes its pid, slirp4netns a
 * digit.  Both write into the pipe that is their standard input, the one descriptor that pasta does not close.
 */
#include "box/user_net.h"

#include "base/fd.h"
#include "base/spawn.h"
#include "base/text.h"
#include "box/box.h"
#include "box/view.h"

#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>

enum { READY_MS = 20000, SAID_MAX = 4096 };

/* Where the box asks for names.  Both programs pass that on to the host's resolver. */
static const char pasta_dns[] = "169.254.1.1", slirp_dns[] = "10.0.2.3";

static bool has(const char *program)
{
	char path[PATH_MAX];

	return spawn_find(program, path, sizeof(path)) == 0;
}

int user_net_spec(const struct nook_box *b, struct arena *a, struct spec *s, struct nook_error *e)
{
	static const char file[] = "/etc/resolv.conf";
	char *text = arena_printf(a, "nameserver %s\n", has("pasta") ? pasta_dns : slirp_dns);
	const char *place = b->root ? arena_printf(a, "%s%s", b->root, file) : file;

	if (!has("pasta") && !has("slirp4netns"))
		return err_why(e, STEP_NET, "user", ENOENT, "it takes pasta or slirp4netns, and neither is installed");
	for (size_t i = 0; i < b->n_files; i++)
		if (text_is(b->files[i].target, file))
			return 0;
	/* A root of the user's own that has no such file has no use for one. */
	if (b->root && access(place, F_OK) < 0)
		return 0;
	*arena_push(a, &s->files, &s->n_files) = (struct spec_file){file, text, strlen(text), BOX_PUT_DIR};
	return 0;
}

/* What the program has said, the last line of it, as the reason. */
static int refused(const char *program, int said, struct nook_error *e)
{
	char text[SAID_MAX], *line;
	ssize_t n = pread(said, text, sizeof(text) - 1, 0);

	text[n > 0 ? n : 0] = 0;
	while (n > 0 && text[n - 1] == '\n')
		text[--n] = 0;
	line = strrchr(text, '\n');
	line = line ? line + 1 : text;
	return err_fmt(e, STEP_NET, program, EIO, "%s", *line ? line : "it has ended before the network was there");
}

static int run(const char *const *argv, const int *ready, struct box_helper *ret, struct nook_error *e)
{
	auto_close int said = memfd_create("said", MFD_CLOEXEC);
	int r;

	if (said < 0)
		return err_sys(e, STEP_NET, argv[0]);
	TRY(box_helper_start(&(struct spawn_start){.argv = argv, .stdin_fd = ready[1], .stderr_fd = said}, STEP_NET, ret, e));
	/* A byte means that the network stands. */
	r = box_helper_wait_byte(ret, ready[0], READY_MS);
	if (r == -EPIPE)
		return refused(argv[0], said, e);
	return r < 0 ? err_num(e, STEP_NET, argv[0], r) : 0;
}

int user_net_start(pid_t pid, struct box_helper *ret, struct nook_error *e)
{
	static const char ready[] = "/proc/self/fd/0", none[] = "none";
	char user_path[64], net_path[64];
	int pipes[2], r;

	if (pipe2(pipes, O_CLOEXEC) < 0)
		return err_sys(e, STEP_NET, "pipe");
	(void)snprintf(user_path, sizeof(user_path), "/proc/%d/ns/user", (int)pid);
	(void)snprintf(net_path, sizeof(net_path), "/proc/%d/ns/net", (int)pid);
	/* As root pasta would become "nobody", who may not enter what root has made. */
	const char *const pasta[] = {"pasta", "--foreground", "--quiet", "--stderr", "--config-net", "--no-map-gw", "--tcp-ports", none,
		"--udp-ports", none, "--tcp-ns", none, "--udp-ns", none, "--dns-forward", pasta_dns, "--pid", ready, "--userns", user_path,
		"--netns", net_path, geteuid() ? NULL : "--runas", "0:0", NULL};
	const char *const slirp[] = {"slirp4netns", "--configure", "--mtu=65520", "--disable-host-loopback", "--ready-fd=0",
		"--netns-type=path", "--userns-path", user_path, net_path, "tap0", NULL};

	r = run(has("pasta") ? pasta : slirp, pipes, ret, e);
	(void)close(pipes[0]);
	(void)close(pipes[1]);
	return r;
}
