/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "proxy/resolver.h"

#include "base/alloc.h"

#include <netdb.h>
#include <pthread.h>
#include <semaphore.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

enum { WORKERS = 8, STACK = 1 << 20 };

struct resolver {
	int socket;
	sem_t workers;
};

struct job {
	struct resolver *resolver;
	struct resolver_question question;
};

static void resolve(const char *name, struct resolver_answer *a)
{
	const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
	struct addrinfo *list = NULL;

	if (getaddrinfo(name, NULL, &hints, &list) != 0)
		return;
	for (struct addrinfo *i = list; i && a->n < RESOLVER_ADDRESSES; i = i->ai_next)
		if (address_from_sockaddr(i->ai_addr, &a->addresses[a->n]))
			a->n++;
	freeaddrinfo(list);
}

static void *work(void *data)
{
	struct job *j = data;
	struct resolver_answer a = {.id = j->question.id};

	resolve(j->question.name, &a);
	/* EPIPE: the proxy is gone, and this process is about to go. */
	while (send(j->resolver->socket, &a, sizeof(a), MSG_NOSIGNAL) < 0 && errno == EINTR)
		;
	(void)sem_post(&j->resolver->workers);
	free(j);
	return NULL;
}

static void start(struct resolver *r, const pthread_attr_t *attr, const struct resolver_question *q)
{
	struct job *j = xcalloc(1, sizeof(*j));
	pthread_t thread;

	j->resolver = r;
	j->question = *q;
	while (sem_wait(&r->workers) < 0)
		;
	/* Without a thread it is done here: slower, not lost. */
	if (pthread_create(&thread, attr, work, j) != 0)
		(void)work(j);
}

static _Noreturn void run(struct resolver *r)
{
	struct resolver_question q;
	pthread_attr_t attr;

	(void)prctl(PR_SET_NAME, "nook-resolver", 0, 0, 0);
	(void)sem_init(&r->workers, 0, WORKERS);
	(void)pthread_attr_init(&attr);
	(void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	(void)pthread_attr_setstacksize(&attr, STACK);
	for (;;) {
		ssize_t n = recv(r->socket, &q, sizeof(q), 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n != sizeof(q) || !memchr(q.name, 0, sizeof(q.name)))
			_exit(0);
		start(r, &attr, &q);
	}
}

int resolver_start(int *ret, struct nook_error *e)
{
	struct resolver r;
	int pair[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(e, STEP_NET, "resolver");
	pid = fork();
	if (pid < 0) {
		(void)close(pair[0]);
		(void)close(pair[1]);
		return err_sys(e, STEP_CLONE, "resolver");
	}
	if (pid == 0) {
		(void)close(pair[0]);
		r = (struct resolver){.socket = pair[1]};
		(void)close(STDIN_FILENO); /* the proxy's orders */
		run(&r);
	}
	(void)close(pair[1]);
	*ret = pair[0];
	return 0;
}

void resolver_wait(void)
{
	while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
		;
}
