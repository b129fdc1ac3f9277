/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Input: one D-Bus message. */
#include "fuzz.h"
#include "sys/dbus.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dbus_message m;
	struct dbus_reader r;

	if (dbus_parse(data, size, &m) < 0)
		return 0;
	MUST(m.body_len <= size && strlen(m.path) < size && strlen(m.member) < size && strlen(m.signature) < 256);
	MUST(dbus_error_text(&m));
	r = dbus_read(&m);
	while (!r.bad && r.at < r.len)
		MUST(strlen(dbus_get_string(&r)) < size);
	return 0;
}
