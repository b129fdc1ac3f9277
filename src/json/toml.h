/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * TOML text to the tree that JSON text would have, so that bind tables read it: the configuration files of the field.
 * TOML 1.0 but for what such files never hold: dates and times, inf and nan are refused.  Limited as json/load.h is.
 */
#pragma once

#include "json/load.h"

/* -EINVAL for bad syntax with "NAME:line" as object; a key that is given twice is bad syntax. */
int toml_parse(const char *text, size_t len, const char *name, enum step_id step, struct json **ret, struct nook_error *e);
