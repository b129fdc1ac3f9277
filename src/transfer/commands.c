/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "transfer/transfer.h"

#include "command/image_options.h"
#include "command/registry_options.h"

const struct transfer_command transfer_commands[] = {
	{&cmd_bootstrap, NULL, bootstrap_run},
	{&cmd_commit, NULL, commit_run},
	{&cmd_export_oci, NULL, export_oci_run},
	{&image_slim, "image slim", image_slim_run},
	{&cmd_import, NULL, import_run},
	{&cmd_load, NULL, load_run},
	{&cmd_login, NULL, login_run},
	{&cmd_logout, NULL, logout_run},
	{&cmd_manifest_inspect, "manifest inspect", manifest_inspect_run},
	{&cmd_pull, NULL, pull_run},
	{&cmd_push, NULL, push_run},
	{&cmd_save, NULL, save_run},
	{&cmd_search, NULL, search_run},
	{&cmd_store_check, NULL, store_check_run},
	{0},
};
