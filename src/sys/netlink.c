/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/netlink.h"

#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

int net_loopback_up_by(int socket, struct nook_error *e)
{
	struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP};

	return ioctl(socket, SIOCSIFFLAGS, &lo) < 0 ? err_sys(e, STEP_NET, "lo") : 0;
}

int net_loopback_up(struct nook_error *e)
{
	/* One ioctl on the socket that is cheapest to make: any family takes it, and netlink would need an answer read. */
	auto_close int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	return fd < 0 ? err_sys(e, STEP_NET, "lo") : net_loopback_up_by(fd, e);
}
