/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The programs that make and check file systems. */
#include "disk/disk.h"

#include "base/spawn.h"
#include "base/text.h"

enum { WORDS_MAX = 16, NO_LIMIT_MS = -1, SIGNAL_BASE = 128 };

/* Of the command lines: %f is the file, a word behind %l is left out with it when there is no label. */
static const struct {
	const char *package;
	const char *make[WORDS_MAX], *look[WORDS_MAX], *repair[WORDS_MAX];
	uint64_t least;            /* bytes that its program asks for at least, in words that do not say so */
	int look_damaged;          /* the least exit status that means damage */
	int repaired, repair_failed; /* exit status of a repair that did something, and the least of one that failed */
} tools[FSIMAGE_TYPES] = {
	/* Nothing is written that a hole is as good as. */
	[FSIMAGE_EXT4] = {"e2fsprogs",
		{"mkfs.ext4", "-q", "-F", "-b", "4096", "-m", "0", "-E", "lazy_itable_init=1,lazy_journal_init=1", "-L", "%l", "%f"},
		{"e2fsck", "-f", "-n", "%f"}, {"e2fsck", "-f", "-y", "%f"}, 0, 1, 1, 4},
	[FSIMAGE_XFS] = {"xfsprogs", {"mkfs.xfs", "-q", "-L", "%l", "%f"}, {"xfs_repair", "-n", "-f", "%f"}, {"xfs_repair", "-f", "%f"}, UINT64_C(300) << 20, 1, -1, 1},
	[FSIMAGE_BTRFS] = {"btrfs-progs", {"mkfs.btrfs", "-q", "-L", "%l", "%f"}, {"btrfs", "check", "--readonly", "%f"},
		{"btrfs", "check", "--repair", "--force", "%f"}, 0, 1, -1, 1},
};

static int run_tool(const char *const *row, const char *path, const char *label, const char *package, struct buf *out,
	struct nook_error *e)
{
	const char *argv[WORDS_MAX + 1];
	struct spawn s = {.argv = argv, .timeout_ms = NO_LIMIT_MS};
	size_t n = 0;
	int status;

	for (size_t i = 0; i < WORDS_MAX && row[i]; i++) {
		if (row[i + 1] && text_is(row[i + 1], "%l") && !label)
			i++;
		else
			argv[n++] = text_is(row[i], "%f") ? path : text_is(row[i], "%l") ? label : row[i];
	}
	argv[n] = NULL;
	status = spawn_run(&s, out, e);
	if (status == -ENOENT)
		return err_fmt(e, STEP_SPAWN, row[0], ENOENT, "is not installed: it comes with the package %s", package);
	if (status > SIGNAL_BASE)
		return err_fmt(e, STEP_SPAWN, row[0], EIO, "was ended by signal %d", status - SIGNAL_BASE);
	return status;
}

int disk_tools_make(const char *path, const struct disk_new *n, struct nook_error *e)
{
	AUTO_VALUE(buf_done) struct buf out = {0};
	int status = TRY(run_tool(tools[n->type].make, path, n->label, tools[n->type].package, &out, e));

	if (status && n->bytes < tools[n->type].least)
		return err_fmt(e, STEP_DISK, fsimage_names[n->type], ERANGE, "has at least %llum", (unsigned long long)(tools[n->type].least >> 20));
	if (status)
		return err_fmt(e, STEP_DISK, fsimage_names[n->type], EINVAL, "%s: %s", tools[n->type].make[0], buf_last_line(&out));
	return 0;
}

int disk_tools_check(const char *path, enum fsimage_type type, enum disk_repair mode, struct buf *said, struct nook_error *e)
{
	const char *const *row = mode == DISK_REPAIR ? tools[type].repair : tools[type].look;
	int status = TRY(run_tool(row, path, NULL, tools[type].package, said, e));

	if (mode == DISK_LOOK)
		return status >= tools[type].look_damaged ? DISK_DAMAGED : DISK_CLEAN;
	if (status >= tools[type].repair_failed)
		return DISK_DAMAGED;
	return status == tools[type].repaired ? DISK_REPAIRED : DISK_CLEAN;
}

static int run_ext4(const char *const *row, int good, const char *path, const char *object, struct nook_error *e)
{
	AUTO_VALUE(buf_done) struct buf out = {0};
	int status = TRY(run_tool(row, path, NULL, tools[FSIMAGE_EXT4].package, &out, e));

	if (status > good)
		return err_fmt(e, STEP_DISK, object, EINVAL, "%s: %s", row[0], buf_last_line(&out));
	return 0;
}

int disk_tools_grow(const char *path, const char *object, struct nook_error *e)
{
	static const char *const check[WORDS_MAX] = {"e2fsck", "-f", "-p", "%f"}, *const grow[WORDS_MAX] = {"resize2fs", "%f"};

	TRY(run_ext4(check, 1, path, object, e));
	return run_ext4(grow, 0, path, object, e);
}

int disk_tools_trim(const char *path, const char *object, struct nook_error *e)
{
	static const char *const trim[WORDS_MAX] = {"e2fsck", "-f", "-p", "-E", "discard", "%f"};

	return run_ext4(trim, 1, path, object, e);
}
