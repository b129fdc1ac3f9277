/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which kinds of links and which firewall the kernel has: made in a network namespace that ends with the trial. */
#include "base/text.h"
#include "cli/doctor.h"
#include "sys/netlink.h"

#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#define GROUP "network"

enum { LINK_NEEDS_PARENT = 1 };

struct link_kind {
	const char *name, *module;
	int flags;
};

/* A netlink message under construction; attributes are appended, 4-byte aligned. */
struct message {
	struct nlmsghdr head;
	char body[512];
};

static struct rtattr *add_attribute(struct message *m, unsigned short type, const void *data, size_t len)
{
	struct rtattr *a = (struct rtattr *)((char *)m + NLMSG_ALIGN(m->head.nlmsg_len));

	a->rta_type = type;
	a->rta_len = (unsigned short)RTA_LENGTH(len);
	if (len)
		memcpy(RTA_DATA(a), data, len);
	m->head.nlmsg_len = NLMSG_ALIGN(m->head.nlmsg_len) + (uint32_t)RTA_ALIGN(a->rta_len);
	return a;
}

/* Sends and waits for the kernel's verdict: 0 or -errno. */
static int talk(int protocol, const struct message *m)
{
	auto_close int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
	struct {
		struct nlmsghdr head;
		struct nlmsgerr error;
		char rest[1024];
	} reply = {0};
	ssize_t n;

	if (fd < 0 || send(fd, m, m->head.nlmsg_len, 0) < 0)
		return -errno;
	n = recv(fd, &reply, sizeof(reply), 0);
	if (n < 0)
		return -errno;
	if ((size_t)n < sizeof(reply.head) || (reply.head.nlmsg_type == NLMSG_ERROR && (size_t)n < sizeof(reply.head) + sizeof(int)))
		return -EPROTO;
	return reply.head.nlmsg_type == NLMSG_ERROR ? reply.error.error : 0;
}

static int make_link(const char *kind, const char *name, unsigned parent)
{
	struct message m = {.head = {
		.nlmsg_len = NLMSG_LENGTH(sizeof(struct ifinfomsg)),
		.nlmsg_type = RTM_NEWLINK,
		.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL,
	}};
	struct rtattr *info;

	(void)add_attribute(&m, IFLA_IFNAME, name, strlen(name) + 1);
	if (parent)
		(void)add_attribute(&m, IFLA_LINK, &parent, sizeof(parent));
	info = add_attribute(&m, IFLA_LINKINFO, NULL, 0);
	(void)add_attribute(&m, IFLA_INFO_KIND, kind, strlen(kind) + 1);
	if (text_is(kind, "vlan")) {
		unsigned short id = 1;
		struct rtattr *data = add_attribute(&m, IFLA_INFO_DATA, NULL, 0);

		(void)add_attribute(&m, IFLA_VLAN_ID, &id, sizeof(id));
		data->rta_len = (unsigned short)((char *)&m + m.head.nlmsg_len - (char *)data);
	}
	info->rta_len = (unsigned short)((char *)&m + m.head.nlmsg_len - (char *)info);
	return talk(NETLINK_ROUTE, &m);
}

static int try_link(const void *arg)
{
	const struct link_kind *kind = arg;
	unsigned parent = 0;

	TRY(doctor_unshare_as_needed(CLONE_NEWNET));
	if (kind->flags & LINK_NEEDS_PARENT) {
		TRY(make_link("veth", "parent", 0));
		parent = if_nametoindex("parent");
	}
	return make_link(kind->name, "probe", parent);
}

static int try_nftables(const void *arg)
{
	struct message m = {.head = {
		.nlmsg_len = NLMSG_LENGTH(sizeof(struct nfgenmsg)),
		.nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETGEN,
		.nlmsg_flags = NLM_F_REQUEST,
	}};

	TRY(doctor_unshare_as_needed(CLONE_NEWNET));
	return talk(NETLINK_NETFILTER, &m);
}

static int try_tun(const void *arg)
{
	struct ifreq request = {.ifr_name = "probe", .ifr_flags = IFF_TAP | IFF_NO_PI};

	TRY(doctor_unshare_as_needed(CLONE_NEWNET));
	auto_close int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	return fd < 0 || ioctl(fd, TUNSETIFF, &request) < 0 ? -errno : 0;
}

static int try_loopback(const void *arg)
{
	TRY(doctor_unshare_as_needed(CLONE_NEWNET));
	return net_loopback_up(NULL);
}

void doctor_network(struct doctor *d)
{
	static const struct link_kind kinds[] = {
		{"veth", "veth", 0},
		{"bridge", "bridge", 0},
		{"macvlan", "macvlan", LINK_NEEDS_PARENT},
		{"ipvlan", "ipvlan", LINK_NEEDS_PARENT},
		{"vlan", "8021q", LINK_NEEDS_PARENT},
	};
	int r;

	if (!d->is_root && doctor_lacks_userns(d, GROUP, "links", FINDING_LIMITED))
		return;
	doctor_add_trial(d, GROUP, "loopback", doctor_try(try_loopback, NULL), STEP_NET, FINDING_LIMITED, "comes up", NULL);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		doctor_add_trial(d, GROUP, kinds[i].name, doctor_try(try_link, &kinds[i]), STEP_NET, FINDING_LIMITED, "can be made",
		                 arena_printf(d->arena, "modprobe %s, or a kernel that has it", kinds[i].module));
	doctor_add_trial(d, GROUP, "nftables", doctor_try(try_nftables, NULL), STEP_NET, FINDING_LIMITED, "answers",
	                 "modprobe nf_tables, or a kernel that has it");
	r = doctor_try(try_tun, NULL);
	doctor_add_trial(d, GROUP, "tap devices", r, STEP_NET, FINDING_LIMITED, "can be made",
	                 r == -EACCES ? "let root chmod 666 /dev/net/tun" : "modprobe tun, or, in a container, --device /dev/net/tun");
}
