/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The scripts that shells load are a few lines that ask `nook __complete`; so they never lag behind the option tables.
 * Where nook has nothing to offer the shell completes file names.
 */
#include "base/fd.h"
#include "base/text.h"
#include "cli/commands.h"

static const struct {
	const char *shell, *script;
} scripts[] = {
	{"bash",
	 "_nook() {\n"
	 "\tlocal line cur prev words cword\n"
	 "\tif declare -F _get_comp_words_by_ref >/dev/null; then\n"
	 "\t\t_get_comp_words_by_ref -n =: cur prev words cword\n"
	 "\telse\n"
	 "\t\twords=(\"${COMP_WORDS[@]}\") cword=$COMP_CWORD cur=${COMP_WORDS[COMP_CWORD]}\n"
	 "\tfi\n"
	 "\tCOMPREPLY=()\n"
	 "\twhile IFS= read -r line; do\n"
	 "\t\tCOMPREPLY+=(\"${line%%$'\\t'*}\")\n"
	 "\tdone < <(\"${words[0]}\" __complete -- \"${words[@]:1:cword}\" 2>/dev/null)\n"
	 "\tif declare -F __ltrim_colon_completions >/dev/null; then\n"
	 "\t\t__ltrim_colon_completions \"$cur\"\n"
	 "\tfi\n"
	 "\tif [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *= ]]; then\n"
	 "\t\tcompopt -o nospace\n"
	 "\tfi\n"
	 "}\n"
	 "complete -o default -F _nook nook\n"},
	{"zsh",
	 "#compdef nook\n"
	 "_nook() {\n"
	 "\tlocal line\n"
	 "\tlocal -a found given\n"
	 "\tgiven=(\"${(@)words[2,CURRENT]}\")\n"
	 "\tfor line in ${(f)\"$(${words[1]} __complete -- \"${given[@]}\" 2>/dev/null)\"}; do\n"
	 "\t\tfound+=(\"${${line%%$'\\t'*}//:/\\\\:}:${line#*$'\\t'}\")\n"
	 "\tdone\n"
	 "\tif (( ${#found} )); then\n"
	 "\t\t_describe -t commands nook found\n"
	 "\telse\n"
	 "\t\t_files\n"
	 "\tfi\n"
	 "}\n"
	 "if [[ \"$funcstack[1]\" == _nook ]]; then\n"
	 "\t_nook \"$@\"\n"
	 "else\n"
	 "\tcompdef _nook nook\n"
	 "fi\n"},
	{"fish",
	 "function __nook_complete\n"
	 "\tset -l words (commandline -opc) (commandline -ct)\n"
	 "\t$words[1] __complete -- $words[2..-1] 2>/dev/null\n"
	 "end\n"
	 "complete -c nook -f -n 'test -n \"$(__nook_complete)\"' -a '(__nook_complete)'\n"},
};

static int run(struct cli *c, void *options, int argc, char **argv, struct nook_error *e)
{
	for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++) {
		int r;

		if (!text_is(argv[0], scripts[i].shell))
			continue;
		r = fd_write(STDOUT_FILENO, scripts[i].script, strlen(scripts[i].script));
		return r < 0 ? err_num(e, STEP_STDIO, "stdout", r) : 0;
	}
	return err_why(e, STEP_COMMAND, argv[0], EINVAL, "there are scripts for bash, zsh and fish");
}

const struct command cmd_completion = {
	.name = "completion",
	.usage = "bash|zsh|fish",
	.summary = "print the script that completes nook's commands and options in a shell",
	.min_args = 1,
	.max_args = 1,
	.run = run,
	.examples = "nook completion bash > /etc/bash_completion.d/nook\n"
	            "nook completion zsh > /usr/share/zsh/vendor-completions/_nook\n"
	            "nook completion fish > ~/.config/fish/completions/nook.fish\n",
};
