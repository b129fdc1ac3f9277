/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/netlink.h"

#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

int net_loopback_up(struct nook_error *e)
{
	/* One ioctl on the socket that is cheapest to make: any family takes it, and netlink would need an answer read. */
	auto_close int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP};

	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &lo) < 0)
		return err_sys(e, STEP_NET, "lo");
	return 0;
}
