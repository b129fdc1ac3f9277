/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/run_file.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "cli/exported.h"
#include "cli/run_extract.h"
#include "disk/note.h"
#include "stream/header.h"
#include "sys/fsimage.h"

#include <fcntl.h>

enum { MAGIC_MAX = 264, MAGIC_TAR_AT = 257 };

/* How archives start: tar's headers say it in their middle. */
static const struct {
	size_t at;
	const char *bytes;
	size_t len;
} archives[] = {{MAGIC_TAR_AT, "ustar", 5}, {0, "\x1f\x8b", 2}, {0, "\x28\xb5\x2f\xfd", 4}, {0, "\xfd" "7zXZ", 5}, {0, "BZh", 3}};

static bool is_archive(int file)
{
	char start[MAGIC_MAX] = {0};

	if (pread(file, start, sizeof(start), 0) < 0)
		return false;
	for (size_t i = 0; i < sizeof(archives) / sizeof(archives[0]); i++)
		if (memcmp(start + archives[i].at, archives[i].bytes, archives[i].len) == 0)
			return true;
	return false;
}

/* What else there is in an archive of images: blobs, and of older ones a directory or file per layer. */
static bool is_part_of_images(const char *name)
{
	static const char *const others[] = {"index.json", "repositories", "blobs"};
	const size_t digits = strspn(name, "0123456789abcdef");

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		const char *rest = text_after(name, others[i]);

		if (rest && (!*rest || *rest == '/'))
			return true;
	}
	return digits == 64;
}

/* The transport of the images in an archive that is not compressed; NULL: it holds a root. */
static const char *find_images(int file, struct nook_error *e)
{
	auto_free struct entry *entry = xcalloc(1, sizeof(*entry));
	const char *transport = NULL;

	(void)lseek(file, 0, SEEK_SET);
	while (!transport && entry_read(file, entry, e) == 1) {
		const char *name = text_after(entry->name, "./") ? entry->name + 2 : entry->name;

		if (text_is(name, "oci-layout"))
			transport = "oci-archive:";
		else if (text_is(name, "manifest.json"))
			transport = "docker-archive:";
		else if (*name && !is_part_of_images(name))
			break;
		if (lseek(file, (off_t)entry_padded(entry->size), SEEK_CUR) < 0)
			break;
	}
	entry_done(entry);
	return transport;
}

/* What skopeo copies to "dir:" says so in a file of its own. */
bool run_file_is_image(const char *dir)
{
	static const char mark[] = "Directory Transport Version:";
	auto_close int top = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	auto_close int version = openat(top, "version", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	char text[sizeof(mark)] = "";

	return version >= 0 && read(version, text, sizeof(mark) - 1) == sizeof(mark) - 1 && memcmp(text, mark, sizeof(mark) - 1) == 0 &&
		faccessat(top, "manifest.json", R_OK, 0) == 0;
}

int run_file_look(struct cli *c, struct run_source *source, const char **ret_config, struct nook_error *e)
{
	auto_close int file = open(source->path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct fsimage image;
	const char *transport;

	if (file < 0)
		return err_sys(e, STEP_SOURCE, source->path);
	if (source->kind == SOURCE_IMG && fsimage_probe(file, source->path, &image, NULL) == 0) {
		TRY(note_find(file, c->arena, ret_config, NULL, source->path, e));
		/* What is never written can be taken apart instead of mounted. */
		if (geteuid() != 0 && run_extract_knows(image.type)) {
			cli_note(c, "only root can mount %s: it is unpacked for this container", source->path);
			source->kind = SOURCE_TAR;
			source->extracted = image.type;
		}
		return 0;
	}
	*ret_config = exported_comment(file, c->arena);
	/* What is no archive either is told by who looks for a file system in it. */
	if (source->kind != SOURCE_IMG || !is_archive(file))
		return 0;
	source->kind = SOURCE_TAR;
	transport = *ret_config ? NULL : find_images(file, NULL);
	if (transport) {
		source->kind = SOURCE_IMAGE;
		source->image = arena_printf(c->arena, "%s%s", transport, source->path);
	}
	return 0;
}
