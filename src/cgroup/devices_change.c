/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * v1 has no way to replace its rules at once: writing them anew would deny everything for a moment.  So what is in force
 * is read, what is new is allowed and then what has gone is denied; what stays is never touched.
 */
#include "cgroup/devices.h"

#include "base/text.h"

struct entry {
	const char *device; /* "c 1:3" */
	unsigned access;
};

struct entries {
	struct entry *items;
	size_t n;
};

static const struct {
	char letter;
	unsigned bit;
} accesses[] = {{'r', DEV_READ}, {'w', DEV_WRITE}, {'m', DEV_MKNOD}};

static struct entry *find(const struct entries *list, const char *device)
{
	for (size_t i = 0; i < list->n; i++)
		if (text_is(list->items[i].device, device))
			return &list->items[i];
	return NULL;
}

/* "c 1:3 rwm": its access is added to the entry of the device, or taken from it. */
static bool apply(struct arena *a, struct entries *list, const char *line, size_t len, bool allow)
{
	const char *space = memrchr(line, ' ', len), *device;
	struct entry *entry;
	unsigned access = 0;

	if (len < 5 || !space || line[1] != ' ')
		return false;
	device = arena_strndup(a, line, (size_t)(space - line));
	for (size_t i = 0; i < 3; i++)
		if (memchr(space, accesses[i].letter, (size_t)(line + len - space)))
			access |= accesses[i].bit;
	entry = find(list, device);
	if (!entry) {
		entry = arena_push(a, &list->items, &list->n);
		*entry = (struct entry){.device = device};
	}
	entry->access = allow ? entry->access | access : entry->access & ~access;
	return true;
}

/* Where everything is allowed but for exceptions, the kernel does not list them. */
static bool read_list(struct arena *a, const char *text, struct entries *ret)
{
	for (size_t len; *text; text += len + (text[len] == '\n')) {
		len = strcspn(text, "\n");
		if (*text == 'a' || !apply(a, ret, text, len, true))
			return false;
	}
	return true;
}

static void add_missing(struct arena *a, const struct entries *of, const struct entries *in, const char *file, struct device_line **lines,
	size_t *n)
{
	for (size_t i = 0; i < of->n; i++) {
		const struct entry *there = find(in, of->items[i].device);
		unsigned missing = of->items[i].access & ~(there ? there->access : 0);

		if (missing)
			*arena_push(a, lines, n) = (struct device_line){
				.file = file,
				.value = arena_printf(a, "%s %s%s%s", of->items[i].device, missing & DEV_READ ? "r" : "",
					missing & DEV_WRITE ? "w" : "", missing & DEV_MKNOD ? "m" : ""),
			};
	}
}

void devices_v1_change(struct arena *a, const char *now, struct device_line **lines, size_t *n)
{
	struct entries old = {0}, new = {0};
	struct device_line *changes = NULL;
	size_t n_changes = 0;

	if (!*n || !text_is((*lines)[0].file, "devices.deny") || !read_list(a, now, &old))
		return;
	for (size_t i = 1; i < *n; i++)
		if (!apply(a, &new, (*lines)[i].value, strlen((*lines)[i].value), text_is((*lines)[i].file, "devices.allow")))
			return;
	add_missing(a, &new, &old, "devices.allow", &changes, &n_changes);
	add_missing(a, &old, &new, "devices.deny", &changes, &n_changes);
	*lines = changes;
	*n = n_changes;
}
