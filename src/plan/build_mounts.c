/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Mounts below the root. */
#include "plan/build_source.h"

#include "base/text.h"
#include "spec/spec_defaults.h"

#include <sys/mount.h>

static bool is_real_dir_target(const char *target)
{
	return text_is(target, "/proc") || text_is(target, "/sys") || text_is(target, "/dev");
}

static void attach_bind(struct build *b, const struct spec_mount *m, int slot, unsigned flags, bool recursive, const char *source)
{
	struct step *s = build_step(b, STAGE_BUILD, DO_BIND, m->target);

	b->foreign = true;
	s->slot = (int16_t)slot;
	s->flags = (uint16_t)((flags & ~(unsigned)PATH_NOFOLLOW) | (m->words.dest_nofollow ? PATH_NOFOLLOW : 0) |
		(is_real_dir_target(m->target) ? PATH_REAL_DIR : 0) | (m->copyup ? PATH_COPYUP : 0) | build_new_name(b, m->target));
	s->mount.target = s->object;
	s->mount.source = plan_add_str(b->out, source);
	build_attributes(m, s);
	s->mount.rec_attr_set |= build_no_nodes(b, m->words.clear | m->words.rec_clear);
	if (!s->mount.propagation)
		s->mount.propagation = MS_PRIVATE | (recursive ? MS_REC : 0);
	if (is_real_dir_target(m->target) && m->type)
		s->mount.fstype = plan_add_str(b->out, m->type);
}

static void build_bind(struct build *b, const struct spec_mount *m, const char *source, bool recursive,
	const struct source_ids *ids)
{
	unsigned flags = (recursive ? PATH_RECURSIVE : 0) | (m->words.src_nofollow ? PATH_NOFOLLOW : 0) |
		(m->words.if_exists ? PATH_OPTIONAL : 0);

	attach_bind(b, m, m->source_fd.set ? build_open_held(b, m, flags, ids) : build_open_source(b, source, flags, ids), flags, recursive, source);
}

static int build_disk(struct build *b, const struct spec_mount *m, struct nook_error *e)
{
	const struct source_ids ids = {.map = build_maps_sources(b) && !m->words.noidmap};
	int slot = TRY(build_open_disk(b, m->disk, &ids, e));

	attach_bind(b, m, slot, PATH_IS_DIR, false, m->disk->path);
	return 0;
}

/* The kernel's own names alone are below a new sysfs, and ours below a new /dev: until something with content of another
 * maker is mounted, a name there leads nowhere else. */
static bool is_trusted(const struct build *b, const char *target)
{
	static const char *const in_dev[] = {"/dev/pts", "/dev/shm", "/dev/mqueue"};

	for (size_t i = 0; b->fresh_dev && i < sizeof(in_dev) / sizeof(in_dev[0]); i++)
		if (text_is(target, in_dev[i]))
			return !b->foreign;
	return b->fresh_sys && !b->foreign && text_is(target, "/sys/fs/cgroup");
}

/* A file system that mount(2) can make in one call. */
static bool is_plain(const struct build *b, const struct spec_mount *m)
{
	enum { PLAIN = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC };

	return !((m->words.set | m->words.clear) & ~(uint64_t)PLAIN) && !m->words.rec_set && !m->words.rec_clear &&
	       !m->words.propagation && !m->words.sb_flags && !m->words.tmpcopyup && !b->spec->mount_label &&
	       /* The terminal comes from the descriptor of this mount. */
	       !(b->spec->process.terminal && m->type && text_is(m->type, "devpts"));
}

static void build_fs(struct build *b, const struct spec_mount *m, const char *target, const char *type)
{
	/* The standard mounts come first. */
	bool trusted = is_trusted(b, target) || (m->standard && strchr(target + 1, '/'));
	struct step *s = build_step(b, STAGE_BUILD, DO_MOUNT, target);

	s->flags = (uint16_t)(PATH_IS_DIR | (is_real_dir_target(target) ? PATH_REAL_DIR : 0) | (m->words.tmpcopyup ? PATH_COPYUP : 0) |
		(m->words.dest_nofollow ? PATH_NOFOLLOW : 0) | (trusted ? PATH_TRUSTED : 0) | build_new_name(b, target));
	s->mount.target = s->object;
	s->mount.fstype = plan_add_str(b->out, type);
	/* A source that only repeats the type is left out: it is one system call for a word in mount(8)'s list. */
	s->mount.source = plan_add_str(b->out, m->source && !text_is(m->source, type) ? m->source : NULL);
	if ((trusted || (s->flags & PATH_NEW && !is_real_dir_target(target))) && is_plain(b, m)) {
		s->flags |= MOUNT_AT_ONCE;
		s->mount.data = plan_add_str(b->out, m->data);
	} else if (m->standard || (text_is(type, "sysfs") && text_is(target, "/sys"))) {
		s->flags |= PATH_FRESH;
	}
	b->fresh_sys |= text_is(type, "sysfs") && text_is(target, "/sys");
	if (m->words.tmpcopyup)
		b->foreign = true;
	build_mount_params(b, type, m, s);
}

static bool has_limit_in(const struct cgroup_want *want, size_t dir)
{
	for (size_t i = 0; i < want->n_writes; i++)
		if (want->writes[i].dir == (int)dir)
			return true;
	return false;
}

static bool has_v1(const struct cgroup_want *want)
{
	for (size_t i = 0; i < want->n_dirs; i++)
		if (!want->dirs[i].v2)
			return true;
	return false;
}

/* The container's own groups, each hierarchy under its usual name; one v2 hierarchy alone is the directory itself.  Of v1
 * it sees the hierarchies that limit it: programs look there for how much they may use.  What is shown are the groups'
 * directories; the cgroup namespace makes each the top of its hierarchy. */
static void build_cgroup_view(struct build *b, const struct spec_mount *m)
{
	const struct cgroup_want *want = b->request->cgroups;
	struct spec_mount top = {.data = "mode=0755,size=64k,nr_inodes=64", .words.set = m->words.set & ~(uint64_t)MOUNT_ATTR_RDONLY,
		.standard = true};
	struct spec_mount each = {.words.rec_set = m->words.set | m->words.rec_set, .standard = true};
	bool trusted = is_trusted(b, m->target);
	struct step *s = NULL;

	if (want->n_dirs == 1 && want->dirs[0].v2) {
		each = (struct spec_mount){.words = m->words, .standard = true};
		build_fs(b, &each, m->target, "cgroup2");
		return;
	}
	build_fs(b, &top, m->target, "tmpfs");
	for (size_t i = 0; i < want->n_dirs; i++) {
		const struct cgroup_dir *d = &want->dirs[i];
		const char *name = d->mount ? strrchr(d->mount, '/') : NULL;

		/* A hierarchy that is mounted nowhere has no usual name. */
		if (!name || d->path[0] != '/' || !(d->v2 || has_limit_in(want, i)))
			continue;
		each.target = arena_printf(b->arena, "%s%s", m->target, name);
		s = build_step(b, STAGE_BUILD, DO_SHOW, each.target);
		s->flags = PATH_IS_DIR | (trusted ? PATH_TRUSTED : 0);
		s->mount.target = s->object;
		s->mount.source = plan_add_str(b->out, d->path);
		s->mount.rec_attr_set = each.words.rec_set;
	}
	if (s)
		s->flags |= SHOW_LAST;
}

static int build_layers(struct build *b, const struct spec_mount *m, struct nook_error *e)
{
	const struct spec_layers *l = m->layers;
	const struct source_ids ids = {.map = build_maps_sources(b)};
	const char *const given[] = {l->upper, l->work, NULL};
	int16_t lowers[LAYERS_MAX];
	struct ref original;
	size_t n = 0;
	int upper = SLOT_NONE;
	struct step *s;

	if (l->keep) {
		original = plan_add_str(b->out, l->original);
		s = build_step(b, STAGE_PREPARE, DO_KEEP, l->keep);
		s->pair.key = s->object;
		s->pair.value = original;
	}
	for (const char *const *path = l->lowers; *path; path++) {
		if (n == LAYERS_MAX || plan_slots_left(b->out) < 8)
			return err_num(e, STEP_MOUNT, *path, E2BIG);
		lowers[n++] = (int16_t)build_open_source(b, *path, PATH_ROOT, &ids);
	}
	if (l->keep)
		upper = build_open_source(b, l->keep, PATH_ROOT, &ids);
	s = build_step(b, STAGE_BUILD, DO_OVERLAY, m->target);
	s->flags = PATH_IS_DIR | (b->userns ? OVERLAY_USERXATTR : 0) | (l->readonly ? OVERLAY_READONLY : 0);
	s->mount.target = s->object;
	s->mount.upper_slot = (int16_t)upper;
	s->mount.lowers = plan_add_array(b->out, lowers, n, sizeof(lowers[0]));
	s->mount.params = build_params(b, "tmpfs", l->bytes ? spec_tmpfs_options(b->arena, "", l->bytes) : NULL, "mode", "0755");
	s->mount.source = plan_add_str(b->out, b->spec->mount_label);
	s->mount.rec_attr_set = m->words.set | m->words.rec_set | build_no_nodes(b, 0);
	if (l->upper)
		s->mount.links = plan_add_strs(b->out, given);
	return 0;
}

static void build_make(struct build *b, const struct spec_mount *m)
{
	const struct spec_make *make = m->make;
	struct ref text = plan_add_str(b->out, make->text);
	struct refs data = plan_add_array(b->out, make->data, make->size, 1);
	struct step *s = build_step(b, STAGE_BUILD, DO_MAKE, m->target);

	s->make.kind = make->kind;
	s->make.mode = make->mode;
	s->make.target = s->object;
	s->make.text = text;
	s->make.data = data;
	s->make.readonly = make->readonly;
}

static int build_mount(struct build *b, const struct spec_mount *m, struct nook_error *e)
{
	bool is_bind = m->words.bind || m->words.rbind || (m->type && text_is(m->type, "bind"));
	const char *instead;
	struct step *s;

	if (plan_slots_left(b->out) < 8)
		return err_num(e, STEP_MOUNT, m->target, E2BIG);
	if (m->layers)
		return build_layers(b, m, e);
	if (m->make) {
		build_make(b, m);
		return 0;
	}
	if (m->words.copy_symlink) {
		b->foreign = true;
		s = build_step(b, STAGE_BUILD, DO_COPY_LINK, m->target);
		s->flags = (uint16_t)build_new_name(b, m->target);
		s->mount.target = s->object;
		s->mount.source = plan_add_str(b->out, m->source);
		return 0;
	}
	if (m->disk)
		return build_disk(b, m, e);
	if (is_bind) {
		bool asked = m->words.idmap || m->words.ridmap || m->n_uid_maps;
		const struct source_ids ids = {
			.map = asked || (build_maps_sources(b) && !m->words.noidmap),
			.recursive = asked ? m->words.ridmap : m->words.rbind,
			.mount = m,
		};


		if (asked && !b->host->privileged)
			return err_why(e, STEP_ATTR, m->target, EPERM, "an idmapped mount needs CAP_SYS_ADMIN");
		if (asked && !m->n_uid_maps && !b->userns)
			return err_why(e, STEP_ATTR, m->target, EINVAL, "idmap needs maps of its own or a user namespace");
		build_bind(b, m, m->source, m->words.rbind, &ids);
		return 0;
	}
	if (!m->type || !*m->type)
		return err_why(e, STEP_MOUNT, m->target, EINVAL, "it has no type and is no bind");
	if (text_is(m->type, "cgroup")) {
		if (b->spec->ns[NS_CGROUP].mode == NS_HOST && !(b->cgroup_view && has_v1(b->request->cgroups)))
			build_bind(b, m, "/sys/fs/cgroup", true, &(struct source_ids){0});
		else if (b->cgroup_view)
			build_cgroup_view(b, m);
		return 0;
	}
	instead = build_bound_instead(b, m->type);
	if (instead) {
		struct spec_mount shown = *m;

		/* A machine that has no /dev/mqueue has none to show. */
		shown.words.if_exists = true;
		shown.words.rec_set |= shown.words.set;
		build_bind(b, &shown, instead, true, &(struct source_ids){0});
	}
	if (instead)
		return 0;
	if (text_is(m->target, "/dev") && text_is(m->type, "tmpfs") && b->spec->default_devices)
		TRY(build_dev(b, m, e));
	else
		build_fs(b, m, m->target, m->type);
	return 0;
}

int build_mounts(struct build *b, struct nook_error *e)
{
	for (size_t i = 0; i < b->spec->n_mounts; i++)
		TRY(build_mount(b, &b->spec->mounts[i], e));
	for (size_t i = 0; i < b->spec->n_files; i++) {
		const struct spec_file *f = &b->spec->files[i];
		struct refs data = plan_add_array(b->out, f->data, f->size, 1);
		struct ref staging = plan_add_str(b->out, f->staging);
		struct step *s = build_step(b, STAGE_BUILD, DO_PUT, f->target);

		s->file.target = s->object;
		s->file.staging = staging;
		s->file.data = data;
	}
	return 0;
}
