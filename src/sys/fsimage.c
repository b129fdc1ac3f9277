/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/fsimage.h"

#include "base/text.h"
#include "sys/loop.h"
#include "sys/mountapi.h"

#include <sys/file.h>
#include <sys/stat.h>

const char *const fsimage_names[FSIMAGE_TYPES] = {
	[FSIMAGE_EXT4] = "ext4", [FSIMAGE_XFS] = "xfs", [FSIMAGE_BTRFS] = "btrfs",
	[FSIMAGE_SQUASHFS] = "squashfs", [FSIMAGE_EROFS] = "erofs",
};

int fsimage_find(const char *name)
{
	for (int type = 0; type < FSIMAGE_TYPES; type++)
		if (text_is(fsimage_names[type], name))
			return type;
	return -1;
}

bool fsimage_is_writable(enum fsimage_type type)
{
	return type == FSIMAGE_EXT4 || type == FSIMAGE_XFS || type == FSIMAGE_BTRFS;
}

/* ---- superblocks --------------------------------------------------------------------------------------------------- */

enum { SUPER_BYTES = 1024 };

static uint64_t little(const uint8_t *p, int bytes)
{
	uint64_t n = 0;

	while (bytes--)
		n = n << 8 | p[bytes];
	return n;
}

static uint64_t big(const uint8_t *p, int bytes)
{
	uint64_t n = 0;

	for (int i = 0; i < bytes; i++)
		n = n << 8 | p[i];
	return n;
}

static void label_copy(struct fsimage *f, const uint8_t *from, size_t len)
{
	memcpy(f->label, from, len < sizeof(f->label) - 1 ? len : sizeof(f->label) - 1);
}

/* A block size is a power of two; a number that is none makes every size 0 instead of undefined. */
static uint32_t power(uint64_t exponent)
{
	return exponent >= 9 && exponent <= 20 ? 1U << exponent : 0;
}

static const char *read_ext4(const uint8_t *s, struct fsimage *f)
{
	uint64_t blocks = little(s + 0x04, 4);

	if (little(s + 0x60, 4) & 0x80) /* INCOMPAT_64BIT */
		blocks |= little(s + 0x150, 4) << 32;
	f->block_bytes = power(10 + little(s + 0x18, 4));
	f->bytes = blocks * f->block_bytes;
	f->dirty = (little(s + 0x60, 4) & 0x4) != 0; /* INCOMPAT_RECOVER */
	memcpy(f->uuid, s + 0x68, sizeof(f->uuid));
	label_copy(f, s + 0x78, 16);
	/* The kernel would open the device that the image names, whichever it is. */
	return little(s + 0xe4, 4) ? "it keeps its journal on another device" : NULL;
}

static const char *read_xfs(const uint8_t *s, struct fsimage *f)
{
	f->block_bytes = (uint32_t)big(s + 4, 4);
	f->bytes = big(s + 8, 8) * f->block_bytes;
	memcpy(f->uuid, s + 32, sizeof(f->uuid));
	label_copy(f, s + 108, 12);
	return big(s + 48, 8) ? NULL : "it keeps its log on another device";
}

static const char *read_btrfs(const uint8_t *s, struct fsimage *f)
{
	f->bytes = little(s + 0x70, 8);
	f->block_bytes = (uint32_t)little(s + 0x90, 4);
	f->dirty = little(s + 0x60, 8) != 0; /* a log tree */
	memcpy(f->uuid, s + 0x20, sizeof(f->uuid));
	label_copy(f, s + 0x12b, sizeof(f->label) - 1);
	return little(s + 0x88, 8) == 1 ? NULL : "it lies on more than one device";
}

static const char *read_squashfs(const uint8_t *s, struct fsimage *f)
{
	f->block_bytes = (uint32_t)little(s + 12, 4);
	f->bytes = little(s + 40, 8);
	return little(s + 28, 2) == 4 ? NULL : "its version is not 4";
}

static const char *read_erofs(const uint8_t *s, struct fsimage *f)
{
	f->block_bytes = power(s[12]);
	f->bytes = little(s + 36, 4) * f->block_bytes;
	memcpy(f->uuid, s + 48, sizeof(f->uuid));
	label_copy(f, s + 64, 16);
	return little(s + 86, 2) ? "parts of it lie on other devices" : NULL;
}

static const struct {
	enum fsimage_type type;
	off_t super;     /* where the superblock starts */
	size_t magic_at; /* from there */
	const char *magic;
	size_t magic_len;
	const char *(*read)(const uint8_t *super, struct fsimage *ret); /* why it is refused, or NULL */
} formats[] = {
	{FSIMAGE_EXT4, 1024, 0x38, "\x53\xef", 2, read_ext4},
	{FSIMAGE_XFS, 0, 0, "XFSB", 4, read_xfs},
	{FSIMAGE_BTRFS, 65536, 0x40, "_BHRfS_M", 8, read_btrfs},
	{FSIMAGE_SQUASHFS, 0, 0, "hsqs", 4, read_squashfs},
	{FSIMAGE_EROFS, 1024, 0, "\xe2\xe1\xf5\xe0", 4, read_erofs},
};

int fsimage_probe(int file, const char *object, struct fsimage *ret, struct nook_error *e)
{
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		uint8_t super[SUPER_BYTES] = {0};
		struct fsimage f = {.type = formats[i].type};
		ssize_t n = pread(file, super, sizeof(super), formats[i].super);
		const char *refused;

		if (n < 0)
			return err_sys(e, STEP_DISK, object);
		if (memcmp(super + formats[i].magic_at, formats[i].magic, formats[i].magic_len) != 0)
			continue;
		refused = formats[i].read(super, &f);
		if (refused)
			return err_why(e, STEP_DISK, object, EINVAL, refused);
		*ret = f;
		return 0;
	}
	return err_why(e, STEP_DISK, object, EINVAL, "there is no ext4, xfs, btrfs, squashfs or erofs in it");
}

/* ---- opening and mounting ------------------------------------------------------------------------------------------ */

int fsimage_open(const char *path, enum fsimage_mode mode, struct nook_error *e)
{
	auto_close int fd = open(path, (mode == FSIMAGE_WRITABLE ? O_RDWR : O_RDONLY) | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(e, STEP_DISK, path);
	if (!S_ISREG(st.st_mode))
		return err_why(e, STEP_DISK, path, EINVAL, "is no regular file");
	if (flock(fd, (mode == FSIMAGE_WRITABLE ? LOCK_EX : LOCK_SH) | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? err_why(e, STEP_DISK, path, EBUSY, "is in use") : err_sys(e, STEP_DISK, path);
	return take_fd(&fd);
}

/* Whatever the image itself asks for: an error must not stop the machine (ext4), and a copy of a file system may be
 * mounted beside the original (xfs). */
static const struct {
	const char *params[4];
	size_t n;
} always[FSIMAGE_TYPES] = {
	/* Inode tables that were never written are holes; filling them in the background would only take space. */
	[FSIMAGE_EXT4] = {{"errors", "remount-ro", "noinit_itable", ""}, 2},
	[FSIMAGE_XFS] = {{"nouuid", ""}, 1},
};

/* -ENOTBLK: SOURCE is a file, and this kernel takes devices only; nothing recorded. */
static int mount_source(const char *source, enum fsimage_type type, enum fsimage_mode mode, unsigned attr, const char *object,
	struct nook_error *e)
{
	auto_close int fs = fsopen(fsimage_names[type], FSOPEN_CLOEXEC);
	int mnt;

	if (fs < 0) {
		int r = err_sys(e, STEP_DISK, object);

		if (r == -ENODEV)
			err_detail(e, "the kernel does not know this type of file system");
		return r;
	}
	if (fsconfig(fs, FSCONFIG_SET_STRING, "source", source, 0) < 0 ||
		(mode == FSIMAGE_READ_ONLY && fsconfig(fs, FSCONFIG_SET_FLAG, "ro", NULL, 0) < 0))
		return err_fs(e, STEP_DISK, object, fs);
	TRY(fs_params(fs, always[type].params, always[type].n, STEP_DISK, object, e));
	if (fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return errno == ENOTBLK ? -ENOTBLK : err_fs(e, STEP_DISK, object, fs);
	mnt = fsmount(fs, FSMOUNT_CLOEXEC, attr | (mode == FSIMAGE_READ_ONLY ? MOUNT_ATTR_RDONLY : 0));
	return mnt < 0 ? err_fs(e, STEP_DISK, object, fs) : mnt;
}

static void self_path(int fd, char *to)
{
	char digits[16];
	int n = 0;

	do
		digits[n++] = (char)('0' + fd % 10);
	while (fd /= 10);
	memcpy(to, "/proc/self/fd/", sizeof("/proc/self/fd/") - 1);
	to += sizeof("/proc/self/fd/") - 1;
	while (n)
		*to++ = digits[--n];
	*to = 0;
}

int fsimage_mount(int file, enum fsimage_type type, enum fsimage_mode mode, unsigned attr, const char *object,
	struct nook_error *e)
{
	char source[LOOP_NAME_MAX];
	auto_close int device = -EBADF;

	/* erofs can be mounted straight from a file since Linux 6.12. */
	if (type == FSIMAGE_EROFS) {
		int mnt;

		self_path(file, source);
		mnt = mount_source(source, type, mode, attr, object, e);
		if (mnt != -ENOTBLK)
			return mnt;
	}
	device = TRY(loop_open(file, mode == FSIMAGE_READ_ONLY ? LOOP_READ_ONLY : LOOP_WRITABLE, source, object, e));
	return mount_source(source, type, mode, attr, object, e);
}

int fsimage_mount_again(int file, enum fsimage_type type, unsigned attr, const char *object, struct nook_error *e)
{
	char source[LOOP_NAME_MAX];
	/* Held: it does not let go of the file before the mount has it. */
	auto_close int device = loop_find(file, source, object, e);

	return device < 0 ? device : mount_source(source, type, FSIMAGE_WRITABLE, attr, object, e);
}
