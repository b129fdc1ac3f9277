/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* box_fds: a caller that has low and high descriptors open without close-on-exec; the box lists those that it sees. */
#include <nook.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

int main(void)
{
	static const char *const command[] = {"/bin/sh", "-c", "echo fds /proc/self/fd/*; cat <&7", NULL};
	struct rlimit limit = {4096, 4096};
	struct nook_error e = NOOK_ERROR_INIT;
	struct nook_proc *p = NULL;
	struct nook_box *box = nook_box_new();
	int fd, gift[2];
	char text[640];

	(void)setrlimit(RLIMIT_NOFILE, &limit);
	fd = open("/etc/passwd", O_RDONLY);
	for (int n = 4; n < 40; n++)
		(void)dup2(fd, n);
	(void)dup2(fd, 1000);
	(void)dup2(fd, 4000);
	if (pipe(gift) < 0 || write(gift[1], "a gift\n", 7) != 7 || close(gift[1]) < 0)
		return 1;
	if (nook_box_fd(box, gift[0], 7, &e) < 0 || nook_box_spawn(box, command, &p, &e) < 0) {
		(void)nook_error_text(&e, text, sizeof(text));
		printf("error %s\n", text);
		return 1;
	}
	(void)nook_proc_wait(p, -1, NULL, NULL);
	nook_proc_free(p);
	nook_box_free(box);
	return 0;
}
