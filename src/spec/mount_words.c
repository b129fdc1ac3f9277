/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "spec/mount_words.h"

#include "base/buf.h"
#include "base/text.h"

#include <sys/mount.h>

#ifndef MOUNT_ATTR_NOSYMFOLLOW
#define MOUNT_ATTR_NOSYMFOLLOW 0x00200000
#endif

/* Superblock bits that only linux/fs.h of the kernel names. */
enum { SB_SILENT_BIT = 1 << 15, SB_LAZYTIME_BIT = 1 << 25 };

enum effect {
	ATTR,      /* sets attribute bits */
	NO_ATTR,   /* clears them */
	ATIME,     /* one of the exclusive ways to keep access times */
	SB,        /* sets a superblock flag */
	NO_SB,     /* clears it */
	PROPAGATE, /* propagation type */
	SWITCH,    /* a bool of struct mount_words, value is its offset */
	NOTHING,   /* known, and what happens anyway: a file system that counts versions does so without being asked */
};

static const struct row {
	const char *word;
	enum effect effect;
	uint64_t value;
	bool recursive;
} rows[] = {
	{"acl", NOTHING},
	{"async", NO_SB, MS_SYNCHRONOUS},
	{"atime", ATIME, MOUNT_ATTR_RELATIME},
	{"bind", SWITCH, offsetof(struct mount_words, bind)},
	{"copy-symlink", SWITCH, offsetof(struct mount_words, copy_symlink)},
	{"defaults", NOTHING},
	{"dest-nofollow", SWITCH, offsetof(struct mount_words, dest_nofollow)},
	{"dev", NO_ATTR, MOUNT_ATTR_NODEV},
	{"diratime", NO_ATTR, MOUNT_ATTR_NODIRATIME},
	{"dirsync", SB, MS_DIRSYNC},
	{"exec", NO_ATTR, MOUNT_ATTR_NOEXEC},
	{"idmap", SWITCH, offsetof(struct mount_words, idmap)},
	{"iversion", NOTHING},
	{"lazytime", SB, SB_LAZYTIME_BIT},
	{"loud", NO_SB, SB_SILENT_BIT},
	{"mand", SB, MS_MANDLOCK},
	{"noacl", NOTHING},
	{"noatime", ATIME, MOUNT_ATTR_NOATIME},
	{"nodev", ATTR, MOUNT_ATTR_NODEV},
	{"nodiratime", ATTR, MOUNT_ATTR_NODIRATIME},
	{"noexec", ATTR, MOUNT_ATTR_NOEXEC},
	{"nofail", SWITCH, offsetof(struct mount_words, if_exists)},
	{"noidmap", SWITCH, offsetof(struct mount_words, noidmap)},
	{"noiversion", NOTHING},
	{"nolazytime", NO_SB, SB_LAZYTIME_BIT},
	{"nomand", NO_SB, MS_MANDLOCK},
	{"norelatime", ATIME, MOUNT_ATTR_RELATIME},
	{"nostrictatime", ATIME, MOUNT_ATTR_RELATIME},
	{"nosuid", ATTR, MOUNT_ATTR_NOSUID},
	{"nosymfollow", ATTR, MOUNT_ATTR_NOSYMFOLLOW},
	{"private", PROPAGATE, MS_PRIVATE},
	{"ratime", ATIME, MOUNT_ATTR_RELATIME, true},
	{"rbind", SWITCH, offsetof(struct mount_words, rbind)},
	{"rdev", NO_ATTR, MOUNT_ATTR_NODEV, true},
	{"rdiratime", NO_ATTR, MOUNT_ATTR_NODIRATIME, true},
	{"relatime", ATIME, MOUNT_ATTR_RELATIME},
	{"rexec", NO_ATTR, MOUNT_ATTR_NOEXEC, true},
	{"ridmap", SWITCH, offsetof(struct mount_words, ridmap)},
	{"rnoatime", ATIME, MOUNT_ATTR_NOATIME, true},
	{"rnodev", ATTR, MOUNT_ATTR_NODEV, true},
	{"rnodiratime", ATTR, MOUNT_ATTR_NODIRATIME, true},
	{"rnoexec", ATTR, MOUNT_ATTR_NOEXEC, true},
	{"rnorelatime", ATIME, MOUNT_ATTR_RELATIME, true},
	{"rnostrictatime", ATIME, MOUNT_ATTR_RELATIME, true},
	{"rnosuid", ATTR, MOUNT_ATTR_NOSUID, true},
	{"rnosymfollow", ATTR, MOUNT_ATTR_NOSYMFOLLOW, true},
	{"ro", ATTR, MOUNT_ATTR_RDONLY},
	{"rprivate", PROPAGATE, MS_PRIVATE | MS_REC},
	{"rrelatime", ATIME, MOUNT_ATTR_RELATIME, true},
	{"rro", ATTR, MOUNT_ATTR_RDONLY, true},
	{"rrw", NO_ATTR, MOUNT_ATTR_RDONLY, true},
	{"rshared", PROPAGATE, MS_SHARED | MS_REC},
	{"rslave", PROPAGATE, MS_SLAVE | MS_REC},
	{"rstrictatime", ATIME, MOUNT_ATTR_STRICTATIME, true},
	{"rsuid", NO_ATTR, MOUNT_ATTR_NOSUID, true},
	{"rsymfollow", NO_ATTR, MOUNT_ATTR_NOSYMFOLLOW, true},
	{"runbindable", PROPAGATE, MS_UNBINDABLE | MS_REC},
	{"rw", NO_ATTR, MOUNT_ATTR_RDONLY},
	{"shared", PROPAGATE, MS_SHARED},
	{"silent", SB, SB_SILENT_BIT},
	{"slave", PROPAGATE, MS_SLAVE},
	{"src-nofollow", SWITCH, offsetof(struct mount_words, src_nofollow)},
	{"strictatime", ATIME, MOUNT_ATTR_STRICTATIME},
	{"suid", NO_ATTR, MOUNT_ATTR_NOSUID},
	{"symfollow", NO_ATTR, MOUNT_ATTR_NOSYMFOLLOW},
	{"sync", SB, MS_SYNCHRONOUS},
	{"tmpcopyup", SWITCH, offsetof(struct mount_words, tmpcopyup)},
	{"unbindable", PROPAGATE, MS_UNBINDABLE},
};

const char *mount_word_name(size_t i)
{
	return i < sizeof(rows) / sizeof(rows[0]) ? rows[i].word : NULL;
}

static const struct row *find(const char *word)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (text_is(rows[i].word, word))
			return &rows[i];
	return NULL;
}

/* Of contradicting words the last one counts. */
static void apply(struct mount_words *w, const struct row *row)
{
	uint64_t *set = row->recursive ? &w->rec_set : &w->set;
	uint64_t *clear = row->recursive ? &w->rec_clear : &w->clear;

	switch (row->effect) {
	case ATTR:
		*set |= row->value;
		*clear &= ~row->value;
		break;
	case NO_ATTR:
		*clear |= row->value;
		*set &= ~row->value;
		break;
	case ATIME:
		/* mount_setattr(2) wants the whole field cleared when one of its values is set. */
		*set = (*set & ~(uint64_t)MOUNT_ATTR__ATIME) | row->value;
		*clear |= MOUNT_ATTR__ATIME;
		break;
	case SB:
		w->sb_flags |= (uint32_t)row->value;
		break;
	case NO_SB:
		w->sb_flags &= ~(uint32_t)row->value;
		break;
	case PROPAGATE:
		w->propagation = row->value;
		break;
	case SWITCH:
		*(bool *)((char *)w + row->value) = true;
		break;
	case NOTHING:
		break;
	}
}

/* ---- idmap=uids=0-1000-10#10-5000-5;gids=...  (crun's form: id in the file system, id on the host, count; with @
 * before every triple the second is an id of the container) ---- */

static int parse_triple(const char **s, struct spec_idmap *m)
{
	uint32_t *const numbers[] = {&m->inside, &m->outside, &m->count};

	for (int i = 0; i < 3; i++) {
		char number[16];
		size_t n = strspn(*s, "0123456789");

		if (!n || n >= sizeof(number))
			return -EINVAL;
		memcpy(number, *s, n);
		number[n] = 0;
		if (text_u32(number, numbers[i]) < 0)
			return -EINVAL;
		*s += n;
		if (i < 2 && *(*s)++ != '-')
			return -EINVAL;
	}
	return 0;
}

static int parse_maps(struct arena *a, const char *text, struct spec_mount *m)
{
	while (*text) {
		const char *list = text_after(text, "uids=");
		struct spec_idmap **maps = &m->uid_maps;
		size_t *n = &m->n_uid_maps;

		if (!list) {
			list = text_after(text, "gids=");
			maps = &m->gid_maps;
			n = &m->n_gid_maps;
		}
		if (!list)
			return -EINVAL;
		do {
			struct spec_idmap map = {0};

			bool relative = *list == '@';

			if (m->n_uid_maps + m->n_gid_maps && relative != m->words.relative_maps)
				return -EINVAL;
			m->words.relative_maps = relative;
			list += relative;
			if (parse_triple(&list, &map) < 0)
				return -EINVAL;
			*arena_push(a, maps, n) = map;
		} while (*list == '#' && *++list);
		if (*list == ';')
			list++;
		else if (*list)
			return -EINVAL;
		text = list;
	}
	return 0;
}

/* 1 when OPTION is idmap=... or ridmap=... */
static int take_idmap(struct arena *a, const char *option, struct spec_mount *m, struct nook_error *e)
{
	const char *maps = text_after(option, "idmap="), *all = text_after(option, "ridmap=");

	if (!maps && !all)
		return 0;
	if (parse_maps(a, maps ? maps : all, m) < 0)
		return err_fmt(e, STEP_CONFIG, m->target, EINVAL, "\"%s\" is not uids=ID-HOST-COUNT[#...];gids=...", option);
	m->words.idmap = maps || m->words.idmap;
	m->words.ridmap = all || m->words.ridmap;
	return 1;
}

int mount_words_parse(struct arena *a, struct spec_mount *m, struct nook_error *e)
{
	AUTO_VALUE(buf_done) struct buf data = {0};
	struct mount_words *w = &m->words;

	*w = (struct mount_words){0};
	m->data = NULL;
	for (const char *const *o = m->options; o && *o; o++) {
		const struct row *row = find(*o);

		if (row)
			apply(w, row);
		else if (!TRY(take_idmap(a, *o, m, e)) && **o)
			buf_addf(&data, "%s%s", data.len ? "," : "", *o);
	}
	if (m->type && text_is(m->type, "bind") && !w->rbind)
		w->bind = true;
	if (!m->type && !w->bind && !w->rbind)
		return err_why(e, STEP_CONFIG, m->target, EINVAL, "the mount has neither a type nor the option bind");
	if (!w->bind && !w->rbind) {
		/* A block device that is mounted read-only is to be opened so, too. */
		if ((w->set & MOUNT_ATTR_RDONLY) && m->source && m->source[0] == '/')
			w->sb_flags |= MS_RDONLY;
		m->data = data.len ? arena_strdup(a, data.data) : NULL;
	} else if (data.len) {
		return err_fmt(e, STEP_CONFIG, m->target, EINVAL, "a bind mount takes no option \"%s\"", data.data);
	} else if (w->sb_flags) {
		return err_why(e, STEP_CONFIG, m->target, EINVAL,
			"a bind mount cannot change options of the file system behind it (sync, dirsync, lazytime ...)");
	}
	return 0;
}
