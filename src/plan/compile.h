/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the parts of the compiler (build*.c) share. */
#pragma once

#include "plan/build.h"

struct build {
	struct arena *arena;
	struct plan_builder *out;
	const struct spec *spec;
	const struct plan_host *host;
	const struct plan_request *request;
	struct plan_result *result;
	bool userns;      /* a new or joined user namespace */
	bool new_userns;
	bool without_root; /* the host's root has no id in it */
	bool joins;       /* a process more in a container that runs */
	enum stage open;  /* the stage in which sources can be opened */
	enum stage identity; /* the stage in which the process becomes what its command is: before the gate, if there is one */
	int hook_out, hook_err; /* slots of the files that take what hooks say, or SLOT_NONE */
	bool cgroup_view; /* groups exist, a view of them can be mounted */
	bool filtered;    /* a filter of system calls is loaded */
	bool fds_marked;  /* every descriptor is close-on-exec already */
	bool files_limited; /* the limit of open files is set early already */
	bool fresh_dev, fresh_sys; /* a new /dev, a new sysfs at /sys come before what is built next */
	bool foreign;     /* so does a mount that may hold links of somebody else's */
};

void build_note(struct build *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* A step whose object is a string. */
struct step *build_step(struct build *b, enum stage stage, enum step_kind kind, const char *object);

int build_cgroup(struct build *b, struct nook_error *e);
/* The two steps of joining a v1 group: its door is opened before the clone, by SLOT or by name, and used in stage JOIN. */
void build_cgroup_door(struct build *b, enum stage join, const char *path, int slot);
int build_root(struct build *b, struct nook_error *e);
int build_mounts(struct build *b, struct nook_error *e);
int build_devices(struct build *b, struct nook_error *e);
/* The /dev of the container, when M is its standard mount. */
int build_dev(struct build *b, const struct spec_mount *m, struct nook_error *e);
void build_masks(struct build *b);
/* DO_MOUNT's members from a spec_mount: parameters, attributes. */
void build_mount_params(struct build *b, const char *type, const struct spec_mount *m, struct step *s);
/* Splits "a=b,c" into key, value pairs, for a file system of TYPE. */
struct refs build_params(struct build *b, const char *type, const char *data, const char *extra_key, const char *extra_value);
int build_limits(struct build *b, struct nook_error *e);
int build_affinity(struct build *b, struct nook_error *e);
int build_memory_policy(struct build *b, struct nook_error *e);
void build_rdt(struct build *b);
int build_security(struct build *b, struct nook_error *e);
int build_landlock(struct build *b, struct nook_error *e);
int build_final(struct build *b, struct nook_error *e);
/* The parts of build_final() that an exec shares. */
int build_identity(struct build *b, struct nook_error *e);
void build_ids(struct build *b, bool deny_setgroups);
/* Close-on-exec for all before a filter of system calls may forbid it; build_fds() then says what is kept. */
void build_fds_mark(struct build *b);
void build_fds(struct build *b);
/* A slot for the file PATH that takes what hooks say; SLOT_NONE when it is NULL. */
int build_hook_log(struct build *b, const char *path);
/* Hooks that the parent runs. */
void build_hooks(struct build *b, enum stage stage, enum hook_kind kind);
/* Hooks that the child runs: STATE is what they read. */
void build_hooks_inside(struct build *b, enum stage stage, enum hook_kind kind, const char *state);
void build_exec(struct build *b);
/* Maps as /proc/PID/uid_map has them. */
struct ref build_map_text(struct build *b, const struct spec_idmap *maps, size_t n);
/* The host id behind a container's id, or the id itself without maps. */
uint32_t build_host_id(const struct spec_idmap *maps, size_t n, uint32_t inside);
