/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "transfer/nsswitch.h"

#include "base/text.h"

#include <string.h>

static const char blanks[] = " \t\r", database[] = "hosts:";

static bool is(const char *word, size_t len, const char *name)
{
	return strlen(name) == len && strncmp(word, name, len) == 0;
}

/* What stands behind "hosts:" in the first line that has it, or NULL. */
static const char *find_services(const char *text)
{
	for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n') {
		const char *services = text_after(line + strspn(line, blanks), database);

		if (services)
			return services;
	}
	return NULL;
}

bool nsswitch_asks_daemons(const char *text)
{
	const char *at = find_services(text);
	bool has_resolve = false, has_dns = false;

	while (at && *at && *at != '\n' && *at != '#') {
		const size_t len = *at == '[' ? strcspn(at, "]\n") : strcspn(at, " \t\r\n[#");

		if (is(at, len, "dns"))
			has_dns = true;
		else if (is(at, len, "resolve"))
			has_resolve = true;
		else if (len && *at != '[' && !is(at, len, "files") && !is(at, len, "myhostname"))
			return true;
		at += len;
		at += strspn(at, " \t\r]");
	}
	/* systemd-resolved also answers as the DNS server that resolv.conf names. */
	return has_resolve && !has_dns;
}
