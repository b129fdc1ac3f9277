/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/loop.h"

#include "base/cleanup.h"

#include <fcntl.h>
#include <linux/loop.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

/* Whoever else takes the free device first makes it busy; then there is another. */
enum { TRIES = 64 };
enum { DEVICES_MAX = 4096 };

static void name_of(long number, char *name)
{
	char digits[16];
	int n = 0;

	do
		digits[n++] = (char)('0' + number % 10);
	while ((number /= 10) && n < (int)sizeof(digits));
	memcpy(name, "/dev/loop", sizeof("/dev/loop") - 1);
	name += sizeof("/dev/loop") - 1;
	while (n)
		*name++ = digits[--n];
	*name = 0;
}

int loop_open(int file, enum loop_mode mode, char name[LOOP_NAME_MAX], const char *object, struct nook_error *e)
{
	auto_close int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	struct loop_config config = {
		.fd = (uint32_t)file,
		.info.lo_flags = LO_FLAGS_AUTOCLEAR | LO_FLAGS_DIRECT_IO | (mode == LOOP_READ_ONLY ? LO_FLAGS_READ_ONLY : 0),
	};

	if (control < 0)
		return err_sys(e, STEP_DISK, "/dev/loop-control");
	memcpy(config.info.lo_file_name, "nook", sizeof("nook"));
	for (int i = 0; i < TRIES; i++) {
		long number = ioctl(control, LOOP_CTL_GET_FREE);
		auto_close int device = -EBADF;

		if (number < 0)
			return err_sys(e, STEP_DISK, "/dev/loop-control");
		name_of(number, name);
		device = open(name, (mode == LOOP_READ_ONLY ? O_RDONLY : O_RDWR) | O_CLOEXEC);
		if (device < 0)
			return err_sys(e, STEP_DISK, name);
		if (ioctl(device, LOOP_CONFIGURE, &config) == 0)
			return take_fd(&device);
		if (errno != EBUSY)
			return err_sys(e, STEP_DISK, object);
	}
	return err_why(e, STEP_DISK, object, EBUSY, "others took every loop device that was free");
}

int loop_find(int file, char name[LOOP_NAME_MAX], const char *object, struct nook_error *e)
{
	struct stat st;

	if (fstat(file, &st) < 0)
		return err_sys(e, STEP_DISK, object);
	for (long number = 0; number < DEVICES_MAX; number++) {
		auto_close int device = -EBADF;
		struct loop_info64 info;

		name_of(number, name);
		device = open(name, O_RDONLY | O_CLOEXEC);
		if (device >= 0 && ioctl(device, LOOP_GET_STATUS64, &info) == 0 && info.lo_device == st.st_dev &&
			info.lo_inode == st.st_ino)
			return take_fd(&device);
	}
	return -ENOENT;
}
