/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A box: a sandbox made of rules.  This is the ground of `nook box` and of libnook; nook.h says what it means for callers.
 *
 *   rules.c    one table: words, their values, what they change in struct nook_box; the larger ones have files of their own:
 *              path_rules.c, net_rules.c, bus.c, limits.c, filter.c, ids.c, profile.c
 *   compile.c  the box, the machine and a command become a spec and then a plan; view.c is what the box sees of files
 *   learn.c    a wide box, in which observer.c sees what a command touches; needs.c and learned.c make a profile of it
 *   network.c  helper processes that give a box its network
 *   watch.c    from the start to the end: limits, signals, what was used
 *   shim.c     the same in a helper process, for a caller that is big or has threads
 *   enter.c    a program that shuts itself in
 */
#pragma once

#include "base/alloc.h"
#include "base/error.h"
#include "box/limits.h"
#include "box/network.h"
#include "cgroup/cgroup.h"
#include "plan/build.h"

#include <stdbool.h>

/* X: a word with a value: the letter of its option (0: none), what the value is, what the rule does.  F: one without. */
#define BOX_RULES(X, F)                                                                                                        \
	X(RO, "ro", 'r', "PATH[:TARGET]", "show a file or directory of the host, read-only")                                    \
	X(RW, "rw", 'w', "PATH[:TARGET]", "show a file or directory of the host, writable")                                     \
	X(DEV, "dev", 0, "PATH[:TARGET]", "show a device node, or a directory in which device nodes work")                      \
	X(IF_EXISTS, "try", 0, "PATH[:TARGET]", "as ro, and no error when PATH is missing")                                     \
	X(TMP, "tmp", 0, "DIR[,size=BYTES]", "an empty directory that is thrown away")                                          \
	X(OVERLAY, "overlay", 0, "PATH[:TARGET][,keep=DIR]", "writable, but PATH stays as it is: changes are thrown away, or kept in DIR")   \
	X(HIDE, "hide", 0, "PATH|**/PATTERN", "a file shows nothing, a directory is empty; patterns: in what other rules show")   \
	X(PUT, "put", 0, "TARGET=TEXT|TARGET=@FILE|TARGET=fd:N", "a file of the box's own with this content")                    \
	X(SOCK, "sock", 0, "PATH[:TARGET]", "a unix socket of the host's that the box may talk to")                                \
	X(DBUS, "dbus", 0, "NAME", "a session bus on which this name, and what other rules name, can be talked to")            \
	X(PROC, "proc", 0, "full|min|none", "what /proc shows: all, only processes, or no /proc")                                \
	F(BARE, "bare", "start from an empty root instead of this machine's programs and libraries")                   \
	X(ROOT, "root", 0, "DIR", "start from this directory as the root, read-only")                                           \
	X(NET, "net", 0, "none|host|user|proxy|ns:PATH", "the network: none (the default), the host's, one made without rights, only what allow names, or an existing one") \
	X(ALLOW, "allow", 0, "HOST[:PORT]", "net proxy: a host that may be reached, by name or address; *.DOMAIN, * for every public one") \
	X(PUBLISH, "publish", 0, "[IP:]PORT:PORT", "a TCP port of the host leads to this port of the box")                            \
	X(SHARE, "share", 0, "NS[,NS...]", "keep the host's namespace: ipc, uts, cgroup, net")                                  \
	X(LIMIT, "limit", 0, "NAME=VALUE[,...]", "mem, pids, cpu, time (of processors), wall, files, fsize, stack, output")    \
	X(SYSCALLS, "syscalls", 0, "default|strict|none|@FILE|deny NAME[,...]", "which system calls are let through")           \
	X(CAP, "cap", 0, "NAME[,NAME...]", "keep a capability, within the box's own user namespace")                            \
	X(USER, "user", 0, "UID[:GID]", "the user in the box")                                                                  \
	F(FAKE_ROOT, "fake-root", "be uid 0 in the box, with the rights of nobody outside")                            \
	X(MAP, "map", 0, "auto|IN:OUT:N", "ids inside: those that /etc/subuid sets aside for you, or N from OUT on as IN")         \
	F(USERNS, "userns", "let the command make user namespaces of its own, as browsers do")                                 \
	X(ENV, "env", 'e', "NAME[=VALUE]", "set a variable, or take it over from outside")                                      \
	F(CLEARENV, "clearenv", "only the variables that rules name, and PATH")                                        \
	X(CWD, "cwd", 0, "DIR", "the working directory")                                                                        \
	X(HOSTNAME, "hostname", 0, "NAME", "the name of the host in the box")                                                   \
	X(FD, "fd", 0, "N[=M]", "pass descriptor N, as M")                                                                      \
	X(PROFILE, "profile", 'p', "NAME|FILE", "the rules of a file: one a line, the words of these options")                  \
	X(BEST_EFFORT, "best-effort", 0, "FEATURE[,...]", "go on where this machine cannot give it: landlock, pids, mem, cpu")

enum box_word {
#define X(id, word, letter, value, help) BOX_##id,
#define F(id, word, help) BOX_##id,
	BOX_RULES(X, F)
#undef X
#undef F
		BOX_WORDS
};

struct box_rule {
	const char *word;
	char letter;
	const char *value; /* NULL: it takes none */
	const char *help;
};
extern const struct box_rule box_rules[BOX_WORDS];

/* ---- what the rules add up to -------------------------------------------------------------------------------------- */

enum box_path_kind { BOX_PATH_RO, BOX_PATH_RW, BOX_PATH_DEV, BOX_PATH_OVERLAY, BOX_PATH_TMP, BOX_PATH_HIDE, BOX_PATH_GLOB };

struct box_path {
	enum box_path_kind kind;
	const char *source, *target; /* absolute */
	const char *keep;            /* BOX_PATH_OVERLAY: where changes go, or NULL */
	bool socket;                 /* BOX_PATH_RO: nothing else may be there */
	bool if_exists;              /* BOX_PATH_GLOB: target is a pattern */
	uint64_t bytes;              /* BOX_PATH_TMP: 0: the default */
	int rule;                    /* for errors */
};

struct box_file {
	const char *target;
	const void *data;
	size_t size;
};

struct box_env {
	const char *name, *value; /* value NULL: the caller's */
};

struct box_fd {
	int fd; /* ours, closed with the box */
	int as;
};

enum { BOX_FEATURE_LANDLOCK = 1, BOX_FEATURE_PIDS = 2, BOX_FEATURE_MEM = 4, BOX_FEATURE_CPU = 8 };

enum box_proc { BOX_PROC_FULL, BOX_PROC_MIN, BOX_PROC_NONE };

/* A rule as it was given, for copies. */
struct box_line {
	enum box_word word;
	const char *value;
};

struct nook_box {
	struct arena *arena;
	struct box_line *lines;
	size_t n_lines;
	struct box_path *paths;
	size_t n_paths;
	struct box_file *files;
	size_t n_files;
	struct box_limits limits;
	struct box_env *env;
	size_t n_env;
	struct box_fd *fds;
	size_t n_fds;
	const char *base; /* where relative paths count from: the current directory when the box was made, NULL: it has no path */
	const char *root, *cwd, *hostname;
	bool bare, clearenv, fake_root, no_filter, pids_asked;
	unsigned shared; /* bits of enum ns_kind */
	uint64_t caps;
	struct opt_u64 uid, gid;
	bool map_auto, userns;
	struct spec_idmap *maps; /* of users and groups alike */
	size_t n_maps;
	enum box_proc proc;
	const char **bus_names;
	size_t n_bus_names;
	const char **denied; /* system calls beside those that the filter refuses anyway */
	size_t n_denied;
	const char *filter_file;
	enum box_net net;
	bool net_asked;
	const char *net_path; /* BOX_NET_NS */
	struct host *allow;
	size_t n_allow;
	struct box_port *ports;
	size_t n_ports;
	unsigned best_effort;
	int depth; /* of profiles in profiles */
	struct opt_u64 start_fd; /* the command starts when something can be read there */
	bool learn;
	uint16_t learn_port; /* of the host's loopback, where a proxy listens that tells which hosts were wanted; 0: none */
	bool terminal;
	uint16_t rows, columns;
};

#define BOX_GROUP_PREFIX "nook-box-"
enum { BOX_FDS_MAX = 64, BOX_FD_MAX = 1 << 20, BOX_DEFAULT_PIDS = 512 };

struct nook_box *box_new(void);
void box_free(struct nook_box *b);
CLEANUP_DEFINE(struct nook_box *, box_free)
int box_clone(const struct nook_box *b, struct nook_box **ret, struct nook_error *e);
/* Adds a rule; VALUE NULL where it has none. */
int box_add(struct nook_box *b, enum box_word word, const char *value, struct nook_error *e);
int box_add_word(struct nook_box *b, const char *word, const char *value, struct nook_error *e);
int box_add_text(struct nook_box *b, const char *text, struct nook_error *e);
/* The rules of a profile: a file when NAME has a slash or ends in ".box", else one of the user's or of those that come with
 * nook. */
int box_add_profile(struct nook_box *b, const char *name, struct nook_error *e);
/* The directory of the program or the library that this is part of, or NULL. */
const char *box_own_dir(struct arena *a);
int box_add_fd(struct nook_box *b, int fd, int as, struct nook_error *e);
/* The bytes are copied. */
int box_add_file(struct nook_box *b, const char *target, const void *data, size_t size, struct nook_error *e);
/* Paths in the box that rules show and PATTERN matches are pushed to a list in ARENA. */
int box_glob(const struct nook_box *b, const char *pattern, struct arena *a, const char ***list, size_t *n, struct nook_error *e);

/* ---- compiling ------------------------------------------------------------------------------------------------------ */

/* What the whole box needs while it runs, beside the plan. */
struct box_bounds {
	uint64_t wall_us, time_us, output; /* 0: none */
};

struct box_plan {
	struct plan *plan;
	const char **notes; /* NULL-terminated or NULL: what this machine does not enforce */
	struct box_bounds bounds;
	struct box_network network;
	const char *hosts; /* that the network's proxy lets through, one a line */
};

/* ARENA holds what the result points to; the plan is the caller's to plan_free(). */
int box_compile(const struct nook_box *b, const char *const *argv, struct arena *a, struct box_plan *ret, struct nook_error *e);
/* The calling process goes in: 0; -errno: nothing has changed; 1: it has to end (enter.c). */
int box_enter(const struct nook_box *b, struct nook_error *e);
/* Judges the machine for nook_host_probe(). */
int box_host_probe(struct nook_host *ret, struct nook_error *e);
