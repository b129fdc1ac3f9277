/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The options of `nook run` as rows and as a struct, and what turns them into a spec. */
#pragma once

#include "command/command.h"
#include "spec/spec.h"
#include "sys/fsimage.h"

struct run_options {
	/* container */
	const char *name, *explain;
	const char *pull, *platform;
	bool rm;
	/* namespaces */
	const char *pid, *uts, *ipc, *net, *cgroupns, *userns, *time;
	struct opt_list uid_maps, gid_maps, time_offsets;
	const char *hostname, *domainname;
	/* process */
	bool init, interactive, tty, no_tty;
	const char *workdir, *user, *entrypoint, *stop_signal;
	struct opt_list env, env_files, ulimits, groups;
	struct opt_i64 oom_score_adj, nice;
	const char *umask;
	struct opt_u64 preserve_fds;
	/* file system */
	const char *overlay;
	bool read_only;
	struct opt_list volumes, volumes_from, mounts, tmpfs, devices, disks;
	const char *storage;
	struct opt_i64 shm_size;
	/* limits */
	const char *cpus, *cpuset_cpus, *cpuset_mems, *cgroup_parent;
	struct opt_u64 cpu_shares, cpu_weight, cpu_period, cpu_rt_period;
	struct opt_i64 cpu_quota, cpu_burst, cpu_rt_runtime;
	struct opt_i64 memory, memory_swap, memory_reservation;
	struct opt_u64 memory_swappiness;
	bool oom_kill_disable;
	struct opt_i64 pids_limit;
	struct opt_u64 blkio_weight;
	struct opt_list blkio_weight_device, read_bps, write_bps, read_iops, write_iops;
	struct opt_list device_rules, hugetlb, net_prio, rdma, misc, unified;
	const char *net_classid;
	bool perf_event;
	/* security */
	struct opt_list cap_add, cap_drop, security, sysctls, masks, unmasks;
	bool privileged;
	const char *landlock;
	struct opt_list annotations, labels;
};

extern const struct opt run_table[];

/* Where the root file system comes from: "host:", "dir:PATH", "tar:FILE", "img:FILE". */
struct run_source {
	enum { SOURCE_IMAGE, SOURCE_HOST, SOURCE_DIR, SOURCE_TAR, SOURCE_IMG, SOURCE_CONTAINER } kind;
	const char *text, *path;
	const char *unpacked; /* SOURCE_TAR: the throw-away root, ROOT/unpacked/ID */
	int extracted;        /* SOURCE_TAR: an enum fsimage_type, when it is no archive but a file system; else -1 */
	const char *image;    /* SOURCE_IMAGE: where it is found, "oci-archive:FILE" */
};
int run_source_parse(const char *text, struct run_source *ret, struct nook_error *e);

struct cli;
/* Each part fills its part of the spec. */
int run_namespaces(struct cli *c, const struct run_options *o, struct spec *s, struct nook_error *e);
struct image_run;
/* IMAGE: what the image runs when nothing else is said, or NULL. */
int run_process(struct cli *c, const struct run_options *o, const struct image_run *image, char **argv, int argc, struct spec *s,
	struct nook_error *e);
int run_root(struct cli *c, const struct run_options *o, const struct run_source *source, struct spec *s, struct nook_error *e);
struct run_volumes;
int run_mounts(struct cli *c, const struct run_options *o, struct run_volumes *v, struct spec *s, struct nook_error *e);
struct container;
/* What the container FROM showed, where the options say nothing else. */
int run_mounts_again(struct cli *c, const struct run_options *o, const struct container *from, struct run_volumes *v, struct spec *s,
	struct nook_error *e);
int run_disks(struct cli *c, const struct run_options *o, struct spec *s, struct nook_error *e);
int run_limits(struct cli *c, const struct run_options *o, struct spec *s, struct nook_error *e);
int run_security(struct cli *c, const struct run_options *o, struct spec *s, struct nook_error *e);

/* --storage */
struct run_storage {
	enum { STORAGE_NONE, STORAGE_MEMORY, STORAGE_DIR, STORAGE_DISK } kind;
	uint64_t bytes; /* 0: as large as it gets */
	enum fsimage_type fs;
};
int run_storage_parse(const char *text, struct run_storage *ret, struct nook_error *e);
/* A root in the disk PATH (img:). */
int run_root_image(struct cli *c, const struct run_options *o, const char *path, struct spec *s, struct nook_error *e);
/* The disk PATH at TARGET; OPTIONS is a comma list: mount(8)'s words, size= and fs= for one that is made when missing. */
int run_disk_add(struct cli *c, const struct run_options *o, struct spec *s, const char *path, const char *target, const char *options,
	struct nook_error *e);
