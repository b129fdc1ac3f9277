/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/run_copy.h"

#include "runtime/mapped.h"
#include "storage/merge.h"
#include "stream/tree.h"
#include "sys/mountapi.h"
#include "sys/userns.h"

#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include <sys/wait.h>

/* ---- what the file system can do ------------------------------------------------------------------------------------- */

enum ability { NEVER, ALWAYS, TRIED };

#define CIFS_MAGIC 0xff534d42
#define SMB2_MAGIC 0xfe534d42
#define FUSE_MAGIC 0x65735546
#define EXFAT_MAGIC 0x2011bab0

/* Everything else carries upper layers, and whether it maps ids is tried. */
static const struct {
	unsigned long type;
	enum ability maps, carries_upper;
} file_systems[] = {
	{EXT4_SUPER_MAGIC, ALWAYS, ALWAYS},      {XFS_SUPER_MAGIC, ALWAYS, ALWAYS}, {BTRFS_SUPER_MAGIC, ALWAYS, ALWAYS},
	{F2FS_SUPER_MAGIC, ALWAYS, ALWAYS},      {TMPFS_MAGIC, TRIED, ALWAYS},      {OVERLAYFS_SUPER_MAGIC, TRIED, NEVER},
	{NFS_SUPER_MAGIC, TRIED, NEVER},         {FUSE_MAGIC, TRIED, NEVER},        {V9FS_MAGIC, TRIED, NEVER},
	{CIFS_MAGIC, TRIED, NEVER},              {SMB2_MAGIC, TRIED, NEVER},        {MSDOS_SUPER_MAGIC, ALWAYS, NEVER},
	{EXFAT_MAGIC, TRIED, NEVER},
};

static bool maps_ids(const char *path)
{
	auto_close int mnt = open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	auto_close int ns = userns_make("0 524288 65536\n", "0 524288 65536\n", NULL);

	return mnt >= 0 && ns >= 0 && mount_attrs(mnt, 0, MOUNT_ATTR_IDMAP, 0, 0, ns) == 0;
}

bool run_copy_is_needed(const struct run_image *image, const struct spec *s, const struct plan_host *host, const struct run_storage *storage)
{
	const bool needs_maps = s->ns[NS_USER].mode == NS_PRIVATE && s->idmap_sources && host->privileged;
	enum ability maps = TRIED, upper = ALWAYS;
	struct statfs fs;

	if (!image->n_layers || statfs(image->layers[0], &fs) < 0)
		return false;
	for (size_t i = 0; i < sizeof(file_systems) / sizeof(file_systems[0]); i++)
		if (file_systems[i].type == (unsigned long)(uint32_t)fs.f_type) {
			maps = file_systems[i].maps;
			upper = file_systems[i].carries_upper;
		}
	if ((unsigned long)fs.f_type == TMPFS_MAGIC && plan_host_maps_tmpfs(host))
		maps = ALWAYS;
	if (storage->kind == STORAGE_DIR && upper == NEVER)
		return true;
	return needs_maps && maps != ALWAYS && !maps_ids(image->layers[0]);
}

/* ---- copying ---------------------------------------------------------------------------------------------------------- */

/* Shared with the processes that copy. */
struct copy {
	const struct run_image *image;
	const struct idrange *range;
	int to, out, in;
	struct nook_error error;
};

static int write_tree(struct copy *c, int root)
{
	(void)close(c->in);
	return tree_write(root, ".", "", TREE_HOLES | TREE_TOP, c->out, &c->error);
}

/* As root of the range, if there is one. */
static int read_tree(const void *data)
{
	struct copy *c = *(struct copy *const *)data;
	struct tree_in how = {.root = c->to, .prefix = "", .keep_owner = true, .keep_top = true};
	int r;

	/* Who came from outside has an id there that is none here. */
	if (c->range && (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0))
		return -err_sys(&c->error, STEP_USER, "copy");
	r = tree_read(&how, c->in, &c->error);
	return r < 0 ? -r : 0;
}

static int copy_here(struct copy *c)
{
	const struct image image = {.layers = (const char **)(uintptr_t)c->image->layers, .n_layers = c->image->n_layers};
	struct nook_error *e = &c->error;
	int pipe_ends[2], status = 0, r;
	pid_t writer;

	if (image.n_layers > 1 && geteuid() != 0)
		TRY(merge_become_mounter(e));
	auto_close int merged = TRY(image_merge(&image, e));
	auto_close int root = openat(merged, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (root < 0 || pipe2(pipe_ends, O_CLOEXEC) < 0)
		return err_sys(e, STEP_IMAGE, "copy");
	c->in = pipe_ends[0];
	c->out = pipe_ends[1];
	writer = fork();
	if (writer == 0)
		_exit(write_tree(c, root) < 0);
	(void)close(c->out);
	if (writer < 0)
		return err_sys(e, STEP_IMAGE, "copy");
	r = c->range ? mapped_run(c->range, read_tree, &c, e) : -read_tree(&c);
	(void)close(c->in);
	while (waitpid(writer, &status, 0) < 0 && errno == EINTR)
		;
	if (r > 0)
		r = -r;
	return r < 0 ? r : status ? -EIO : 0;
}

int run_copy(const struct run_image *image, int to, const struct idrange *range, struct nook_error *e)
{
	struct copy *c = mmap(NULL, sizeof(*c), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status = 0, r = 0;
	pid_t pid;

	if (c == MAP_FAILED)
		return err_sys(e, STEP_IMAGE, "copy");
	*c = (struct copy){.image = image, .range = range, .to = to, .error = NOOK_ERROR_INIT};
	/* Who writes the files has to be at home there. */
	if (range && fchown(to, range->uid_maps[0].outside, range->gid_maps[0].outside) < 0)
		r = err_sys(e, STEP_IMAGE, "copy");
	pid = r < 0 ? -1 : fork();
	if (pid == 0)
		_exit(copy_here(c) < 0);
	if (pid < 0 && r == 0)
		r = err_sys(e, STEP_IMAGE, "copy");
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (r == 0 && status) {
		r = c->error.sys_errno ? -c->error.sys_errno : -EIO;
		if (e)
			*e = c->error;
	}
	(void)munmap(c, sizeof(*c));
	return r;
}
