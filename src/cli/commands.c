/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/commands.h"

#include "base/text.h"
#include "command/registry_options.h"
#include "opt/nearest.h"

extern const struct command cmd_apply;
extern const struct command cmd_bootstrap;
extern const struct command cmd_box;
extern const struct command cmd_bwrap;
extern const struct command cmd_cgroup;
extern const struct command cmd_commit;
extern const struct command cmd_complete;
extern const struct command cmd_clone;
extern const struct command cmd_completion;
extern const struct command cmd_cp;
extern const struct command cmd_diff;
extern const struct command cmd_discard;
extern const struct command cmd_disk;
extern const struct command cmd_doctor;
extern const struct command cmd_exec;
extern const struct command cmd_export;
extern const struct command cmd_help;
extern const struct command cmd_history;
extern const struct command cmd_image;
extern const struct command cmd_images;
extern const struct command cmd_import;
extern const struct command cmd_inspect;
extern const struct command cmd_kill;
extern const struct command cmd_load;
extern const struct command cmd_man;
extern const struct command cmd_ns;
extern const struct command cmd_pause;
extern const struct command cmd_prune;
extern const struct command cmd_ps;
extern const struct command cmd_rm;
extern const struct command cmd_rmi;
extern const struct command cmd_run;
extern const struct command cmd_save;
extern const struct command cmd_snapshot;
extern const struct command cmd_stats;
extern const struct command cmd_system;
extern const struct command cmd_stop;
extern const struct command cmd_tag;
extern const struct command cmd_top;
extern const struct command cmd_unpause;
extern const struct command cmd_update;
extern const struct command cmd_volume;
extern const struct command cmd_wait;

/* As people meet them: containers first, then what is under them, then help. */
const struct command *const commands[] = {
	&cmd_run,
	&cmd_box,
	&cmd_diff,
	&cmd_apply,
	&cmd_discard,
	&cmd_bwrap,
	&cmd_exec,
	&cmd_cp,
	&cmd_export,
	&cmd_snapshot,
	&cmd_clone,
	&cmd_ps,
	&cmd_inspect,
	&cmd_top,
	&cmd_stats,
	&cmd_pause,
	&cmd_unpause,
	&cmd_update,
	&cmd_wait,
	&cmd_stop,
	&cmd_kill,
	&cmd_rm,
	&cmd_volume,
	&cmd_disk,
	&cmd_pull,
	&cmd_push,
	&cmd_images,
	&cmd_load,
	&cmd_save,
	&cmd_import,
	&cmd_bootstrap,
	&cmd_commit,
	&cmd_tag,
	&cmd_history,
	&cmd_rmi,
	&cmd_image,
	&cmd_prune,
	&cmd_manifest,
	&cmd_search,
	&cmd_login,
	&cmd_logout,
	&cmd_cgroup,
	&cmd_ns,
	&cmd_system,
	&cmd_doctor,
	&cmd_completion,
	&cmd_help,
	/* Not listed in help. */
	&cmd_complete,
	&cmd_man,
	NULL,
};

#define AT(member) offsetof(struct globals, member)
const struct opt global_options[] = {
	{0, "root", "DIR", OPT_STRING, AT(root), "keep images and volumes in DIR (NOOK_ROOT)"},
	{0, "run", "DIR", OPT_STRING, AT(run), "keep the state of containers in DIR (NOOK_RUN)"},
	{0, "debug", NULL, OPT_FLAG, AT(debug), "tell what is being done"},
	{0, "log-format", "text|json", OPT_STRING, AT(log_format), "how errors and notes are written"},
	{0, "quiet", NULL, OPT_FLAG, AT(quiet), "errors only, no notes"},
	{'h', "help", NULL, OPT_FLAG, AT(help), "show help"},
	{0, "version", NULL, OPT_FLAG, AT(version), "show the version"},
	{0},
};

const struct command *command_find(const struct command *const *list, const char *name)
{
	for (; *list; list++)
		if (text_is((*list)->name, name))
			return *list;
	return NULL;
}

const char *command_nearest(const struct command *const *list, const char *name)
{
	struct nearest near = {.typed = name};

	for (; *list; list++)
		if ((*list)->summary)
			nearest_offer(&near, (*list)->name);
	return near.word;
}
