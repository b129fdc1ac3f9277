/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/net_device.h"

#include "base/cleanup.h"

#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

enum { ADDRESSES_MAX = 64, REPLY_MAX = 32 * 1024 };

struct address {
	struct ifaddrmsg head;
	unsigned char local[16], peer[16], broadcast[4];
	bool has_local, has_peer, has_broadcast;
};

/* Room for the longest request: a head and four attributes. */
struct request {
	struct nlmsghdr h;
	union {
		struct ifinfomsg link;
		struct ifaddrmsg addr;
	};
	char room[256];
};

static int open_netlink(void)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE), on = 1;

	/* Lets the kernel sort out the addresses of other devices; without it we do. */
	if (fd >= 0)
		(void)setsockopt(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof(on));
	return fd < 0 ? -errno : fd;
}

static struct request request_init(int type, int flags, size_t head)
{
	return (struct request){.h = {.nlmsg_type = (uint16_t)type,
	                              .nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags),
	                              .nlmsg_len = (uint32_t)NLMSG_LENGTH(head)}};
}

static void add(struct request *r, unsigned short type, const void *data, size_t len)
{
	struct rtattr *a = (struct rtattr *)(void *)((char *)r + NLMSG_ALIGN(r->h.nlmsg_len));

	a->rta_type = type;
	a->rta_len = (unsigned short)RTA_LENGTH(len);
	memcpy(RTA_DATA(a), data, len);
	r->h.nlmsg_len = (uint32_t)(NLMSG_ALIGN(r->h.nlmsg_len) + RTA_ALIGN(a->rta_len));
}

/* Sends and waits for the kernel's verdict. */
static int ask(int fd, struct request *r)
{
	char reply[1024] __attribute__((aligned(NLMSG_ALIGNTO)));
	const struct nlmsghdr *h = (void *)reply;
	ssize_t n;

	r->h.nlmsg_flags |= NLM_F_ACK;
	if (send(fd, r, r->h.nlmsg_len, 0) < 0)
		return -errno;
	n = recv(fd, reply, sizeof(reply), 0);
	if (n < 0)
		return -errno;
	if (!NLMSG_OK(h, (size_t)n) || h->nlmsg_type != NLMSG_ERROR)
		return -EPROTO;
	return ((const struct nlmsgerr *)NLMSG_DATA(h))->error;
}

static void copy_address(const struct rtattr *a, unsigned char *to, size_t size, bool *ret_has)
{
	if (RTA_PAYLOAD(a) <= size) {
		memcpy(to, RTA_DATA(a), RTA_PAYLOAD(a));
		*ret_has = true;
	}
}

/* 1 when the message is an address to be kept. */
static int read_address(const struct nlmsghdr *h, unsigned index, struct address *ret)
{
	const struct ifaddrmsg *head = NLMSG_DATA(h);
	size_t len = h->nlmsg_len - NLMSG_LENGTH(sizeof(*head));
	uint32_t flags = head->ifa_flags;

	if (h->nlmsg_type != RTM_NEWADDR || head->ifa_index != index || head->ifa_scope != RT_SCOPE_UNIVERSE)
		return 0;
	*ret = (struct address){.head = *head};
	for (const struct rtattr *a = IFA_RTA(head); RTA_OK(a, len); a = RTA_NEXT(a, len)) {
		if (a->rta_type == IFA_LOCAL)
			copy_address(a, ret->local, sizeof(ret->local), &ret->has_local);
		else if (a->rta_type == IFA_ADDRESS)
			copy_address(a, ret->peer, sizeof(ret->peer), &ret->has_peer);
		else if (a->rta_type == IFA_BROADCAST)
			copy_address(a, ret->broadcast, sizeof(ret->broadcast), &ret->has_broadcast);
		else if (a->rta_type == IFA_FLAGS && RTA_PAYLOAD(a) == sizeof(flags))
			memcpy(&flags, RTA_DATA(a), sizeof(flags));
	}
	return (flags & IFA_F_PERMANENT) != 0;
}

/* The addresses of a device: how many, or -errno. */
static int read_addresses(int fd, unsigned index, struct address list[static ADDRESSES_MAX])
{
	struct request r = request_init(RTM_GETADDR, NLM_F_DUMP, sizeof(r.addr));
	char reply[REPLY_MAX] __attribute__((aligned(NLMSG_ALIGNTO)));
	int n = 0;

	r.addr.ifa_index = index;
	if (send(fd, &r, r.h.nlmsg_len, 0) < 0)
		return -errno;
	for (;;) {
		ssize_t got = recv(fd, reply, sizeof(reply), 0);
		size_t left = got > 0 ? (size_t)got : 0;

		if (got < 0)
			return -errno;
		for (const struct nlmsghdr *h = (void *)reply; NLMSG_OK(h, left); h = NLMSG_NEXT(h, left)) {
			if (h->nlmsg_type == NLMSG_DONE)
				return n;
			if (h->nlmsg_type == NLMSG_ERROR)
				return ((const struct nlmsgerr *)NLMSG_DATA(h))->error;
			if (n == ADDRESSES_MAX)
				return -E2BIG;
			n += read_address(h, index, &list[n]);
		}
	}
}

static int write_address(int fd, unsigned index, const struct address *a)
{
	struct request r = request_init(RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, sizeof(r.addr));
	const size_t len = a->head.ifa_family == AF_INET ? 4 : 16;
	int done;

	r.addr = a->head;
	r.addr.ifa_index = index;
	r.addr.ifa_flags = 0;
	if (a->has_local)
		add(&r, IFA_LOCAL, a->local, len);
	if (a->has_peer)
		add(&r, IFA_ADDRESS, a->peer, len);
	if (a->has_broadcast)
		add(&r, IFA_BROADCAST, a->broadcast, sizeof(a->broadcast));
	done = ask(fd, &r);
	/* Going up may have brought it already. */
	return done == -EEXIST ? 0 : done;
}

static int index_of(const char *name, unsigned *ret)
{
	auto_close int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq r = {0};

	if (strlen(name) >= sizeof(r.ifr_name))
		return -ENAMETOOLONG;
	memcpy(r.ifr_name, name, strlen(name));
	if (fd < 0 || ioctl(fd, SIOCGIFINDEX, &r) < 0)
		return -errno;
	*ret = (unsigned)r.ifr_ifindex;
	return 0;
}

static int move_link(int fd, unsigned index, const char *name, int netns)
{
	struct request r = request_init(RTM_NEWLINK, 0, sizeof(r.link));

	/* Down first, or it could not take another name. */
	r.link.ifi_index = (int)index;
	r.link.ifi_change = IFF_UP;
	add(&r, IFLA_NET_NS_FD, &netns, sizeof(netns));
	add(&r, IFLA_IFNAME, name, strlen(name) + 1);
	return ask(fd, &r);
}

/* What is done over there: addresses, then up. */
static int settle(const char *name, const struct address *list, int n)
{
	struct request up = request_init(RTM_NEWLINK, 0, sizeof(up.link));
	auto_close int fd = open_netlink();
	unsigned index = 0;
	int r = fd < 0 ? fd : index_of(name, &index);

	for (int i = 0; r == 0 && i < n; i++)
		r = write_address(fd, index, &list[i]);
	if (r < 0)
		return r;
	up.link.ifi_index = (int)index;
	up.link.ifi_flags = up.link.ifi_change = IFF_UP;
	return ask(fd, &up);
}

struct move {
	const char *host_name, *name;
	int here, there; /* namespaces */
	struct address list[ADDRESSES_MAX];
	int n;
};

static int arrive(const struct move *m)
{
	return settle(m->name, m->list, m->n);
}

/* The kernel would move the device first and refuse a name that is taken afterwards. */
static int is_free(const struct move *m)
{
	unsigned index = 0;
	int r = index_of(m->name, &index);

	return r == 0 ? -EEXIST : r == -ENODEV ? 0 : r;
}

/* Sends it home again. */
static int send_back(const struct move *m)
{
	auto_close int fd = open_netlink();
	unsigned index = 0;
	int r = fd < 0 ? fd : index_of(m->name, &index);

	return r < 0 ? r : move_link(fd, index, m->host_name, m->here);
}

/* Runs F in the other namespace. */
static int over_there(const struct move *m, int (*f)(const struct move *m))
{
	int r;

	if (setns(m->there, CLONE_NEWNET) < 0)
		return -errno;
	r = f(m);
	return setns(m->here, CLONE_NEWNET) < 0 ? -errno : r;
}

static int move(struct move *m)
{
	auto_close int fd = open_netlink();
	unsigned index = 0;
	int r = fd < 0 ? fd : index_of(m->host_name, &index);

	if (r == 0)
		r = m->n = read_addresses(fd, index, m->list);
	if (r >= 0)
		r = over_there(m, is_free);
	if (r == 0)
		r = move_link(fd, index, m->name, m->there);
	if (r < 0)
		return r;
	r = over_there(m, arrive);
	if (r < 0 && over_there(m, send_back) == 0)
		(void)settle(m->host_name, m->list, m->n);
	return r;
}

int net_device_move(const char *host_name, const char *name, int netns, struct nook_error *e)
{
	auto_close int here = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	struct move m = {.host_name = host_name, .name = name, .here = here, .there = netns};
	int r = here < 0 ? -errno : move(&m);

	return r < 0 ? err_num(e, STEP_NET, host_name, r) : 0;
}
