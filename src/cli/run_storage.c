/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* nook run --storage: where what is changed in the root is kept. */
#include "cli/run_options.h"

#include "base/text.h"

int run_storage_parse(const char *text, struct run_storage *ret, struct nook_error *e)
{
	struct run_storage s = {.kind = STORAGE_NONE, .fs = FSIMAGE_EXT4};
	const char *disk, *memory;
	char size[32];
	size_t len;
	int type;

	*ret = s;
	if (!text)
		return 0;
	disk = text_after(text, "disk:");
	memory = text_after(text, "tmpfs:");
	if (text_is(text, "dir") || text_is(text, "tmpfs")) {
		ret->kind = text_is(text, "dir") ? STORAGE_DIR : STORAGE_MEMORY;
		return 0;
	}
	if (!disk && !memory)
		return err_fmt(e, STEP_OPTION, "--storage", EINVAL, "\"%s\" is not dir, disk:SIZE[,fs=TYPE] or tmpfs[:SIZE]", text);
	s.kind = disk ? STORAGE_DISK : STORAGE_MEMORY;
	text = disk ? disk : memory;
	len = strcspn(text, ",");
	if (len >= sizeof(size))
		return err_fmt(e, STEP_OPTION, "--storage", EINVAL, "\"%s\" is no size", text);
	memcpy(size, text, len);
	size[len] = 0;
	if (text_bytes(size, &s.bytes) < 0 || !s.bytes)
		return err_fmt(e, STEP_OPTION, "--storage", EINVAL, "\"%s\" is no size", size);
	text += len;
	if (!*text) {
		*ret = s;
		return 0;
	}
	text = disk ? text_after(text, ",fs=") : NULL;
	type = text ? fsimage_find(text) : -1;
	if (type < 0 || !fsimage_is_writable((enum fsimage_type)type))
		return err_why(e, STEP_OPTION, "--storage", EINVAL, "behind the size of a disk comes fs=ext4, fs=xfs or fs=btrfs");
	s.fs = (enum fsimage_type)type;
	*ret = s;
	return 0;
}
