/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "transfer/reach.h"

#include "base/fd.h"
#include "base/text.h"
#include "transfer/transfer.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>

enum { SECRET_MAX = 64 << 10, LINE_MAX_LEN = 1024 };

/* "https://index.docker.io/v1/", "HOST/", "docker.io" to what the key is called. */
static const char *key_for(const char *given, struct arena *a)
{
	const char *rest = text_after(given, "https://");
	size_t len;

	rest = rest ? rest : text_after(given, "http://");
	rest = rest ? rest : given;
	len = strlen(rest);
	while (len && rest[len - 1] == '/')
		len--;
	rest = arena_strndup(a, rest, len);
	return text_is(rest, "index.docker.io/v1") || text_is(rest, "index.docker.io") || text_is(rest, "registry-1.docker.io") ? "docker.io" : rest;
}

static int check_key(const char *key, struct nook_error *e)
{
	if (!*key || key[strspn(key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:/[]")])
		return err_why(e, STEP_REGISTRY, key, EINVAL, "is no name of a registry");
	return 0;
}

/* ---- asking --------------------------------------------------------------------------------------------------------- */

/* Up to the end of the line or of the input, or to the character STOP: true when that ended it. */
static bool read_line(int fd, char *line, size_t size, char stop)
{
	size_t len = 0;
	char c = 0;

	while (fd_read(fd, &c, 1) == 1 && c != '\n' && c != stop)
		if (len < size - 1)
			line[len++] = c;
	line[len] = 0;
	return c == stop;
}

enum echo { ECHO_SHOWN, ECHO_HIDDEN };

/* At the terminal, wherever stdin comes from. */
static int ask(const char *question, enum echo echo, struct arena *a, const char **ret, struct nook_error *e)
{
	auto_close int tty = open("/dev/tty", O_RDWR | O_CLOEXEC);
	struct termios before, quiet;
	char line[LINE_MAX_LEN];
	bool is_interrupted;

	if (tty < 0 || tcgetattr(tty, &before) < 0)
		return err_fmt(e, STEP_OPTION, echo == ECHO_HIDDEN ? "--password-stdin" : "--username", EINVAL,
			"is needed where there is no terminal to ask at");
	/* Ctrl-C ends the line instead of the program, so that the terminal is set back first. */
	quiet = before;
	quiet.c_lflag &= ~(tcflag_t)ISIG;
	quiet.c_cc[VEOL] = before.c_cc[VINTR];
	if (echo == ECHO_HIDDEN)
		quiet.c_lflag &= ~(tcflag_t)ECHO;
	(void)tcsetattr(tty, TCSAFLUSH, &quiet);
	(void)fd_write(tty, question, strlen(question));
	is_interrupted = read_line(tty, line, sizeof(line), (char)before.c_cc[VINTR]);
	(void)tcsetattr(tty, TCSAFLUSH, &before);
	if (echo == ECHO_HIDDEN)
		(void)fd_write(tty, "\n", 1);
	if (is_interrupted)
		(void)raise(SIGINT);
	*ret = arena_strdup(a, line);
	return 0;
}

static int read_secret(struct arena *a, const char **ret, struct nook_error *e)
{
	char *text = arena_alloc(a, SECRET_MAX + 1);
	ssize_t n = fd_read(STDIN_FILENO, text, SECRET_MAX);

	if (n < 0)
		return err_num(e, STEP_STDIO, "stdin", (int)n);
	while (n && (text[n - 1] == '\n' || text[n - 1] == '\r'))
		n--;
	text[n] = 0;
	if (strlen(text) != (size_t)n || strpbrk(text, "\r\n"))
		return err_why(e, STEP_OPTION, "--password-stdin", EINVAL, "a password is one line");
	*ret = text;
	return 0;
}

static int fill_in(struct cli *c, const struct login_options *q, struct credentials *ret, struct nook_error *e)
{
	if (q->password_stdin && q->password)
		return err_why(e, STEP_OPTION, "--password", EINVAL, "stands beside --password-stdin");
	if (q->password_stdin && !q->username)
		return err_why(e, STEP_OPTION, "--username", EINVAL, "is needed with --password-stdin");
	ret->username = q->username;
	ret->password = q->password;
	if (q->password_stdin)
		TRY(read_secret(c->arena, &ret->password, e));
	if (!ret->username)
		TRY(ask("Username: ", ECHO_SHOWN, c->arena, &ret->username, e));
	if (!ret->password)
		TRY(ask("Password: ", ECHO_HIDDEN, c->arena, &ret->password, e));
	if (!*ret->username || strchr(ret->username, ':'))
		return err_why(e, STEP_OPTION, "--username", EINVAL, "is empty or has a colon in it");
	return 0;
}

/* ---- the commands --------------------------------------------------------------------------------------------------- */

static int print_login(struct reach *r, const char *key, struct nook_error *e)
{
	struct credentials who = {0};

	if (TRY(credentials_find(&r->auth, key, NULL, r->arena, &who, e)) == 1)
		return err_why(e, STEP_REGISTRY, key, ENOENT, "nobody is logged in");
	(void)puts(who.username ? who.username : "<token>");
	return 0;
}

int login_run(struct cli *c, void *options, int argc, char **argv, struct nook_error *e)
{
	const struct login_options *q = options;
	const char *key = key_for(argc ? argv[0] : "docker.io", c->arena);
	const char *host = arena_strndup(c->arena, key, strcspn(key, "/"));
	AUTO_VALUE(reach_done) struct reach reach = {0};
	AUTO(remote_free) struct remote *remote = NULL;
	AUTO(http_close) struct http_reply *reply = NULL;
	struct credentials who = {0};

	TRY(check_key(key, e));
	TRY(reach_open(c, &q->access, q->get_login ? REACH_NOTHING : REACH_LOGIN, NULL, &reach, e));
	if (q->get_login)
		return print_login(&reach, key, e);
	TRY(fill_in(c, q, &who, e));
	if (q->password)
		cli_note(c, "others see a password on the command line: --password-stdin hides it");
	TRY(reach_registry(&reach, host, &who, &remote, e));
	TRY(remote_open(remote, &(struct remote_call){.path = "/v2/"}, &reply, e));
	TRY(credentials_save(&reach.auth, key, &who, e));
	(void)puts("Login Succeeded");
	return 0;
}

int logout_run(struct cli *c, void *options, int argc, char **argv, struct nook_error *e)
{
	const struct logout_options *q = options;
	const char *key = key_for(argc ? argv[0] : "docker.io", c->arena);
	struct credential_places auth = {0};

	TRY(check_key(key, e));
	credential_places_default(q->access.authfile, c->arena, &auth);
	if (q->all) {
		if (argc)
			return err_why(e, STEP_OPTION, "--all", EINVAL, "stands beside the name of a registry");
		TRY(credentials_erase_all(&auth, e));
		(void)puts("Removed login credentials for all registries");
		return 0;
	}
	if (TRY(credentials_erase(&auth, key, e)) == 0)
		return err_why(e, STEP_REGISTRY, key, ENOENT, "nobody is logged in");
	(void)printf("Removed login credentials for %s\n", key);
	return 0;
}
