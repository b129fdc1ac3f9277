/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * nook.h - Linux containers and sandboxes as a library.  C11 and C++17 clean.
 *
 * Every function that can fail returns 0 (or a count, or a descriptor) or a negative errno value and takes an
 * error record that the caller owns; NULL is allowed.  The record means something only when the result is negative.
 * The library keeps no global state, takes no signals, prints nothing and never exits; only when memory is out it
 * calls abort(3).
 */
#ifndef NOOK_H
#define NOOK_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#if defined(__GNUC__)
#define NOOK_API __attribute__((visibility("default")))
#else
#define NOOK_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define NOOK_OBJECT_MAX 256
#define NOOK_DETAIL_MAX 256

/* What failed.  Fixed size, nothing to free; later versions only append (size tells how much is valid). */
struct nook_error {
	uint32_t size;                /* sizeof(struct nook_error), set by NOOK_ERROR_INIT */
	int32_t step;                 /* what was being done: nook_step_name() gives a stable word */
	int32_t sys_errno;            /* errno(3) of the cause, 0 if it was not a system call */
	int32_t rule;                 /* 1-based number of the rule or plan step that failed, 0 if none */
	char object[NOOK_OBJECT_MAX]; /* to what: a path, an option, a namespace */
	char detail[NOOK_DETAIL_MAX]; /* one clause more, such as the kernel's own words; "" if none */
};

#define NOOK_ERROR_INIT {sizeof(struct nook_error), 0, 0, 0, "", ""}

/* "mount", "uid map", ...: stable words, for messages, logs and JSON.  Never NULL. */
NOOK_API const char *nook_step_name(int step);

/* Advice for this failure on this machine, or NULL: a static string. */
NOOK_API const char *nook_error_hint(const struct nook_error *e);

/* Writes "mount \"/proc\": detail: Invalid argument" to BUF (always terminated); returns the full length. */
NOOK_API int nook_error_text(const struct nook_error *e, char *buf, size_t size);

/* The library's version as (major << 16 | minor << 8 | patch). */
NOOK_API uint32_t nook_version(void);

/* ---- what this machine can enforce for the caller ----------------------------------------------------------------- */

struct nook_host {
	uint32_t size;          /* sizeof(struct nook_host), set by NOOK_HOST_INIT */
	uint32_t userns;        /* 1: the caller can make user namespaces, which every box needs */
	uint32_t privileged;    /* 1: the caller has CAP_SYS_ADMIN; sources are then idmapped, ids are a range of the box's own */
	uint32_t landlock_abi;  /* 0: none */
	uint32_t seccomp;       /* 1: system calls can be filtered */
	uint32_t cgroup;        /* 1: the caller may make control groups, so that limits of memory and cpu can be enforced */
	uint32_t kernel;        /* major << 16 | minor << 8 */
	char why_not[256];      /* when userns is 0: what stands in the way */
};

#define NOOK_HOST_INIT {sizeof(struct nook_host), 0, 0, 0, 0, 0, 0, ""}

/* Tries each thing and writes what holds to *RET. */
NOOK_API int nook_host_probe(struct nook_host *ret, struct nook_error *e);

/* ---- a box: the description of a sandbox -------------------------------------------------------------------------- */

/*
 * A new box is the secure default: a read-only view of the machine's programs and libraries, private /tmp, /dev, /proc,
 * /run and home, no network, no descriptors but 0, 1 and 2, an environment of a few harmless variables, a new session and
 * keyring, a user namespace, no capabilities, a filter of system calls, a Landlock fence and a limit of processes.
 *
 * Rules widen or narrow that; they are the words of `nook box` and nook-box(1).  A box copies what it is given.  It may be
 * shared by threads once it is complete: nook_box_spawn() does not change it.
 */
struct nook_box;

/* Never NULL.  Each is the caller's, who frees it. */
NOOK_API struct nook_box *nook_box_new(void);
NOOK_API struct nook_box *nook_box_clone(const struct nook_box *box);
NOOK_API void nook_box_free(struct nook_box *box); /* NULL is fine */

/* Adds rules, one a line: "rw /src\nnet none\nlimit mem=512M,pids=50".  Blank lines and lines that start with # are passed
 * over.  A later rule about the same thing wins.  e->rule is the number of the line that was refused; those before it
 * hold. */
NOOK_API int nook_box_rules(struct nook_box *box, const char *text, struct nook_error *e);
/* Adds one rule whose value may hold any byte but 0: "env", "TEXT=two\nlines".  VALUE is NULL where the rule has
 * none. */
NOOK_API int nook_box_rule(struct nook_box *box, const char *word, const char *value, struct nook_error *e);

enum nook_bind_flags {
	NOOK_READ_ONLY = 0,
	NOOK_WRITABLE = 1,
	NOOK_DEVICES = 2,   /* device nodes in it work, and it is writable */
	NOOK_IF_EXISTS = 4, /* a missing source is no error */
};
/* Shows SOURCE of the host at TARGET (NULL: the same path) in the box. */
NOOK_API int nook_box_bind(struct nook_box *box, unsigned flags, const char *source, const char *target, struct nook_error *e);
/* Puts a file with these bytes at TARGET, for reading. */
NOOK_API int nook_box_put(struct nook_box *box, const char *target, const void *data, size_t size, struct nook_error *e);
/* "mem", "pids", "files", "fsize", "stack" and "output" in their unit (bytes or a count); "cpu" in millionths of a processor; "time"
 * (of processors) and "wall" in microseconds. */
NOOK_API int nook_box_limit(struct nook_box *box, const char *name, uint64_t value, struct nook_error *e);
/* VALUE NULL: as the caller has it when the box starts. */
NOOK_API int nook_box_env(struct nook_box *box, const char *name, const char *value, struct nook_error *e);
/* Gives the box the descriptor FD under the number AS; 0, 1 and 2 are the caller's unless given so.  FD is duplicated
 * now and stays the caller's. */
NOOK_API int nook_box_fd(struct nook_box *box, int fd, int as, struct nook_error *e);

/*
 * Shuts the calling program in, for good: what it may open (ro, rw, dev, try; programs and libraries are readable unless the
 * box is bare), which system calls it may make, its network (none, or host), limits of time, files, fsize, stack and pids.
 * What is open already stays open.  The program must not have started a second thread.
 *
 * 0: it is in.  Negative: nothing has changed; -EOPNOTSUPP when a rule wants what only nook_box_spawn() can give.
 * NOOK_MUST_EXIT: it is neither in nor out, and the only safe thing to do is to end.
 */
NOOK_API int nook_box_enter(const struct nook_box *box, struct nook_error *e);
enum { NOOK_MUST_EXIT = 1 };

enum nook_format { NOOK_TEXT, NOOK_WHY, NOOK_JSON };
/* What starting ARGV in the box would do, step by step, in memory that the caller free()s; nothing is started. */
NOOK_API int nook_box_explain(const struct nook_box *box, const char *const argv[], enum nook_format format, char **ret,
                              struct nook_error *e);

/* ---- a running box ------------------------------------------------------------------------------------------------- */

enum nook_limit {
	NOOK_LIMIT_NONE,
	NOOK_LIMIT_MEMORY,
	NOOK_LIMIT_TIME,   /* processor time */
	NOOK_LIMIT_WALL,
	NOOK_LIMIT_OUTPUT, /* of both standard output and standard error */
};

enum nook_measured { /* bits of nook_result.have */
	NOOK_HAS_CPU = 1,
	NOOK_HAS_MAX_RSS = 2,
	NOOK_HAS_PEAK_MEMORY = 4,
	NOOK_HAS_PIDS = 8,
	NOOK_HAS_IO = 16,
};

struct nook_result {
	uint32_t size;        /* sizeof(struct nook_result), set by NOOK_RESULT_INIT */
	uint32_t have;        /* which measurements could be made here: enum nook_measured */
	int32_t exit_code;    /* of the command, -1 if a signal ended it or it still runs */
	int32_t term_signal;  /* the signal that ended it, or -1 */
	int32_t limit;        /* enum nook_limit: the one that ended it */
	uint32_t refused;     /* requests for hosts that no rule "allow" names */
	uint64_t wall_us;     /* since the command was started */
	uint64_t user_us, system_us; /* of processors, all processes together */
	uint64_t max_rss;     /* bytes, of the largest process */
	uint64_t peak_memory; /* bytes, of all together */
	uint64_t pids;        /* processes: now (nook_proc_stats()), the most at once (nook_proc_wait()) */
	uint64_t read_bytes, written_bytes; /* from and to storage: what the page cache gives is not counted */
};

#define NOOK_RESULT_INIT {sizeof(struct nook_result), 0, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}

/* A running box.  One thread at a time, but for kill() and pidfd(). */
struct nook_proc;

/* Starts ARGV in the box and returns when execve(2) has succeeded in there.  The caller's size and threads do not matter:
 * only a small helper (nook-shim) is started with vfork(2) and does the rest.  SIGCHLD tells of that helper; whoever waits
 * for any child may take its status, which nobody needs.  When the calling process ends in whatever way, so does the box. */
NOOK_API int nook_box_spawn(const struct nook_box *box, const char *const argv[], struct nook_proc **ret, struct nook_error *e);
/* Starts ARGV in the box that P is, beside its command: with the same view, limits and filters, and the caller's 0, 1 and 2.
 * It ends with the box, or with the calling process.  -ESRCH: the box has ended. */
NOOK_API int nook_proc_exec(struct nook_proc *p, const char *const argv[], struct nook_proc **ret, struct nook_error *e);
/* Waits for the command: 0 and *RET (may be NULL), or -ETIMEDOUT after TIMEOUT_MS (-1: for ever).  All processes of the box
 * have ended then. */
NOOK_API int nook_proc_wait(struct nook_proc *p, int timeout_ms, struct nook_result *ret, struct nook_error *e);
/* Sends SIG to the command; SIGKILL ends the whole box at once. */
NOOK_API int nook_proc_kill(struct nook_proc *p, int sig, struct nook_error *e);
/* A pidfd of the box's first process, readable when the box has ended: for poll(2).  Borrowed. */
NOOK_API int nook_proc_pidfd(const struct nook_proc *p);
/* The number of the box's first process where the caller lives. */
NOOK_API pid_t nook_proc_pid(const struct nook_proc *p);
/* What it has used so far. */
NOOK_API int nook_proc_stats(struct nook_proc *p, struct nook_result *ret, struct nook_error *e);
/* Frees P (NULL is fine), and ends the box if it still runs. */
NOOK_API void nook_proc_free(struct nook_proc *p);

/* All of it in one call: a box with these rules (NULL: the default), started, waited for and gone. */
NOOK_API int nook_run(const char *rules, const char *const argv[], struct nook_result *ret, struct nook_error *e);

#ifdef __cplusplus
}
#endif
#endif
