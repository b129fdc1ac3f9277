/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The file system: root, mounts, /dev, masks. */
#include "plan/compile.h"

#include "base/text.h"
#include "spec/spec_defaults.h"

#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

enum { LAYERS_MAX = 128 };
enum { TMPFS_IDMAP = 6 << 16 | 3 << 8 };      /* kernel 6.3: tmpfs can be mounted with mapped ids */

/* File systems that get the container's SELinux context when they are made.  The others have one superblock for many
 * containers, or label each of their files by the policy. */
static bool takes_label(const char *type)
{
	static const char *const types[] = {"tmpfs", "ramfs", "devpts", "overlay"};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (text_is(types[i], type))
			return true;
	return false;
}

static void add_pair(struct buf *pairs, size_t *n, const char *key, const char *value)
{
	buf_add(pairs, key, strlen(key) + 1);
	buf_add(pairs, value, strlen(value) + 1);
	*n += 2;
}

struct refs build_params(struct build *b, const char *type, const char *data, const char *extra_key, const char *extra_value)
{
	const char *label = takes_label(type) && !(data && strstr(data, "context=")) ? b->spec->mount_label : NULL;
	struct buf pairs = {0};
	struct refs r;
	size_t n = 0;

	while (data && *data) {
		size_t len = strcspn(data, ",");
		const char *equals = memchr(data, '=', len);
		size_t key = equals ? (size_t)(equals - data) : len;

		/* Every devpts is an instance of its own since Linux 4.7. */
		if (len && strncmp(data, "newinstance", len) != 0) {
			buf_add(&pairs, data, key);
			buf_addc(&pairs, 0);
			if (equals)
				buf_add(&pairs, equals + 1, len - key - 1);
			buf_addc(&pairs, 0);
			n += 2;
		}
		data += len + (data[len] == ',');
	}
	if (extra_key)
		add_pair(&pairs, &n, extra_key, extra_value);
	if (label)
		add_pair(&pairs, &n, b->spec->mount_context ? b->spec->mount_context : "context", label);
	r = plan_add_array(b->out, buf_text(&pairs), pairs.len, 1);
	r.n = (uint32_t)n;
	buf_done(&pairs);
	return r;
}

static void attributes(const struct spec_mount *m, struct step *s)
{
	s->mount.attr_set = m->words.set;
	s->mount.attr_clear = m->words.clear;
	s->mount.rec_attr_set = m->words.rec_set;
	s->mount.rec_attr_clear = m->words.rec_clear;
	s->mount.propagation = (uint32_t)m->words.propagation;
}

static const struct {
	uint32_t flag;
	const char *word;
} superblock_words[] = {
	{MS_RDONLY, "ro"},           {MS_SYNCHRONOUS, "sync"}, {MS_DIRSYNC, "dirsync"},
	{MS_LAZYTIME, "lazytime"}, {MS_MANDLOCK, "mand"},   {MS_I_VERSION, "iversion"},
};

void build_mount_params(struct build *b, const char *type, const struct spec_mount *m, struct step *s)
{
	const char *data = m->data ? m->data : "";

	for (size_t i = 0; i < sizeof(superblock_words) / sizeof(superblock_words[0]); i++)
		if (m->words.sb_flags & superblock_words[i].flag)
			data = arena_printf(b->arena, "%s%s%s", data, *data ? "," : "", superblock_words[i].word);
	s->mount.params = build_params(b, type, data, NULL, NULL);
	attributes(m, s);
}

/* ---- sources ------------------------------------------------------------------------------------------------------- */

static bool is_one_to_one(const struct spec_idmap *maps, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (maps[i].inside != maps[i].outside)
			return false;
	return true;
}

/* Root of a user namespace (a nook in a nook) hands on all that it has, one to one: there is nothing to map, and the
 * kernel would not let it. */
static bool maps_sources(const struct build *b)
{
	const struct spec *s = b->spec;

	return s->idmap_sources && b->new_userns && b->host->privileged &&
	       !(is_one_to_one(s->uid_maps, s->n_uid_maps) && is_one_to_one(s->gid_maps, s->n_gid_maps));
}

/* How the ids of a source are mapped: by the container's maps, or by those of MOUNT. */
struct source_ids {
	bool map, recursive;
	const struct spec_mount *mount;
};

static void map_source(struct build *b, const char *path, int slot, const struct source_ids *ids)
{
	const struct spec_mount *m = ids->mount;
	bool own = m && m->n_uid_maps;
	struct ref uids = own ? build_map_text(b, m->uid_maps, m->n_uid_maps) : (struct ref){0};
	struct ref gids = own ? build_map_text(b, m->gid_maps, m->n_gid_maps) : (struct ref){0};
	struct step *s = build_step(b, STAGE_ADOPT, DO_IDMAP_MOUNT, path);

	s->slot = (int16_t)slot;
	s->flags = ids->recursive ? PATH_RECURSIVE : 0;
	s->idmap.uid_map = uids;
	s->idmap.gid_map = gids;
}

/* Opens a source and maps its ids; returns the slot. */
static int open_source(struct build *b, const char *path, unsigned flags, const struct source_ids *ids)
{
	int slot = plan_add_slot(b->out);
	struct step *s = build_step(b, b->open, DO_OPEN_TREE, path);

	s->slot = (int16_t)slot;
	s->flags = (uint16_t)flags;
	/* With a slash behind it the kernel takes nothing but a directory. */
	s->mount.source = flags & PATH_ROOT ? plan_add_str(b->out, arena_printf(b->arena, "%s/", path)) : s->object;
	if (ids->map)
		map_source(b, path, slot, ids);
	return slot;
}

/* Mounts a disk and maps its ids; returns the slot. */
static int open_disk(struct build *b, const struct spec_disk *disk, const struct source_ids *ids, struct nook_error *e)
{
	int slot = plan_add_slot(b->out);
	struct ref fstype = plan_add_str(b->out, disk->fstype);
	struct step *s;

	/* What an ordinary user may do in a namespace of his own is not enough: it is the kernel that reads the image. */
	if (!b->host->privileged || !b->host->first_userns)
		return err_why(e, STEP_DISK, disk->path, EPERM, "only root can mount a file system in a file");
	s = build_step(b, STAGE_PREPARE, DO_DISK, disk->path);
	s->slot = (int16_t)slot;
	s->mount.source = s->object;
	s->mount.fstype = fstype;
	s->mount.sb_flags = disk->readonly ? MS_RDONLY : 0;
	/* Nodes come only from /dev. */
	s->mount.attr_set = MOUNT_ATTR_NODEV;
	if (ids->map)
		map_source(b, disk->path, slot, ids);
	return slot;
}

/* A layer of an overlay: a directory or a disk. */
static int open_layer(struct build *b, const char *path, const struct spec_disk *disk, const struct source_ids *ids,
	struct nook_error *e)
{
	return disk ? open_disk(b, disk, ids, e) : open_source(b, path, PATH_ROOT, ids);
}

/* The same for a source that is a descriptor of the caller's. */
static int open_held(struct build *b, const struct spec_mount *m, unsigned flags, const struct source_ids *ids)
{
	int held = plan_add_slot(b->out), slot = plan_add_slot(b->out);
	struct step *s = build_step(b, STAGE_PREPARE, DO_HOLD, m->source);

	s->slot = (int16_t)held;
	s->value.number = (int64_t)m->source_fd.value;
	s = build_step(b, b->open, DO_OPEN_TREE, m->source);
	s->slot = (int16_t)slot;
	s->flags = (uint16_t)(flags | PATH_HELD);
	s->mount.source = s->object;
	s->mount.upper_slot = (int16_t)held;
	if (ids->map)
		map_source(b, m->source, slot, ids);
	return slot;
}

/* A device node in a tree of the host's must not work for the container's root, who owns it through the maps: nodes come
 * only from /dev.  A mount that says "dev" may have them. */
static uint64_t no_nodes(const struct build *b, uint64_t cleared)
{
	return b->spec->idmap_sources && b->new_userns && !(cleared & MOUNT_ATTR_NODEV) ? MOUNT_ATTR_NODEV : 0;
}

/* ---- root ---------------------------------------------------------------------------------------------------------- */

static int build_overlay(struct build *b, struct nook_error *e)
{
	const struct spec_root *root = &b->spec->root;
	int16_t lowers[LAYERS_MAX];
	size_t n = 0;
	const struct source_ids ids = {.map = maps_sources(b)};
	struct step *s;
	int upper = SLOT_NONE;

	lowers[n++] = (int16_t)TRY(open_layer(b, root->path, root->disk, &ids, e));
	for (const char *const *l = root->lowers; l && *l; l++) {
		if (n == sizeof(lowers) / sizeof(lowers[0]))
			return err_num(e, STEP_ROOT, *l, E2BIG);
		lowers[n++] = (int16_t)open_source(b, *l, PATH_ROOT, &ids);
	}
	if (root->upper || root->upper_disk)
		upper = TRY(open_layer(b, root->upper, root->upper_disk, &ids, e));
	else if (b->userns && !plan_host_has_user_xattr(b->host))
		build_note(b, "this kernel's tmpfs keeps no user.* attributes: a directory removed from a lower layer cannot be made again");
	s = build_step(b, STAGE_BUILD, DO_ROOT_OVERLAY, root->path);
	s->flags = b->userns ? OVERLAY_USERXATTR : 0;
	s->mount.lowers = plan_add_array(b->out, lowers, n, sizeof(lowers[0]));
	s->mount.upper_slot = (int16_t)upper;
	s->mount.params = root->upper_bytes
		? build_params(b, "tmpfs", spec_tmpfs_options(b->arena, "", root->upper_bytes), "mode", "0755")
		: build_params(b, "tmpfs", NULL, "mode", "0755");
	s->mount.source = plan_add_str(b->out, b->spec->mount_label);
	s->mount.rec_attr_set = no_nodes(b, 0);
	return 0;
}

/* Hooks that run before pivot_root(2) find the container's mounts where the configuration says that its root is. */
static bool has_early_hooks(const struct spec *s)
{
	return s->n_hooks[HOOK_PRESTART] || s->n_hooks[HOOK_CREATE_RUNTIME] || s->n_hooks[HOOK_CREATE_CONTAINER];
}

int build_root(struct build *b, struct nook_error *e)
{
	const struct spec_root *root = &b->spec->root;
	const struct source_ids ids = {.map = maps_sources(b), .recursive = !root->disk};
	struct step *s;
	int slot;

	switch (root->kind) {
	case ROOT_OVERLAY:
		return build_overlay(b, e);
	case ROOT_TMPFS:
		s = build_step(b, STAGE_BUILD, DO_ROOT_TMPFS, "/");
		s->mount.params = build_params(b, "tmpfs", root->upper_bytes ? spec_tmpfs_options(b->arena, "", root->upper_bytes) : NULL, "mode", "0755");
		s->mount.attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
		return 0;
	case ROOT_DIR:
		break;
	}
	slot = root->disk ? TRY(open_disk(b, root->disk, &ids, e)) : open_source(b, root->path, PATH_ROOT | PATH_RECURSIVE, &ids);
	s = build_step(b, STAGE_BUILD, DO_ROOT_ATTACH, root->path);
	s->slot = (int16_t)slot;
	s->flags = has_early_hooks(b->spec) ? ROOT_IN_PLACE : 0;
	s->mount.source = s->object;
	/* pivot_root(2) wants a root without peers; what it becomes is set behind it. */
	s->mount.propagation = MS_REC | (root->propagation & (MS_SHARED | MS_SLAVE) ? MS_SLAVE : MS_PRIVATE);
	s->mount.rec_attr_set = no_nodes(b, 0);
	return 0;
}

/* ---- /dev ---------------------------------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	uint32_t minor, major;
} standard_nodes[] = {
	{"null", 3, 1}, {"zero", 5, 1}, {"full", 7, 1}, {"random", 8, 1}, {"urandom", 9, 1}, {"tty", 0, 5},
};

static const char *const standard_links[] = {
	"fd", "/proc/self/fd", "stdin", "/proc/self/fd/0", "stdout", "/proc/self/fd/1", "stderr", "/proc/self/fd/2",
	"ptmx", "pts/ptmx", "core", "/proc/kcore", NULL,
};
enum { LINKS_WITHOUT_CORE = 10 };

static const char *const standard_dirs[] = {"pts", "shm", "mqueue", NULL};

/* "/tmp" in a root that was empty. */
static unsigned new_name(const struct build *b, const char *target)
{
	return b->spec->root.kind == ROOT_TMPFS && target[0] == '/' && target[1] && target[1] != '.' && !strchr(target + 1, '/')
	               ? PATH_NEW
	               : 0;
}

/* With the right to make nodes: one tmpfs, filled while it is attached nowhere. */
static void dev_detached(struct build *b, const struct spec_mount *m)
{
	struct plan_node nodes[sizeof(standard_nodes) / sizeof(standard_nodes[0])] = {0};
	/* Its files belong to the container's root: by mapped ids where tmpfs has them, else by being given away. */
	bool idmap = b->new_userns && b->host->kernel >= TMPFS_IDMAP;
	uint32_t uid = build_host_id(b->spec->uid_maps, b->new_userns && !idmap ? b->spec->n_uid_maps : 0, 0);
	uint32_t gid = build_host_id(b->spec->gid_maps, b->new_userns && !idmap ? b->spec->n_gid_maps : 0, 0);
	const char *links[LINKS_WITHOUT_CORE + 1] = {NULL};
	struct step *s = build_step(b, STAGE_PREPARE, DO_DEV_TREE, m->target);
	int slot = plan_add_slot(b->out);

	for (size_t i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++) {
		(void)snprintf(nodes[i].name, sizeof(nodes[i].name), "%s", standard_nodes[i].name);
		nodes[i].mode = S_IFCHR | 0666;
		nodes[i].major = standard_nodes[i].major;
		nodes[i].minor = standard_nodes[i].minor;
		nodes[i].uid = uid;
		nodes[i].gid = gid;
	}
	memcpy(links, standard_links, LINKS_WITHOUT_CORE * sizeof(links[0]));
	s->slot = (int16_t)slot;
	s->mount.attr_set = m->words.set;
	s->mount.params = build_params(b, "tmpfs",
		uid || gid ? arena_printf(b->arena, "%s%suid=%u,gid=%u", m->data ? m->data : "", m->data ? "," : "", uid, gid) : m->data,
		NULL, NULL);
	s->mount.nodes = plan_add_array(b->out, nodes, sizeof(nodes) / sizeof(nodes[0]), sizeof(nodes[0]));
	s->mount.links = plan_add_strs(b->out, links);
	s->mount.dirs = plan_add_strs(b->out, standard_dirs);
	if (idmap)
		build_step(b, STAGE_ADOPT, DO_IDMAP_MOUNT, m->target)->slot = (int16_t)slot;
	s = build_step(b, STAGE_BUILD, DO_BIND, m->target);
	s->slot = (int16_t)slot;
	s->flags = (uint16_t)(PATH_IS_DIR | PATH_REAL_DIR | PATH_FRESH | new_name(b, m->target));
	s->mount.target = s->object;
}

/* Without: a tmpfs of the user namespace, into which the host's nodes are bound. */
static void dev_bound(struct build *b, const struct spec_mount *m)
{
	struct step *s = build_step(b, STAGE_BUILD, DO_MOUNT, m->target);

	s->flags = PATH_IS_DIR | PATH_REAL_DIR | PATH_FRESH;
	s->mount.target = s->object;
	s->mount.fstype = plan_add_str(b->out, "tmpfs");
	build_mount_params(b, "tmpfs", m, s);
	for (size_t i = 0; i < sizeof(standard_nodes) / sizeof(standard_nodes[0]); i++) {
		s = build_step(b, STAGE_BUILD, DO_DEVICE, arena_printf(b->arena, "/dev/%s", standard_nodes[i].name));
		s->flags = DEVICE_BIND;
		s->device.target = s->object;
		s->device.type = S_IFCHR;
		s->device.major = standard_nodes[i].major;
		s->device.minor = standard_nodes[i].minor;
	}
	for (size_t i = 0; i < LINKS_WITHOUT_CORE; i += 2) {
		s = build_step(b, STAGE_BUILD, DO_SYMLINK, arena_printf(b->arena, "/dev/%s", standard_links[i]));
		s->pair.key = s->object;
		s->pair.value = plan_add_str(b->out, standard_links[i + 1]);
	}
}

int build_dev(struct build *b, const struct spec_mount *m, struct nook_error *e)
{
	(void)e;
	if (b->host->can_mknod)
		dev_detached(b, m);
	else
		dev_bound(b, m);
	b->fresh_dev = true;
	return 0;
}

int build_devices(struct build *b, struct nook_error *e)
{
	const struct spec *spec = b->spec;

	for (size_t i = 0; i < spec->n_devices; i++) {
		const struct spec_device *d = &spec->devices[i];
		bool bind = d->type != 'p' && (b->userns || !b->host->can_mknod || d->source);
		const char *source = d->source ? d->source : d->path;
		struct step *s;

		/* A privileged container lists all the host's devices; this one is a link to its own devpts, always. */
		if (spec->default_devices && text_is(d->path, "/dev/ptmx"))
			continue;
		s = build_step(b, STAGE_BUILD, DO_DEVICE, bind ? source : d->path);
		s->flags = bind ? DEVICE_BIND : 0;
		s->device.target = plan_add_str(b->out, d->path);
		s->device.type = d->type == 'b' ? S_IFBLK : d->type == 'p' ? S_IFIFO : d->type ? S_IFCHR : 0;
		s->device.major = (uint32_t)d->major;
		s->device.minor = (uint32_t)d->minor;
		s->device.mode = d->has_mode ? d->mode & 07777 : 0666;
		s->device.uid = d->uid;
		s->device.gid = d->gid;
	}
	if (spec->process.terminal) {
		struct step *s = build_step(b, STAGE_BUILD, DO_CONSOLE, "/dev/console");

		s->console.rows = spec->process.rows;
		s->console.columns = spec->process.columns;
		s->console.uid = spec->process.user.name ? 0 : spec->process.user.uid;
		s->console.bind_console = true;
	}
	(void)e;
	return 0;
}

/* ---- mounts -------------------------------------------------------------------------------------------------------- */

/* File systems that show a namespace can be mounted only by who owns it; else the caller's own is shown. */
static const struct {
	const char *type;
	enum ns_kind shows;
	const char *host;
} namespace_types[] = {
	{"proc", NS_PID, "/proc"},
	{"sysfs", NS_NET, "/sys"},
	{"mqueue", NS_IPC, "/dev/mqueue"},
};

static const char *bound_instead(const struct build *b, const char *type)
{
	for (size_t i = 0; i < sizeof(namespace_types) / sizeof(namespace_types[0]); i++)
		if (text_is(namespace_types[i].type, type) && b->userns && b->spec->ns[namespace_types[i].shows].mode != NS_PRIVATE)
			return namespace_types[i].host;
	return NULL;
}

static bool is_real_dir_target(const char *target)
{
	return text_is(target, "/proc") || text_is(target, "/sys") || text_is(target, "/dev");
}

static void attach_bind(struct build *b, const struct spec_mount *m, int slot, unsigned flags, bool recursive, const char *source)
{
	struct step *s = build_step(b, STAGE_BUILD, DO_BIND, m->target);

	b->foreign = true;
	s->slot = (int16_t)slot;
	s->flags = (uint16_t)(flags | (is_real_dir_target(m->target) ? PATH_REAL_DIR : 0) | (m->copyup ? PATH_COPYUP : 0) |
		new_name(b, m->target));
	s->mount.target = s->object;
	s->mount.source = plan_add_str(b->out, source);
	attributes(m, s);
	s->mount.rec_attr_set |= no_nodes(b, m->words.clear | m->words.rec_clear);
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

	attach_bind(b, m, m->source_fd.set ? open_held(b, m, flags, ids) : open_source(b, source, flags, ids), flags, recursive, source);
}

static int build_disk(struct build *b, const struct spec_mount *m, struct nook_error *e)
{
	const struct source_ids ids = {.map = maps_sources(b) && !m->words.noidmap};
	int slot = TRY(open_disk(b, m->disk, &ids, e));

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
		(trusted ? PATH_TRUSTED : 0) | new_name(b, target));
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
	const struct source_ids ids = {.map = maps_sources(b)};
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
		lowers[n++] = (int16_t)open_source(b, *path, PATH_ROOT, &ids);
	}
	if (l->keep)
		upper = open_source(b, l->keep, PATH_ROOT, &ids);
	s = build_step(b, STAGE_BUILD, DO_OVERLAY, m->target);
	s->flags = PATH_IS_DIR | (b->userns ? OVERLAY_USERXATTR : 0) | (l->readonly ? OVERLAY_READONLY : 0);
	s->mount.target = s->object;
	s->mount.upper_slot = (int16_t)upper;
	s->mount.lowers = plan_add_array(b->out, lowers, n, sizeof(lowers[0]));
	s->mount.params = build_params(b, "tmpfs", l->bytes ? spec_tmpfs_options(b->arena, "", l->bytes) : NULL, "mode", "0755");
	s->mount.source = plan_add_str(b->out, b->spec->mount_label);
	s->mount.rec_attr_set = m->words.set | m->words.rec_set | no_nodes(b, 0);
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
		s->flags = (uint16_t)new_name(b, m->target);
		s->mount.target = s->object;
		s->mount.source = plan_add_str(b->out, m->source);
		return 0;
	}
	if (m->disk)
		return build_disk(b, m, e);
	if (is_bind) {
		bool asked = m->words.idmap || m->words.ridmap || m->n_uid_maps;
		const struct source_ids ids = {
			.map = asked || (maps_sources(b) && !m->words.noidmap),
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
	instead = bound_instead(b, m->type);
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

/* ---- masks --------------------------------------------------------------------------------------------------------- */

/* Masked paths that are directories wherever they exist; the slash tells the walker. */
static const char *mask_word(struct build *b, const char *path)
{
	static const char *const directories[] = {
		"acpi", "asound", "scsi", "devices/virtual/dmi/id", "devices/virtual/powercap", "firmware", "kernel/debug",
		"kernel/security", "kernel/tracing",
	};

	for (size_t i = 0; i < sizeof(directories) / sizeof(directories[0]); i++)
		if (text_is(directories[i], path))
			return arena_printf(b->arena, "%s/", path);
	return path;
}

/* Has BASE a new file system of its own that can be written, with nothing mounted in it? */
static bool is_bare(const struct build *b, const char *base)
{
	bool bare = false;

	for (size_t i = 0; i < b->spec->n_mounts; i++) {
		const struct spec_mount *m = &b->spec->mounts[i];
		const char *rest = text_after(m->target, base);

		if (rest && *rest == '/')
			return false;
		if (rest && !*rest)
			bare = m->type && text_is(m->type, "proc") && !bound_instead(b, "proc") &&
			       !((m->words.set | m->words.rec_set) & MOUNT_ATTR_RDONLY);
	}
	return bare;
}

/* With ids of its own, none of them the host's root, a container has no way into what that root alone may open (mode 0400
 * or 0200); and directories of sysfs that others are mounted on are empty in a new one.  A default need not cover them. */
static bool is_out_of_reach(const struct build *b, const char *path)
{
	static const char *const of_root[] = {
		"/proc/kcore", "/proc/kmsg", "/proc/kpagecgroup", "/proc/kpagecount", "/proc/kpageflags", "/proc/pagetypeinfo",
		"/proc/slabinfo", "/proc/sysrq-trigger", "/proc/timer_list", "/proc/vmallocinfo",
	};
	static const char *const mount_points[] = {"/sys/kernel/debug", "/sys/kernel/security", "/sys/kernel/tracing"};

	for (size_t i = 0; b->without_root && i < sizeof(of_root) / sizeof(of_root[0]); i++)
		if (text_is(of_root[i], path))
			return true;
	for (size_t i = 0; b->fresh_sys && i < sizeof(mount_points) / sizeof(mount_points[0]); i++)
		if (text_is(mount_points[i], path))
			return true;
	return false;
}

/* Paths below BASE, relative to it, in one step; with BASE "/" those that are below neither /proc nor /sys. */
static void mask_below(struct build *b, enum step_kind kind, const char *const *paths, const char *base)
{
	const char **list = NULL;
	size_t n = 0;
	struct step *s;
	struct refs refs;

	for (const char *const *p = paths; p && *p; p++) {
		const char *in_proc = text_after(*p, "/proc/"), *in_sys = text_after(*p, "/sys/");
		const char *rest = text_is(base, "/proc") ? in_proc : text_is(base, "/sys") ? in_sys : in_proc || in_sys ? NULL : *p;

		if (rest && !(b->spec->default_masks && is_out_of_reach(b, *p)))
			*arena_push(b->arena, &list, &n) = kind == DO_MASK ? mask_word(b, rest) : rest;
	}
	if (!n)
		return;
	(void)arena_push(b->arena, &list, &n);
	refs = plan_add_strs(b->out, list);
	s = build_step(b, STAGE_BUILD, kind, base);
	s->flags = kind == DO_READONLY && is_bare(b, base) ? READONLY_BARE : 0;
	s->mask.base = s->object;
	s->mask.paths = refs;
}

void build_masks(struct build *b)
{
	static const char *const bases[] = {"/proc", "/sys", "/"};

	for (size_t i = 0; i < 3; i++) {
		/* Read-only first: a mask below a read-only directory must not be covered by it. */
		mask_below(b, DO_READONLY, b->spec->readonly, bases[i]);
		mask_below(b, DO_MASK, b->spec->masked, bases[i]);
	}
}
