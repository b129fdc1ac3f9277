/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stream/owners.h"

#include "base/text.h"

#include <endian.h>
#include <linux/capability.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>

enum { NOBODY = 65534 };

static uint32_t inside(const struct spec_idmap *maps, size_t n, uint32_t id)
{
	if (!n)
		return id;
	for (size_t i = 0; i < n; i++)
		if (id >= maps[i].outside && id - maps[i].outside < maps[i].count)
			return maps[i].inside + (id - maps[i].outside);
	return NOBODY;
}

void owners_inside(const struct owners *o, struct stat *st)
{
	st->st_uid = inside(o->uids, o->n_uids, st->st_uid);
	st->st_gid = inside(o->gids, o->n_gids, st->st_gid);
}

/* Given by the root of the namespace, they say so; inside they are those that anybody has. */
static size_t capabilities(const struct owners *o, struct vfs_ns_cap_data *caps, size_t len)
{
	if (len != XATTR_CAPS_SZ_3 || (le32toh(caps->magic_etc) & VFS_CAP_REVISION_MASK) != VFS_CAP_REVISION_3)
		return len;
	if (inside(o->uids, o->n_uids, le32toh(caps->rootid)) != 0)
		return len;
	caps->magic_etc = htole32((le32toh(caps->magic_etc) & ~VFS_CAP_REVISION_MASK) | VFS_CAP_REVISION_2);
	return XATTR_CAPS_SZ_2;
}

static void access_list(const struct owners *o, char *value, size_t len)
{
	for (size_t at = sizeof(struct posix_acl_xattr_header); at + sizeof(struct posix_acl_xattr_entry) <= len;
		at += sizeof(struct posix_acl_xattr_entry)) {
		struct posix_acl_xattr_entry *entry = (struct posix_acl_xattr_entry *)(void *)(value + at);

		if (le16toh(entry->e_tag) == ACL_USER)
			entry->e_id = htole32(inside(o->uids, o->n_uids, le32toh(entry->e_id)));
		else if (le16toh(entry->e_tag) == ACL_GROUP)
			entry->e_id = htole32(inside(o->gids, o->n_gids, le32toh(entry->e_id)));
	}
}

size_t owners_inside_value(const struct owners *o, const char *name, void *value, size_t len)
{
	if (!o->n_uids)
		return len;
	if (text_is(name, "security.capability"))
		return capabilities(o, value, len);
	if (text_is(name, "system.posix_acl_access") || text_is(name, "system.posix_acl_default"))
		access_list(o, value, len);
	return len;
}
