/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "oci/checkpoint.h"

#include "base/fd.h"
#include "base/text.h"
#include "json/load.h"
#include "oci/protobuf.h"

#include <sched.h>
#include <sys/stat.h>

/* ---- directories ----------------------------------------------------------------------------------------------------------- */

static int open_dir(const char *path, enum image_mode mode, struct nook_error *e)
{
	int fd;

	if (mode == IMAGE_WRITE) {
		auto_close int made = TRY(dir_make(path, 0700, e));

		(void)made;
	}
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? err_sys(e, STEP_CHECKPOINT, path) : fd;
}

int image_dirs_open(const struct image_options *opts, enum image_mode mode, struct image_dirs *ret, struct nook_error *e)
{
	const char *images = opts->image_path ? opts->image_path : "checkpoint";
	struct image_dirs d = {TRY(open_dir(images, mode, e)), -EBADF};

	d.work = open_dir(opts->work_path ? opts->work_path : images, opts->work_path ? IMAGE_WRITE : mode, e);
	if (d.work < 0) {
		close_fd(&d.images);
		return d.work;
	}
	*ret = d;
	return 0;
}

void image_dirs_close(struct image_dirs *d)
{
	close_fd(&d->images);
	close_fd(&d->work);
}

/* ---- options --------------------------------------------------------------------------------------------------------------- */

static int empty_namespaces(const struct image_options *opts, int64_t *ret, struct nook_error *e)
{
	*ret = 0;
	for (size_t i = 0; i < opts->empty_ns.n; i++) {
		int kind = ns_kind_find(opts->empty_ns.items[i]);

		if (kind != NS_NET)
			return err_fmt(e, STEP_OPTION, "--empty-ns", EINVAL, "\"%.40s\" cannot be left out, only network can", opts->empty_ns.items[i]);
		*ret |= CLONE_NEWNET;
	}
	return 0;
}

static int network_lock(const char *word, struct nook_error *e)
{
	if (text_is(word, "iptables"))
		return 1;
	if (text_is(word, "nftables"))
		return 2;
	return err_fmt(e, STEP_OPTION, "--network-lock", EINVAL, "\"%.40s\" is neither iptables nor nftables", word);
}

int image_put_options(struct buf *b, const struct image_options *opts, const struct image_dirs *d, const char *log, struct nook_error *e)
{
	const struct {
		enum criu_option field;
		bool on;
	} truths[] = {
		{CRIU_TCP_ESTABLISHED, opts->tcp_established}, {CRIU_EXT_UNIX_SK, opts->ext_unix_sk}, {CRIU_SHELL_JOB, opts->shell_job},
		{CRIU_FILE_LOCKS, opts->file_locks}, {CRIU_AUTO_DEDUP, opts->auto_dedup}, {CRIU_LAZY_PAGES, opts->lazy_pages},
		{CRIU_LINK_REMAP, opts->link_remap}, {CRIU_NOTIFY_SCRIPTS, true}, {CRIU_ORPHAN_PTS_MASTER, true},
	};
	enum { ALL_MESSAGES = 4 };
	int64_t empty;
	int mode = opts->cgroups_mode ? TRY(criu_cgroups_mode(opts->cgroups_mode, e)) : 0;

	TRY(empty_namespaces(opts, &empty, e));
	pb_put_number(b, CRIU_IMAGES_DIR_FD, d->images);
	pb_put_number(b, CRIU_WORK_DIR_FD, d->work);
	pb_put_number(b, CRIU_LOG_LEVEL, ALL_MESSAGES);
	pb_put_string(b, CRIU_LOG_FILE, log);
	for (size_t i = 0; i < sizeof(truths) / sizeof(*truths); i++)
		if (truths[i].on)
			pb_put_number(b, truths[i].field, 1);
	if (empty)
		pb_put_number(b, CRIU_EMPTY_NS, empty);
	/* Groups are made by the runtime, as for any start, unless criu is told to. */
	pb_put_number(b, CRIU_MANAGE_CGROUPS, 1);
	pb_put_number(b, CRIU_MANAGE_CGROUPS_MODE, mode);
	if (opts->network_lock)
		pb_put_number(b, CRIU_NETWORK_LOCK, TRY(network_lock(opts->network_lock, e)));
	return 0;
}

static bool is_file_on_host(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && !S_ISDIR(st.st_mode);
}

void image_put_mounts(struct buf *b, const struct spec *s, enum image_mode mode)
{
	for (size_t i = 0; i < s->n_mounts; i++) {
		const struct spec_mount *m = &s->mounts[i];

		if ((m->words.bind || m->words.rbind) && m->source)
			criu_put_mount(b, m->target, mode == IMAGE_WRITE ? m->target : m->source);
	}
	/* A file is hidden by the host's /dev/null; what is a file in /proc and /sys is one there, too. */
	for (const char *const *path = s->masked; path && *path; path++)
		if (is_file_on_host(*path))
			criu_put_mount(b, *path, mode == IMAGE_WRITE ? *path : "/dev/null");
	for (size_t i = 0; i < s->n_annotations; i++)
		if (text_is(s->annotations[i].key, "org.criu.config"))
			pb_put_string(b, CRIU_CONFIG_FILE, s->annotations[i].value);
}

/* ---- restore --------------------------------------------------------------------------------------------------------------- */

struct restoring {
	const struct cgroup_want *groups;
};

static int make_groups(const struct cgroup_want *w, struct nook_error *e)
{
	int fds[CGROUP_HIERARCHIES_MAX], r = 0;
	size_t n = 0;

	for (; r >= 0 && n < w->n_dirs; n++) {
		const struct cgroup_dir *d = &w->dirs[n];

		fds[n] = d->given ? cgroup_dir_ensure(d->path, d->mount, d->prepare, e) : cgroup_dir_make(d->path, d->mount, d->prepare, e);
		r = fds[n];
	}
	for (size_t i = 0; r >= 0 && i < w->n_writes; i++)
		r = cgroup_limit(fds[w->writes[i].dir], w->writes[i].file, w->writes[i].value, w->writes[i].optional, e);
	for (size_t i = 0; r >= 0 && i < w->n_bpf; i++)
		r = cgroup_bpf_attach(fds[w->bpf[i].dir], w->bpf[i].prog_type, w->bpf[i].attach_type, w->bpf[i].insns, w->bpf[i].n_insns,
			CGROUP_BPF_ADD, e);
	for (size_t i = 0; i < n; i++)
		close_fd(&fds[i]);
	return r < 0 ? r : 0;
}

/* What criu restores is born where criu is. */
static int join_groups(void *data, pid_t pid, struct nook_error *e)
{
	const struct restoring *restoring = data;
	const char *dirs[CGROUP_HIERARCHIES_MAX];
	struct cgroup g = {.dirs = dirs};

	if (!restoring->groups)
		return 0;
	TRY(make_groups(restoring->groups, e));
	for (size_t i = 0; i < restoring->groups->n_dirs; i++)
		dirs[g.n++] = restoring->groups->dirs[i].path;
	return cgroup_attach(&g, pid, e);
}

/* Pipes and files of the host that were stdin, stdout and stderr are the caller's now. */
static int put_stdio(struct buf *b, const struct image_dirs *d, struct nook_error *e)
{
	AUTO(json_free) struct json *list = NULL;

	if (faccessat(d->images, IMAGE_STDIO, F_OK, 0) < 0)
		return 0;
	TRY(json_load(d->images, IMAGE_STDIO, 65536, STEP_CHECKPOINT, &list, e));
	if (!json_is(list, JSON_ARRAY))
		return err_num(e, STEP_CHECKPOINT, IMAGE_STDIO, EINVAL);
	for (int fd = 0; fd < 3 && fd < (int)json_length(list); fd++) {
		const char *was = json_string(json_at(list, (size_t)fd));

		if (was && (text_after(was, "pipe:") || text_after(was, "file[")))
			criu_put_inherited(b, was, fd);
	}
	return 0;
}

int image_restore(struct oci *o, const struct restore_options *opts, const struct spec *s, const struct cgroup_want *groups, const char *state_dir,
	struct criu_answer *ret, struct nook_error *e)
{
	AUTO_VALUE(image_dirs_close) struct image_dirs dirs = IMAGE_DIRS_INIT;
	AUTO_VALUE(buf_done) struct buf b = {0};
	const char *root = arena_printf(o->arena, "%s/criu-root", state_dir);
	struct restoring restoring = {groups};
	struct criu c = {
		.program = o->criu,
		.log_name = "restore.log",
		.private_mounts = true,
		.root_from = s->root.path,
		.root_to = root,
		.started = join_groups,
		.data = &restoring,
	};

	TRY(image_dirs_open(&opts->image, IMAGE_READ, &dirs, e));
	if (mkdir(root, 0755) < 0)
		return err_sys(e, STEP_CHECKPOINT, root);
	c.work_dir = dirs.work;
	TRY(image_put_options(&b, &opts->image, &dirs, c.log_name, e));
	pb_put_string(&b, CRIU_ROOT, root);
	pb_put_number(&b, CRIU_RST_SIBLING, 1);
	pb_put_number(&b, CRIU_EVASIVE_DEVICES, 1);
	if (opts->tcp_close)
		pb_put_number(&b, CRIU_TCP_CLOSE, 1);
	if (opts->lsm_profile)
		pb_put_string(&b, CRIU_LSM_PROFILE, opts->lsm_profile);
	if (opts->lsm_mount_context)
		pb_put_string(&b, CRIU_LSM_MOUNT_CONTEXT, opts->lsm_mount_context);
	image_put_mounts(&b, s, IMAGE_READ);
	TRY(put_stdio(&b, &dirs, e));
	TRY(criu_run(&c, CRIU_RESTORE, &b, ret, e));
	return ret->pid > 0 ? 0 : err_why(e, STEP_CHECKPOINT, o->criu, EPROTO, "criu does not tell whom it has restored");
}
