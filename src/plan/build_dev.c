/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* /dev: its nodes and links, further devices. */
#include "plan/build_source.h"

#include "base/text.h"

#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

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

/* With the right to make nodes: one tmpfs, filled while it is attached nowhere. */
static void dev_detached(struct build *b, const struct spec_mount *m)
{
	struct plan_node nodes[sizeof(standard_nodes) / sizeof(standard_nodes[0])] = {0};
	/* Its files belong to the container's root: by mapped ids where tmpfs has them, else by being given away. */
	bool idmap = b->new_userns && plan_host_maps_tmpfs(b->host);
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
	s->flags = (uint16_t)(PATH_IS_DIR | PATH_REAL_DIR | PATH_FRESH | build_new_name(b, m->target));
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
