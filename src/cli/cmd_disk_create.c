/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "command/command.h"
#include "disk/disk.h"

struct options {
	struct opt_i64 size;
	const char *fs, *label;
};

#define AT(member) offsetof(struct options, member)
static const struct opt options_table[] = {
	{'s', "size", "BYTES", OPT_BYTES, AT(size), "size of the file system; the file takes space as it fills"},
	{0, "fs", "ext4|xfs|btrfs", OPT_STRING, AT(fs), "type of the file system (ext4)"},
	{'L', "label", "NAME", OPT_STRING, AT(label), "a name in the file system itself"},
	{0},
};

static int run(struct cli *c, void *options, int argc, char **argv, struct nook_error *e)
{
	const struct options *o = options;
	struct disk_new n = {.label = o->label};
	int type = fsimage_find(o->fs ? o->fs : "ext4");

	(void)c, (void)argc;
	if (!o->size.set)
		return err_why(e, STEP_OPTION, "--size", EINVAL, "how large? such as --size 1G");
	if (o->size.value <= 0)
		return err_why(e, STEP_OPTION, "--size", ERANGE, "it must be positive");
	if (type < 0 || !fsimage_is_writable((enum fsimage_type)type))
		return err_fmt(e, STEP_OPTION, "--fs", EINVAL, "\"%s\" is not ext4, xfs or btrfs", o->fs);
	n.type = (enum fsimage_type)type;
	n.bytes = (uint64_t)o->size.value;
	return disk_create(argv[0], &n, e);
}

const struct command cmd_disk_create = {
	.name = "create",
	.usage = "FILE --size BYTES [OPTIONS]",
	.summary = "make a file with an empty file system",
	.options = options_table,
	.options_size = sizeof(struct options),
	.min_args = 1,
	.max_args = 1,
	.run = run,
	.examples = "nook disk create home.img --size 1G\nnook disk create data.img --size 20G --fs xfs\n",
};
