/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/run.h"
#include "cli/run_config.h"
#include "cli/run_copy.h"
#include "cli/run_file.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/text.h"
#include "cgroup/cgroup.h"
#include "launch/launch.h"
#include "plan/plan.h"
#include "runtime/container.h"
#include "runtime/plan_file.h"
#include "runtime/rootfs.h"
#include "runtime/supervise.h"
#include "spec/spec_defaults.h"
#include "sys/selfexe.h"

static const char *joined(struct arena *a, const char *const *argv)
{
	struct buf text = {0};
	const char *copy;

	for (; *argv; argv++)
		buf_addf(&text, "%s%s", text.len ? " " : "", *argv);
	copy = arena_strdup(a, buf_text(&text));
	buf_done(&text);
	return copy;
}

/* A container of another program's does what it did, unless something else is asked for. */
static void run_again(struct run *r, int *argc, char ***argv)
{
	const char *const *command = *argc || r->config || r->source.kind != SOURCE_CONTAINER ? NULL : rootfs_command(r->from.plan, r->cli->arena);

	if (!command)
		return;
	*argv = (char **)(uintptr_t)command;
	while (command[*argc])
		++*argc;
}

static int run_spec(struct run *r, int argc, char **argv, struct nook_error *e)
{
	const bool is_image = r->source.kind == SOURCE_IMAGE;
	struct spec *s = r->spec;

	spec_defaults(s);
	run_again(r, &argc, &argv);
	if (is_image)
		TRY(run_image_apply(r->cli, r->image, s, e));
	else if (r->config)
		TRY(run_config_apply(r->cli, r->config, s, e));
	if (!is_image && r->image->digest)
		spec_pair_set(s->arena, &s->annotations, &s->n_annotations, ANNOTATION_IMAGE, r->image->digest);
	TRY(run_namespaces(r->cli, r->options, s, e));
	/* A script in the container may run this very program: nobody inside may write its file.  Before anything is read. */
	if (!spec_has_own_ids(s, r->host.euid) && !selfexe_is_protected()) {
		selfexe_note_dir();
		TRY(selfexe_protect(r->cli->argv, e));
	}
	TRY(run_process(r->cli, r->options, r->config ? &r->config->run : NULL, argv, argc, s, e));
	TRY(run_config_text(r->cli, r->options, r->config, argv, argc, &r->state.config, e));
	TRY(run_root(r->cli, r->options, &r->source, s, e));
	if (is_image && s->root.kind == ROOT_OVERLAY && run_copy_is_needed(r->image, s, &r->host, &r->storage))
		run_data_use_copy(r);
	if (r->source.kind == SOURCE_CONTAINER)
		TRY(run_container_root(r->cli, r->options, &r->from, s, e));
	TRY(run_mounts(r->cli, r->options, &r->volumes, s, e));
	TRY(run_disks(r->cli, r->options, s, e));
	if (r->source.kind == SOURCE_CONTAINER)
		TRY(run_mounts_again(r->cli, r->options, &r->from.container, &r->volumes, s, e));
	/* One that is run again has what it had. */
	if (r->config && r->source.kind != SOURCE_CONTAINER)
		TRY(run_volumes_of_image(r->cli, r->options, &r->volumes, s, r->config->run.volumes, r->source.text, e));
	TRY(run_limits(r->cli, r->options, s, e));
	return run_security(r->cli, r->options, s, e);
}

/* The groups that the limits need, so that the intent can name them. */
static int run_cgroups(struct run *r, const char *id, struct nook_error *e)
{
	struct arena *a = r->cli->arena;
	const char *parent = r->options->cgroup_parent;
	const char *path = container_cgroup_path(r->store, id, a);

	TRY(cgroup_layout_read(a, AT_FDCWD, &r->layout, e));
	r->layout.all_ours = plan_host_is_root(&r->host);
	r->host.cgroups = &r->layout;
	if (parent)
		path = arena_printf(a, "%s/%s", parent, path);
	TRY(cgroup_want(a, &r->layout, &r->spec->resources, path, &r->want, e));
	for (size_t i = 0; i < r->want.n_dirs; i++)
		*arena_push(a, &r->state.cgroups, &r->state.n_cgroups) = r->want.dirs[i].path;
	return 0;
}

/* Ids of a private user namespace when no option gave them. */
static int run_range(struct run *r, struct nook_error *e)
{
	struct spec *s = r->spec;

	if (s->root.copied && s->n_uid_maps) {
		r->state.range_base = s->uid_maps[0].outside;
		return idrange_take_again(runtime_fd(r->store), r->state.id, r->state.range_base, r->cli->arena, e);
	}
	if (s->ns[NS_USER].mode != NS_PRIVATE || s->n_uid_maps)
		return 0;
	TRY(idrange_choose(runtime_fd(r->store), r->state.id, r->host.first_userns, r->cli->arena, &r->range, e));
	s->uid_maps = r->range.uid_maps;
	s->n_uid_maps = r->range.n_uid_maps;
	s->gid_maps = r->range.gid_maps;
	s->n_gid_maps = r->range.n_gid_maps;
	r->state.range_base = r->range.base;
	return 0;
}

static int run_plan(struct run *r, struct nook_error *e)
{
	struct plan_request q = {
		.spec = r->spec,
		.host = &r->host,
		.cgroups = &r->want,
		.idmap_helper = r->range.helper,
		.deny_setgroups = !r->range.helper && !r->host.privileged,
	};

	spec_defaults_finish(r->spec);
	TRY(spec_check(r->spec, e));
	TRY(plan_build(r->cli->arena, &q, &r->result, e));
	for (const char **note = r->result.notes; note && *note; note++)
		cli_note(r->cli, "%s", *note);
	return 0;
}

static int born(void *data, pid_t pid, int pidfd, struct nook_error *e)
{
	struct run *r = data;
	int n = pid_start_time(AT_FDCWD, pid, &r->state.pid_start);

	(void)pidfd;
	if (n < 0)
		return err_num(e, STEP_PROC, "stat", n);
	r->state.pid = pid;
	r->state.started_ns = clock_date_ns();
	r->state.creating = false;
	return container_save(r->dir, &r->state, e);
}

/* NOOK_FAIL_STEP=N lets step N of the plan fail, for tests of what a failure leaves behind. */
static void fail_on_purpose(struct plan *p)
{
	const char *text = getenv("NOOK_FAIL_STEP");

	if (text)
		(void)text_u32(text, &p->fail_at);
}

static int run_started(struct run *r, struct nook_error *e)
{
	struct launch_hooks hooks = {.born = born, .data = r, .self = &r->self};
	struct launched l = LAUNCHED_INIT;
	sigset_t before;
	int code, status;

	fail_on_purpose(r->result.plan);
	TRY(plan_save(r->dir, r->result.plan, e));
	supervise_begin(&before);
	code = launch(r->result.plan, &hooks, &l, e);
	if (code < 0)
		return code;
	close_fd(&r->dir);
	(void)run_volumes_filled(&r->volumes, NULL); /* else the next one fills them anew */
	status = supervise(&l, e);
	launched_done(&l);
	if (status >= 0)
		r->state.pid = 0; /* reaped: nothing is left to be killed */
	return status;
}

/* The state directory exists from here on; whatever happens, it is undone or kept as the record of what happened. */
static int run_created(struct run *r, struct nook_error *e)
{
	struct nook_error later = NOOK_ERROR_INIT;
	int status = run_data_unpack(r, e), undone;

	if (status >= 0)
		status = run_data_layer_make(r, e);
	if (status >= 0)
		status = run_range(r, e);
	if (status >= 0)
		status = run_data_copy(r, e);
	if (status >= 0)
		status = run_plan(r, e);
	if (status >= 0)
		status = run_started(r, e);
	plan_free(r->result.plan);
	close_fd(&r->dir);
	for (int kind = 0; kind < DATA_KINDS; kind++)
		close_fd(&r->data[kind]);
	run_volumes_done(&r->volumes);
	r->state.exit_status = status < 0 ? supervise_status(e, status) : status;
	r->gone = status < 0 || r->state.auto_remove;
	if (r->gone)
		undone = container_remove(r->store, &r->state, REMOVE_FORCE, &later);
	else
		undone = container_finish(r->store, &r->state, &later);
	if (status < 0) {
		cli_error(r->cli, e);
		return r->state.exit_status;
	}
	if (undone < 0)
		cli_error(r->cli, &later);
	return status;
}

static int run_explained(struct run *r, struct nook_error *e)
{
	/* No state, no range is taken: a plan that is only read shows the first range there could be. */
	static struct spec_idmap range = {0, 524288, IDRANGE_SIZE};
	struct spec *s = r->spec;
	int code;

	if (s->ns[NS_USER].mode == NS_PRIVATE && !s->n_uid_maps) {
		if (!r->host.privileged)
			TRY(run_range(r, e));
		else
			s->uid_maps = s->gid_maps = &range, s->n_uid_maps = s->n_gid_maps = 1;
	}
	TRY(run_plan(r, e));
	code = plan_explain(r->result.plan, r->options->explain, STDOUT_FILENO, e);
	plan_free(r->result.plan);
	return code;
}

static int run_specified(struct run *r, int argc, char **argv, struct nook_error *e)
{
	struct spec *spec = r->spec;
	int n;

	TRY(run_spec(r, argc, argv, e));
	if (spec->ns[NS_UTS].mode == NS_PRIVATE && !spec->hostname)
		spec->hostname = r->state.id;
	TRY(run_cgroups(r, r->state.id, e));
	run_data_layer(r);
	if (r->options->explain)
		return run_explained(r, e);
	r->state.name = r->options->name;
	r->state.source = r->source.text;
	r->state.rootfs = r->spec->root.path;
	r->state.command = joined(r->cli->arena, spec->process.argv);
	r->state.annotations = spec->annotations;
	r->state.n_annotations = spec->n_annotations;
	r->state.created_ns = clock_date_ns();
	r->state.creating = true;
	r->state.auto_remove = r->options->rm;
	r->state.volumes = r->volumes.texts;
	r->state.n_volumes = r->volumes.n_texts;
	r->state.tied = spec->process.die_with_parent;
	r->state.supervisor = getpid();
	n = pid_stat_self(&r->self);
	if (n < 0)
		return err_num(e, STEP_PROC, "stat", n);
	r->state.supervisor_start = r->self.start;
	r->dir = container_create(r->store, &r->state, e);
	r->gone = r->dir < 0;
	return r->dir < 0 ? r->dir : run_created(r, e);
}

/* What the source names, held, and what it says about the process. */
static int run_find(struct run *r, struct nook_error *e)
{
	struct image_config *config = arena_new_of(r->cli->arena, struct image_config);
	const struct container *from = &r->from.container;

	if (r->source.kind == SOURCE_IMAGE) {
		TRY(run_image_find(r->cli, r->source.image, r->options->pull, r->options->platform, r->image, e));
		r->config = &r->image->config;
	}
	if (r->source.kind != SOURCE_IMAGE && r->file_config) {
		TRY(run_config_parse(r->cli, r->file_config, r->source.path, config, e));
		r->config = config;
	}
	if (r->source.kind == SOURCE_CONTAINER) {
		TRY(run_container_find(r->cli, r->store, r->source.path, &r->from, e));
		if (*from->config) {
			TRY(run_config_parse(r->cli, from->config, from->id, config, e));
			r->config = config;
		}
		/* Its layers are this one's, too: nobody removes them. */
		if (container_annotation(from, ANNOTATION_IMAGE))
			TRY(run_image_hold(r->cli, container_annotation(from, ANNOTATION_IMAGE), r->image, e));
	}
	return 0;
}

static int run(struct cli *c, void *options, int argc, char **argv, struct nook_error *e)
{
	AUTO(spec_free) struct spec *spec = spec_new();
	AUTO(runtime_close) struct store_run *store = NULL;
	AUTO_VALUE(run_image_done) struct run_image image = {0};
	int code;
	struct run r = {.cli = c, .image = &image, .options = options, .spec = spec, .dir = -EBADF, .data = {-EBADF, -EBADF}, .state.exit_status = -1};

	TRY(run_source_parse(argv[0], &r.source, e));
	if (r.source.kind == SOURCE_DIR && run_file_is_image(r.source.path)) {
		r.source.kind = SOURCE_IMAGE;
		r.source.image = r.source.text;
	}
	if (r.source.kind == SOURCE_IMG || r.source.kind == SOURCE_TAR)
		TRY(run_file_look(c, &r.source, &r.file_config, e));
	TRY(run_storage_parse(r.options->storage, &r.storage, e));
	/* A container of an image that is not thrown away keeps what it changed, as people expect who know others. */
	if (r.source.kind == SOURCE_IMAGE && r.storage.kind == STORAGE_NONE && !r.options->rm && !r.options->overlay)
		r.storage.kind = STORAGE_DIR;
	TRY(container_id_new(c->arena, &r.state.id, e));
	TRY(runtime_open(c->run, c->arena, &store, e));
	r.store = store;
	TRY(run_find(&r, e));
	if (r.source.kind == SOURCE_TAR)
		run_data_use_tar(&r);
	TRY(plan_host_probe(&r.host, e));
	r.volumes.store = store;
	r.gone = true;
	code = run_specified(&r, argc - 1, argv + 1, e);
	run_container_done(&r.from);
	/* What nobody gave a name does not outlive the only container that knows it. */
	run_volumes_done(&r.volumes);
	r.state.volumes = r.volumes.texts;
	r.state.n_volumes = r.volumes.n_texts;
	if (r.gone && r.volumes.made_anonymous)
		(void)volume_drop_anonymous(store, c->root, &r.state, NULL);
	return code;
}

const struct command cmd_run = {
	.name = "run",
	.usage = "[OPTIONS] SOURCE [--] [COMMAND [ARG...]]",
	.summary = "run a command in a new container",
	.options = run_table,
	.options_size = sizeof(struct run_options),
	.mode = OPT_SOURCE,
	.min_args = 1,
	.max_args = -1,
	.run = run,
	.details = "SOURCE is where the root file system comes from: an image (debian:12, docker://HOST/NAME, oci:DIR[:TAG], "
		   "oci-archive:FILE, docker-archive:FILE; a name that is not here yet is pulled; the image says what runs in "
		   "it), host: (this system, read-only below a private writable layer), dir:PATH (a directory, used in "
		   "place; or an image, as skopeo copies one there), tar:FILE (unpacked for this container alone), container:NAME "
		   "(the root that an ended container has left, with its layer; its command, environment, user and directory, unless "
		   "others are given), or img:FILE (whatever nook export writes: a file system in a file, ext4, xfs or btrfs used in "
		   "place, squashfs or erofs below a writable layer; a root or an image in an archive). The exit "
		   "status is the command's, 128+n when signal n ended it, 125 when nook failed, 126 when the command cannot "
		   "be executed, 127 when it is not found.",
	.examples = "nook run debian:12\n"
		    "nook run host: sh\n"
		    "nook run --rm -m 512m --cpus 0.5 -v $PWD:/work -w /work host: make\n"
		    "nook run --explain host: true\n"
		    "nook run dir:/srv/debian -- cat /etc/os-release\n"
		    "nook run --rm tar:rootfs.tar.zst sh",
};
