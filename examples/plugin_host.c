/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A plugin host: plugin_host PLUGIN < REQUESTS
 *
 * Each line goes to the plugin, which answers with a line.  A plugin sees neither files nor network, only the socket that is
 * its descriptor 3.  One that crashes, or takes longer than a second, is replaced by a fresh one.
 *
 *     cc plugin_host.c -o plugin_host $(pkg-config --cflags --libs nook)
 */
#define _GNU_SOURCE
#include <nook.h>

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ANSWER_MS = 1000, LINE_MAX_BYTES = 4096 };

struct plugin {
	const char *path;
	struct nook_proc *process;
	int socket;
};

static void plugin_start(struct plugin *p)
{
	const char *command[] = {"/plugin", NULL};
	struct nook_error error = NOOK_ERROR_INIT;
	struct nook_box *box = nook_box_new();
	char text[640];
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
		perror("socketpair");
		exit(1);
	}
	if (nook_box_rules(box, "limit pids=8,files=32", &error) < 0 ||
		nook_box_bind(box, NOOK_READ_ONLY, p->path, "/plugin", &error) < 0 || nook_box_fd(box, pair[1], 3, &error) < 0 ||
		nook_box_spawn(box, command, &p->process, &error) < 0) {
		nook_error_text(&error, text, sizeof(text));
		fprintf(stderr, "plugin_host: %s\n", text);
		exit(1);
	}
	/* The box has copies of its own; once it ends, so does the conversation. */
	nook_box_free(box);
	close(pair[1]);
	p->socket = pair[0];
}

static void plugin_stop(struct plugin *p)
{
	close(p->socket);
	nook_proc_free(p->process);
}

/* Why there is no answer, or NULL. */
static const char *plugin_ask(struct plugin *p, const char *line, char *answer, size_t size)
{
	struct pollfd poller = {p->socket, POLLIN, 0};
	ssize_t n;

	if (send(p->socket, line, strlen(line), MSG_NOSIGNAL) < 0)
		return "crashed";
	if (poll(&poller, 1, ANSWER_MS) == 0)
		return "timed out";
	n = recv(p->socket, answer, size - 1, 0);
	if (n <= 0)
		return "crashed";
	answer[n] = 0;
	return NULL;
}

int main(int argc, char **argv)
{
	struct plugin p = {.path = argv[1]};
	char line[LINE_MAX_BYTES], answer[LINE_MAX_BYTES];

	if (argc != 2) {
		fprintf(stderr, "usage: plugin_host PLUGIN < REQUESTS\n");
		return 2;
	}
	plugin_start(&p);
	while (fgets(line, sizeof(line), stdin)) {
		const char *why;

		line[strcspn(line, "\n")] = 0;
		why = plugin_ask(&p, line, answer, sizeof(answer));
		printf("%s: %s\n", line, why ? why : answer);
		if (why) {
			plugin_stop(&p);
			plugin_start(&p);
		}
	}
	plugin_stop(&p);
	return 0;
}
