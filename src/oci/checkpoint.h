/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What checkpoint and restore have in common: options, directories, and the outside of the container that its image names. */
#pragma once

#include "cgroup/cgroup.h"
#include "oci/criu.h"
#include "oci/oci.h"
#include "spec/spec.h"

struct image_options {
	const char *image_path, *work_path, *cgroups_mode, *network_lock;
	struct opt_list empty_ns;
	bool tcp_established, ext_unix_sk, shell_job, file_locks, auto_dedup, lazy_pages, link_remap;
};

#define IMAGE_ROWS(of)                                                                                                        \
	{0, "image-path", "DIR", OPT_STRING, of(image_path), "where the image is (./checkpoint)"},                            \
		{0, "work-path", "DIR", OPT_STRING, of(work_path), "where criu keeps its logs (the image's directory)"},      \
		{0, "tcp-established", NULL, OPT_FLAG, of(tcp_established), "with open tcp connections"},                     \
		{0, "ext-unix-sk", NULL, OPT_FLAG, of(ext_unix_sk), "with unix sockets that lead outside"},                   \
		{0, "shell-job", NULL, OPT_FLAG, of(shell_job), "with a terminal or session of the caller's"},                \
		{0, "file-locks", NULL, OPT_FLAG, of(file_locks), "with file locks"},                                         \
		{0, "link-remap", NULL, OPT_FLAG, of(link_remap), "with open files that were unlinked"},                      \
		{0, "auto-dedup", NULL, OPT_FLAG, of(auto_dedup), "free in the image what has been read or replaced"},        \
		{0, "lazy-pages", NULL, OPT_FLAG, of(lazy_pages), "memory comes when it is touched (userfaultfd)"},           \
		{0, "empty-ns", "KIND", OPT_STRINGS, of(empty_ns), "without what is in this namespace: network"},             \
		{0, "network-lock", "WAY", OPT_STRING, of(network_lock), "iptables or nftables"},                             \
		{0, "manage-cgroups-mode", "MODE", OPT_STRING, of(cgroups_mode), "soft, full, strict or ignore"}

struct image_dirs {
	int images, work;
};
#define IMAGE_DIRS_INIT {-EBADF, -EBADF}
/* CHECKPOINT makes the image's directory; both make the one for logs. */
enum image_mode { IMAGE_WRITE, IMAGE_READ };
int image_dirs_open(const struct image_options *opts, enum image_mode mode, struct image_dirs *ret, struct nook_error *e);
void image_dirs_close(struct image_dirs *d);
/* The options that both requests have. */
int image_put_options(struct buf *b, const struct image_options *opts, const struct image_dirs *d, const char *log, struct nook_error *e);
/* Mounts that come from outside the container: an image has them by their targets, and a restore says what is there now. */
void image_put_mounts(struct buf *b, const struct spec *s, enum image_mode mode);

/* The name of the file beside the image that tells what stdin, stdout and stderr were. */
#define IMAGE_STDIO "descriptors.json"

struct restore_options {
	struct image_options image;
	const char *lsm_profile, *lsm_mount_context;
	bool tcp_close;
};
/* In the place of launch(): groups are made, and the image of the container becomes its first process. */
int image_restore(struct oci *o, const struct restore_options *opts, const struct spec *s, const struct cgroup_want *groups, const char *state_dir,
	struct criu_answer *ret, struct nook_error *e);
