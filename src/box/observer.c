/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "box/observer.h"

#include "base/fd.h"
#include "base/path.h"
#include "base/text.h"
#include "box/address.h"
#include "box/notes.h"
#include "security/seccomp_names.h"
#include "sys/kernel.h"

#include <arpa/inet.h>
#include <limits.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>

/* Linux 5.19: a signal does not take a call back that the observer is looking at. */
#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif

/* ---- what is heard of ------------------------------------------------------------------------------------------------ */

/* In this order: what opens, what is about a path, what is about an address.  NEW: fails when the name is taken; GONE: when
 * there is none. */
enum act {
	ACT_OPEN, ACT_OPEN2, ACT_CREATE,
	ACT_STAT, ACT_READ, ACT_EXEC, ACT_NEW, ACT_GONE, ACT_OVER, ACT_WRITE, ACT_ENTER,
	ACT_CONNECT, ACT_SEND, ACT_BIND,
};

/* Arguments by number; NONE: it has no such argument. */
enum { NONE = -1 };

static const struct call {
	const char *name;
	enum act act;
	int8_t dir, path, flags; /* flags: of open */
} observed[] = {
	{"open", ACT_OPEN, NONE, 0, 1},
	{"openat", ACT_OPEN, 0, 1, 2},
	{"openat2", ACT_OPEN2, 0, 1, 2},
	{"creat", ACT_CREATE, NONE, 0, NONE},
	{"stat", ACT_STAT, NONE, 0, NONE},
	{"lstat", ACT_STAT, NONE, 0, NONE},
	{"newfstatat", ACT_STAT, 0, 1, NONE},
	{"statx", ACT_STAT, 0, 1, NONE},
	{"access", ACT_STAT, NONE, 0, NONE},
	{"faccessat", ACT_STAT, 0, 1, NONE},
	{"faccessat2", ACT_STAT, 0, 1, NONE},
	{"readlink", ACT_STAT, NONE, 0, NONE},
	{"readlinkat", ACT_STAT, 0, 1, NONE},
	{"statfs", ACT_STAT, NONE, 0, NONE},
	{"getxattr", ACT_STAT, NONE, 0, NONE},
	{"inotify_add_watch", ACT_STAT, NONE, 1, NONE},
	{"execve", ACT_EXEC, NONE, 0, NONE},
	{"execveat", ACT_EXEC, 0, 1, NONE},
	{"mkdir", ACT_NEW, NONE, 0, NONE},
	{"mkdirat", ACT_NEW, 0, 1, NONE},
	{"mknod", ACT_NEW, NONE, 0, NONE},
	{"mknodat", ACT_NEW, 0, 1, NONE},
	{"unlink", ACT_GONE, NONE, 0, NONE},
	{"unlinkat", ACT_GONE, 0, 1, NONE},
	{"rmdir", ACT_GONE, NONE, 0, NONE},
	{"symlink", ACT_NEW, NONE, 1, NONE},
	{"symlinkat", ACT_NEW, 1, 2, NONE},
	{"link", ACT_READ, NONE, 0, NONE},
	{"link", ACT_NEW, NONE, 1, NONE},
	{"linkat", ACT_READ, 0, 1, NONE},
	{"linkat", ACT_NEW, 2, 3, NONE},
	{"rename", ACT_GONE, NONE, 0, NONE},
	{"rename", ACT_OVER, NONE, 1, NONE},
	{"renameat", ACT_GONE, 0, 1, NONE},
	{"renameat", ACT_OVER, 2, 3, NONE},
	{"renameat2", ACT_GONE, 0, 1, NONE},
	{"renameat2", ACT_OVER, 2, 3, NONE},
	{"truncate", ACT_WRITE, NONE, 0, NONE},
	{"chmod", ACT_WRITE, NONE, 0, NONE},
	{"fchmodat", ACT_WRITE, 0, 1, NONE},
	{"chown", ACT_WRITE, NONE, 0, NONE},
	{"lchown", ACT_WRITE, NONE, 0, NONE},
	{"fchownat", ACT_WRITE, 0, 1, NONE},
	{"utime", ACT_WRITE, NONE, 0, NONE},
	{"utimes", ACT_WRITE, NONE, 0, NONE},
	{"futimesat", ACT_WRITE, 0, 1, NONE},
	{"utimensat", ACT_WRITE, 0, 1, NONE},
	{"setxattr", ACT_WRITE, NONE, 0, NONE},
	{"chdir", ACT_ENTER, NONE, 0, NONE},
	{"connect", ACT_CONNECT, NONE, 1, 2},
	{"sendto", ACT_SEND, NONE, 4, 5},
	{"bind", ACT_BIND, NONE, 1, 2},
};

void observer_filter(struct arena *a, const char *others, struct spec_seccomp *s)
{
	const char **names = NULL;
	struct seccomp_rule *rule;
	char *words = arena_strdup(a, others), *rest = NULL;
	size_t n = 0;

	for (size_t i = 0; i < sizeof(observed) / sizeof(observed[0]); i++)
		*arena_push(a, &names, &n) = observed[i].name;
	for (char *word = strtok_r(words, ",", &rest); word; word = strtok_r(NULL, ",", &rest))
		*arena_push(a, &names, &n) = word;
	(void)arena_push(a, &names, &n);
	s->source = SECCOMP_PROFILE;
	s->default_action = SECCOMP_RET_ALLOW;
	s->observed = true;
	s->flags = kernel_version() >= KERNEL(5, 19) ? (uint32_t)SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV : 0;
	rule = arena_push(a, &s->rules, &s->n_rules);
	rule->names = names;
	rule->action = SECCOMP_RET_USER_NOTIF;
}

/* ---- the observer ---------------------------------------------------------------------------------------------------- */

struct seen {
	char *text; /* a path, or a whole line of another kind */
	unsigned what;
};

struct observing {
	int listener;
	struct seen *slots; /* open addressing, twice as many as can be seen */
	size_t n;
	struct seccomp_notif *notice;
	struct seccomp_notif_resp *answer;
	struct seccomp_notif_sizes sizes;
};

enum { SLOTS = NOTES_MAX * 2, TEXT_MAX = NOTES_MAX * (PATH_MAX / 8) };

static struct seen *seen_find(struct observing *o, const char *text)
{
	uint64_t hash = 0xcbf29ce484222325;

	for (const char *c = text; *c; c++)
		hash = (hash ^ (unsigned char)*c) * 0x100000001b3;
	for (size_t i = (size_t)(hash % SLOTS);; i = (i + 1) % SLOTS) {
		struct seen *s = &o->slots[i];

		if (s->text && !text_is(s->text, text))
			continue;
		if (!s->text && o->n < NOTES_MAX) {
			s->text = xstrdup(text);
			o->n++;
		}
		return s->text ? s : NULL;
	}
}

/* The caller still waits in the same call: what was read is what it meant. */
static bool is_current(const struct observing *o)
{
	return ioctl(o->listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &o->notice->id) == 0;
}

static bool read_memory(const struct observing *o, uint64_t from, void *to, size_t n)
{
	struct iovec local = {to, n}, remote = {(void *)(uintptr_t)from, n}; /* NOLINT: an address of another process */

	return process_vm_readv((pid_t)o->notice->pid, &local, 1, &remote, 1, 0) == (ssize_t)n;
}

/* Page by page, for the next one need not be there. */
static bool read_path(const struct observing *o, uint64_t from, char path[PATH_MAX])
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), n = 0;

	while (from && n < PATH_MAX) {
		size_t piece = page - (size_t)((from + n) % page);

		if (piece > PATH_MAX - n)
			piece = PATH_MAX - n;
		if (!read_memory(o, from + n, path + n, piece))
			return false;
		if (memchr(path + n, 0, piece))
			return true;
		n += piece;
	}
	return false;
}

static bool whole_path(const char *base, const char *path, char ret[PATH_MAX])
{
	char whole[2 * PATH_MAX];

	(void)snprintf(whole, sizeof(whole), "%s/%s", path[0] == '/' ? "" : base, path);
	path_clean(whole);
	return snprintf(ret, PATH_MAX, "%s", whole) < PATH_MAX && !strchr(ret, '\n');
}

/* Where relative names of the call start: its directory argument, or the working directory. */
static bool base_of(const struct observing *o, int8_t dir, char ret[PATH_MAX])
{
	const uint64_t *args = (const uint64_t *)o->notice->data.args;
	char link[64];
	ssize_t n;

	if (dir == NONE || (int)args[dir] == AT_FDCWD)
		(void)snprintf(link, sizeof(link), "/proc/%u/cwd", o->notice->pid);
	else
		(void)snprintf(link, sizeof(link), "/proc/%u/fd/%d", o->notice->pid, (int)args[dir]);
	n = readlink(link, ret, PATH_MAX - 1);
	ret[n > 0 ? n : 0] = 0;
	return ret[0] == '/';
}

static bool path_of(const struct observing *o, const struct call *c, char ret[PATH_MAX])
{
	char path[PATH_MAX], base[PATH_MAX] = "";

	if (!read_path(o, o->notice->data.args[c->path], path) || !path[0])
		return false;
	if (path[0] != '/' && !base_of(o, c->dir, base))
		return false;
	return whole_path(base, path, ret);
}

/* What is there before the call happens. */
static unsigned there(const struct observing *o, const char *path)
{
	char place[PATH_MAX + 32];
	struct stat st;

	(void)snprintf(place, sizeof(place), "/proc/%u/root%s", o->notice->pid, path);
	if (lstat(place, &st) < 0)
		return 0;
	if (S_ISLNK(st.st_mode) && stat(place, &st) < 0)
		return NOTE_EXISTED;
	return NOTE_EXISTED | (S_ISDIR(st.st_mode) ? (unsigned)NOTE_DIR : 0);
}

static unsigned open_flags(const struct observing *o, const struct call *c)
{
	uint64_t flags = 0;

	if (c->act == ACT_CREATE)
		return O_CREAT | O_WRONLY | O_TRUNC;
	if (c->act == ACT_OPEN)
		return (unsigned)o->notice->data.args[c->flags];
	(void)read_memory(o, o->notice->data.args[c->flags], &flags, sizeof(flags)); /* the first member of struct open_how */
	return (unsigned)flags;
}

static unsigned what_of_open(unsigned flags, unsigned found)
{
	if (flags & O_PATH)
		return NOTE_STAT;
	if ((flags & O_TMPFILE) == O_TMPFILE)
		return NOTE_MAKE;
	if (flags & O_CREAT && !(found & NOTE_EXISTED))
		return NOTE_MAKE | NOTE_WRITE;
	if (found & NOTE_DIR)
		return NOTE_LIST;
	if ((flags & O_ACCMODE) == O_RDONLY && !(flags & O_TRUNC))
		return NOTE_READ;
	return (flags & O_ACCMODE) == O_WRONLY ? NOTE_WRITE : NOTE_READ | NOTE_WRITE;
}

static unsigned what_of(const struct observing *o, const struct call *c, unsigned found)
{
	static const unsigned plain[] = {[ACT_STAT] = NOTE_STAT, [ACT_READ] = NOTE_READ, [ACT_EXEC] = NOTE_EXEC,
		[ACT_OVER] = NOTE_MAKE, [ACT_WRITE] = NOTE_WRITE, [ACT_ENTER] = NOTE_ENTER};

	if (c->act <= ACT_CREATE)
		return what_of_open(open_flags(o, c), found);
	if (c->act == ACT_NEW)
		return found ? NOTE_STAT : NOTE_MAKE;
	if (c->act == ACT_GONE)
		return found ? NOTE_MAKE : NOTE_STAT;
	return plain[c->act];
}

static void note_path(struct observing *o, const struct call *c)
{
	char path[PATH_MAX];
	unsigned found, what;
	struct seen *s;

	if (!path_of(o, c, path))
		return;
	found = there(o, path);
	what = what_of(o, c, found);
	if (!is_current(o))
		return;
	s = seen_find(o, path);
	if (!s)
		return;
	/* That it was there counts only at the first sight: later it may be of the command's own making. */
	s->what |= what | (s->what ? found & NOTE_DIR : found);
}

static void note_line(struct observing *o, char kind, const char *text)
{
	AUTO_VALUE(buf_done) struct buf line = {0};

	buf_addf(&line, "%c %s", kind, text);
	(void)seen_find(o, buf_text(&line));
}

/* Is descriptor FD of the caller a stream? */
static bool is_stream(const struct observing *o, int fd)
{
	auto_close int pidfd = (int)syscall(SYS_pidfd_open, o->notice->pid, 0);
	auto_close int copy = pidfd < 0 ? -EBADF : (int)syscall(SYS_pidfd_getfd, pidfd, fd, 0U);
	int type = 0;
	socklen_t len = sizeof(type);

	/* A thread that is no leader has no pidfd: then the safer guess. */
	return copy < 0 || getsockopt(copy, SOL_SOCKET, SO_TYPE, &type, &len) < 0 || type == SOCK_STREAM;
}

static void note_unix(struct observing *o, const struct sockaddr_un *at, size_t len)
{
	char name[sizeof(at->sun_path) + 1] = "", base[PATH_MAX] = "", path[PATH_MAX];
	struct seen *s;

	if (len <= offsetof(struct sockaddr_un, sun_path) || !at->sun_path[0])
		return;
	memcpy(name, at->sun_path, len - offsetof(struct sockaddr_un, sun_path));
	if ((name[0] != '/' && !base_of(o, NONE, base)) || !whole_path(base, name, path))
		return;
	s = seen_find(o, path);
	if (s)
		s->what |= NOTE_SOCKET | (s->what ? 0 : there(o, path));
}

static void note_address(struct observing *o, const struct call *c)
{
	const uint64_t *args = (const uint64_t *)o->notice->data.args;
	struct sockaddr_storage at = {0};
	size_t len = args[c->flags] < sizeof(at) ? (size_t)args[c->flags] : sizeof(at);
	char text[ADDRESS_TEXT_MAX], line[ADDRESS_TEXT_MAX + 16];
	struct address address;
	uint16_t port;

	if (!args[c->path] || len < sizeof(sa_family_t) || !read_memory(o, args[c->path], &at, len))
		return;
	if (at.ss_family == AF_UNIX && c->act == ACT_CONNECT)
		note_unix(o, (struct sockaddr_un *)&at, len < sizeof(struct sockaddr_un) ? len : sizeof(struct sockaddr_un));
	if (!address_from_sockaddr((struct sockaddr *)&at, &address))
		return;
	port = ntohs(((struct sockaddr_in *)&at)->sin_port); /* at the same place for IPv6 */
	/* Port 0 is no conversation: getaddrinfo(3) asks the kernel for routes with it. */
	if (!port || !is_current(o))
		return;
	address_text(&address, text);
	(void)snprintf(line, sizeof(line), address.family == 6 ? "[%s]:%u" : "%s:%u", text, port);
	note_line(o, (char)(c->act == ACT_BIND ? 'b' : is_stream(o, (int)args[0]) ? 'c' : 'd'), line);
}

static void note_call(struct observing *o)
{
	const char *name = seccomp_name_find(0, (uint32_t)o->notice->data.nr);
	bool known = false;

	for (size_t i = 0; name && i < sizeof(observed) / sizeof(observed[0]); i++) {
		if (!text_is(observed[i].name, name))
			continue;
		known = true;
		if (observed[i].act < ACT_CONNECT)
			note_path(o, &observed[i]);
		else
			note_address(o, &observed[i]);
	}
	if (name && !known)
		note_line(o, 's', name);
}

static void serve(struct observing *o)
{
	struct pollfd p = {o->listener, POLLIN, 0};

	for (;;) {
		if (poll(&p, 1, -1) < 0 && errno != EINTR)
			return;
		/* Nobody is left who has the filter. */
		if (p.revents & POLLHUP && !(p.revents & POLLIN))
			return;
		if (!(p.revents & POLLIN))
			continue;
		memset(o->notice, 0, o->sizes.seccomp_notif);
		memset(o->answer, 0, o->sizes.seccomp_notif_resp);
		/* ENOENT: the caller has been killed meanwhile. */
		if (ioctl(o->listener, SECCOMP_IOCTL_NOTIF_RECV, o->notice) < 0)
			continue;
		note_call(o);
		o->answer->id = o->notice->id;
		o->answer->flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
		(void)ioctl(o->listener, SECCOMP_IOCTL_NOTIF_SEND, o->answer);
	}
}

static _Noreturn void observer_run(int listener, int notes)
{
	struct observing o = {.listener = listener, .slots = xcalloc(SLOTS, sizeof(*o.slots))};
	AUTO_VALUE(buf_done) struct buf text = {0};

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	(void)prctl(PR_SET_NAME, "nook-observer", 0, 0, 0);
	if (syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &o.sizes) < 0)
		_exit(1);
	o.notice = xcalloc(1, o.sizes.seccomp_notif);
	o.answer = xcalloc(1, o.sizes.seccomp_notif_resp);
	serve(&o);
	for (size_t i = 0; i < SLOTS; i++) {
		if (o.slots[i].text && o.slots[i].text[0] == '/')
			buf_addf(&text, "p %x %s\n", o.slots[i].what, o.slots[i].text);
		else if (o.slots[i].text)
			buf_addf(&text, "%s\n", o.slots[i].text);
	}
	_exit(fd_write(notes, buf_text(&text), text.len) < 0);
}

/* ---- its owner ------------------------------------------------------------------------------------------------------- */

int observer_prepare(struct observer *o, struct nook_error *e)
{
	o->notes = memfd_create("nook-learn", MFD_CLOEXEC);
	return o->notes < 0 ? err_sys(e, STEP_MEMORY, "notes") : 0;
}

int observer_start(struct observer *o, int listener, struct nook_error *e)
{
	o->pid = fork();
	if (o->pid < 0)
		return err_sys(e, STEP_CLONE, "observer");
	if (o->pid == 0)
		observer_run(listener, o->notes);
	return 0;
}

int observer_end(struct observer *o, struct buf *ret, struct nook_error *e)
{
	char name[32];
	int status = 0, r;

	while (o->pid > 0 && waitpid(o->pid, &status, 0) < 0 && errno == EINTR)
		;
	(void)snprintf(name, sizeof(name), "/proc/self/fd/%d", o->notes);
	r = file_read(AT_FDCWD, name, TEXT_MAX, ret, e);
	close_fd(&o->notes);
	if (r == 0 && status)
		return err_why(e, STEP_WAIT, "observer", EIO, "it has ended early, so that nothing is known");
	return r;
}
