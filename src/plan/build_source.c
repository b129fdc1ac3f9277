/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the steps of the file system share: parameters and attributes of mounts, sources with their ids. */
#include "plan/build_source.h"

#include "base/text.h"

#include <sys/mount.h>

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

void build_attributes(const struct spec_mount *m, struct step *s)
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
	{MS_LAZYTIME, "lazytime"}, {MS_MANDLOCK, "mand"},
};

void build_mount_params(struct build *b, const char *type, const struct spec_mount *m, struct step *s)
{
	const char *data = m->data ? m->data : "";

	for (size_t i = 0; i < sizeof(superblock_words) / sizeof(superblock_words[0]); i++)
		if (m->words.sb_flags & superblock_words[i].flag)
			data = arena_printf(b->arena, "%s%s%s", data, *data ? "," : "", superblock_words[i].word);
	s->mount.params = build_params(b, type, data, NULL, NULL);
	build_attributes(m, s);
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
bool build_maps_sources(const struct build *b)
{
	const struct spec *s = b->spec;

	return s->idmap_sources && b->new_userns && b->host->privileged &&
	       !(is_one_to_one(s->uid_maps, s->n_uid_maps) && is_one_to_one(s->gid_maps, s->n_gid_maps));
}

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

int build_open_source_with(struct build *b, const char *path, unsigned flags, const struct source_ids *ids,
	const struct source_attributes *attributes)
{
	int slot = plan_add_slot(b->out);
	struct step *s = build_step(b, b->open, DO_OPEN_TREE, path);

	s->slot = (int16_t)slot;
	s->flags = (uint16_t)flags;
	/* With a slash behind it the kernel takes nothing but a directory. */
	s->mount.source = flags & PATH_ROOT ? plan_add_str(b->out, arena_printf(b->arena, "%s/", path)) : s->object;
	if (attributes) {
		s->mount.propagation = attributes->propagation;
		s->mount.rec_attr_set = attributes->attr_set;
	}
	if (ids->map)
		map_source(b, path, slot, ids);
	return slot;
}

int build_open_source(struct build *b, const char *path, unsigned flags, const struct source_ids *ids)
{
	return build_open_source_with(b, path, flags, ids, NULL);
}

/* Mounts a disk and maps its ids; returns the slot. */
int build_open_disk(struct build *b, const struct spec_disk *disk, const struct source_ids *ids, struct nook_error *e)
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
int build_open_layer(struct build *b, const char *path, const struct spec_disk *disk, const struct source_ids *ids,
	struct nook_error *e)
{
	return disk ? build_open_disk(b, disk, ids, e) : build_open_source(b, path, PATH_ROOT, ids);
}

/* The same for a source that is a descriptor of the caller's. */
int build_open_held(struct build *b, const struct spec_mount *m, unsigned flags, const struct source_ids *ids)
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
uint64_t build_no_nodes(const struct build *b, uint64_t cleared)
{
	return b->spec->idmap_sources && b->new_userns && !(cleared & MOUNT_ATTR_NODEV) ? MOUNT_ATTR_NODEV : 0;
}

/* "/tmp" in a root that was empty. */
unsigned build_new_name(const struct build *b, const char *target)
{
	return b->spec->root.kind == ROOT_TMPFS && target[0] == '/' && target[1] && target[1] != '.' && !strchr(target + 1, '/')
	               ? PATH_NEW
	               : 0;
}

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

const char *build_bound_instead(const struct build *b, const char *type)
{
	for (size_t i = 0; i < sizeof(namespace_types) / sizeof(namespace_types[0]); i++)
		if (text_is(namespace_types[i].type, type) && b->userns && b->spec->ns[namespace_types[i].shows].mode != NS_PRIVATE)
			return namespace_types[i].host;
	return NULL;
}
