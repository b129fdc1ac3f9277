/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * nook-unpack: fills a directory from a tar archive, in a process that can reach nothing else.  A helper of nook for
 * tar: sources and image layers; it prints one line when it fails.
 */
#include "base/buf.h"
#include "base/fd.h"
#include "base/text.h"
#include "opt/opt.h"
#include "spec/spec.h"
#include "unpack/archive.h"
#include "archive/inflate.h"
#include "unpack/jail.h"

#include <linux/capability.h>
#include <signal.h>
#include <sys/stat.h>

/* EXIT_NEEDS_LOWERS: the layer has hard links to layers below, and has to be unpacked once more with --lower. */
enum { EXIT_REFUSED = 1, EXIT_MISUSED = 2, EXIT_NEEDS_LOWERS = 3 };

struct options {
	struct opt_u64 target_fd, input_fd, max_entries;
	struct opt_list lowers;
	struct opt_i64 max_bytes;
	const char *target, *layer, *digest;
	bool image, follow, skip_devices, own_files, sync, quiet, help;
};

#define AT(member) offsetof(struct options, member)
static const struct opt table[] = {
	{0, "target", "DIR", OPT_STRING, AT(target), "the directory to fill"},
	{0, "target-fd", "N", OPT_U64, AT(target_fd), "the same as an open descriptor"},
	{0, "layer", "KIND", OPT_STRING, AT(layer), "turn .wh. names into overlayfs whiteouts: \"trusted\", \"user\" or \"both\" xattrs"},
	{0, "image", NULL, OPT_FLAG, AT(image), "the archive is an image's layer: print its DiffID, bytes and entries"},
	{0, "digest", "sha256|sha512", OPT_STRING, AT(digest), "--image: how the DiffID is computed (sha256)"},
	{0, "input-fd", "N", OPT_U64, AT(input_fd), "the archive as an open descriptor"},
	{0, "follow", NULL, OPT_FLAG, AT(follow), "--image: the archive still grows; stdin tells when, and ends when it is complete"},
	{0, "lower", "DIR", OPT_STRINGS, AT(lowers), "--image: a layer below, for hard links; the topmost first"},
	{0, "skip-devices", NULL, OPT_FLAG, AT(skip_devices), "leave device nodes out"},
	{0, "own-files", NULL, OPT_FLAG, AT(own_files), "all files belong to the caller, also when root"},
	{0, "max-bytes", "SIZE", OPT_BYTES, AT(max_bytes), "most data to write (64g)"},
	{0, "max-entries", "N", OPT_U64, AT(max_entries), "most entries to write (4194304)"},
	{0, "sync", NULL, OPT_FLAG, AT(sync), "write it to the disk before leaving"},
	{'q', "quiet", NULL, OPT_FLAG, AT(quiet), "no notes"},
	{'h', "help", NULL, OPT_FLAG, AT(help), "print this"},
	{0},
};

/* Names come from the archive: nothing in them may speak to a terminal. */
static void print(const char *text)
{
	AUTO_VALUE(buf_done) struct buf line = {0};

	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c < ' ' || c == 0x7f)
			buf_addf(&line, "\\x%02x", c);
		else
			buf_addc(&line, *text);
	}
	buf_addc(&line, '\n');
	(void)fd_write(STDERR_FILENO, line.data, line.len);
}

static int fail(const struct nook_error *e, int status)
{
	char text[NOOK_OBJECT_MAX + NOOK_DETAIL_MAX + 128];

	(void)nook_error_text(e, text, sizeof(text));
	print(text);
	return status;
}

static int help(void)
{
	AUTO_VALUE(buf_done) struct buf text = {0};

	buf_adds(&text, "usage: nook-unpack [OPTIONS] --target DIR [ARCHIVE]\n\n");
	opt_help(table, &text);
	return fd_write(STDOUT_FILENO, text.data, text.len) < 0 ? EXIT_REFUSED : 0;
}

static int writer_options_from(const struct options *o, struct writer_options *ret, struct nook_error *e)
{
	struct writer_options w = writer_defaults;

	w.owners = o->own_files || geteuid() != 0 ? WRITER_OWNERS_OURS : WRITER_OWNERS_KEPT;
	w.devices = o->skip_devices ? WRITER_DEVICES_SKIPPED : WRITER_DEVICES_MADE;
	if (o->layer && text_is(o->layer, "trusted"))
		w.layer = WRITER_LAYER_TRUSTED;
	else if (o->layer && text_is(o->layer, "user"))
		w.layer = WRITER_LAYER_USER;
	else if (o->layer && text_is(o->layer, "both"))
		w.layer = WRITER_LAYER_BOTH;
	else if (o->layer)
		return err_why(e, STEP_OPTION, "--layer", EINVAL, "is none of \"trusted\", \"user\" and \"both\"");
	if (o->max_entries.set)
		w.max_entries = o->max_entries.value;
	if (o->max_bytes.set && o->max_bytes.value >= 0)
		w.max_bytes = (uint64_t)o->max_bytes.value;
	*ret = w;
	return 0;
}

static int open_target(const struct options *o, struct nook_error *e)
{
	int fd;

	if (!o->target == !o->target_fd.set)
		return err_why(e, STEP_OPTION, "--target", EINVAL, "either --target or --target-fd is needed");
	if (o->target_fd.set)
		return o->target_fd.value > INT32_MAX ? err_num(e, STEP_OPTION, "--target-fd", EBADF) : (int)o->target_fd.value;
	fd = open(o->target, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? err_sys(e, STEP_UNPACK, o->target) : fd;
}

static int open_input(const char *name, struct nook_error *e)
{
	int fd;

	if (!name || text_is(name, "-"))
		return STDIN_FILENO;
	fd = open(name, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? err_sys(e, STEP_UNPACK, name) : fd;
}

static uint64_t caps_for(const struct writer_options *w)
{
	uint64_t caps = 1ULL << CAP_DAC_OVERRIDE | 1ULL << CAP_FOWNER | 1ULL << CAP_FSETID;

	if (w->owners == WRITER_OWNERS_KEPT)
		caps |= 1ULL << CAP_CHOWN;
	if (w->owners == WRITER_OWNERS_KEPT || w->layer != WRITER_LAYER_NONE)
		caps |= 1ULL << CAP_SETFCAP;
	if (w->devices == WRITER_DEVICES_MADE)
		caps |= 1ULL << CAP_MKNOD;
	if (w->layer == WRITER_LAYER_TRUSTED || w->layer == WRITER_LAYER_BOTH)
		caps |= 1ULL << CAP_SYS_ADMIN;
	return caps;
}

static void note(const char *what, uint64_t n)
{
	AUTO_VALUE(buf_done) struct buf text = {0};

	if (!n)
		return;
	buf_addf(&text, "note: %llu %s left out", (unsigned long long)n, what);
	print(buf_text(&text));
}

static int open_lowers(const struct options *o, int fds[static JAIL_LOWERS_MAX], struct nook_error *e)
{
	if (o->lowers.n > JAIL_LOWERS_MAX)
		return err_num(e, STEP_OPTION, "--lower", E2BIG);
	for (size_t i = 0; i < o->lowers.n; i++) {
		fds[i] = open(o->lowers.items[i], O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fds[i] < 0)
			return err_sys(e, STEP_UNPACK, o->lowers.items[i]);
	}
	return 0;
}

static int choose_input(const struct options *o, const char *archive, struct nook_error *e)
{
	if (!o->input_fd.set)
		return open_input(archive, e);
	return o->input_fd.value > INT32_MAX ? err_num(e, STEP_OPTION, "--input-fd", EBADF) : (int)o->input_fd.value;
}

static void notes(const struct options *o, const struct writer *w)
{
	if (o->quiet)
		return;
	if (!o->skip_devices)
		note("device nodes", writer_skipped(w).devices);
	note("extended attributes", writer_skipped(w).xattrs);
}

/* One line for who started this: what the layer turned out to be. */
static int report(struct inflate *layer, const struct writer *w, struct nook_error *e)
{
	AUTO_VALUE(buf_done) struct buf line = {0};
	char digest[DIGEST_TEXT_MAX];
	int r;

	inflate_digest(layer, digest);
	buf_addf(&line, "%s %llu %llu\n", digest, (unsigned long long)writer_bytes(w), (unsigned long long)writer_entries(w));
	r = fd_write(STDOUT_FILENO, line.data, line.len);
	return r < 0 ? err_num(e, STEP_STDIO, "stdout", r) : 0;
}

static int unpack(const struct options *o, const char *archive, struct nook_error *e)
{
	AUTO(inflate_free) struct inflate *layer = NULL;
	struct jail_missing missing = {0};
	struct writer_options options;
	struct jail_options jail;
	int target, root, lowers[JAIL_LOWERS_MAX], algorithm = digest_algorithm_find(o->digest ? o->digest : digest_names[DIGEST_SHA256]);

	if (algorithm < 0)
		return err_fmt(e, STEP_OPTION, "--digest", EINVAL, "\"%.40s\" is none of sha256 and sha512", o->digest);
	TRY(writer_options_from(o, &options, e));
	target = TRY(open_target(o, e));
	TRY(open_lowers(o, lowers, e));
	jail = (struct jail_options){
		.input = TRY(choose_input(o, archive, e)),
		.keep_caps = caps_for(&options),
		.lowers = lowers,
		.n_lowers = o->lowers.n,
	};
	if (o->image)
		layer = inflate_new(JAIL_INPUT, o->follow ? STDIN_FILENO : -1, (enum digest_algorithm)algorithm);
	(void)umask(0);
	root = TRY(jail_enter(target, &jail, &missing, e));
	if (missing.namespaces && missing.landlock && !o->quiet)
		print("note: this kernel can confine the unpacker neither by namespaces nor by Landlock");
	for (size_t i = 0; i < o->lowers.n; i++)
		lowers[i] = JAIL_LOWERS + (int)i;
	options.lowers = lowers;
	options.n_lowers = o->lowers.n;
	options.links_skipped = o->image && !o->lowers.n;
	AUTO(writer_free) struct writer *w = writer_new(root, &options);

	TRY(o->image ? archive_unpack_layer(layer, w, e) : archive_unpack(JAIL_INPUT, w, e));
	if (o->sync && syncfs(root) < 0)
		return err_sys(e, STEP_UNPACK, "target");
	notes(o, w);
	if (writer_skipped(w).links) {
		(void)err_why(e, STEP_UNPACK, writer_skipped(w).link, ENOENT, "is a hard link to a file that is not in this layer");
		return fail(e, EXIT_NEEDS_LOWERS);
	}
	return o->image ? report(layer, w, e) : 0;
}

int main(int argc, char **argv)
{
	const struct opt *const tables[] = {table, NULL};
	struct options o = {0};
	void *const targets[] = {&o};
	AUTO(arena_free) struct arena *a = arena_new();
	struct nook_error e = NOOK_ERROR_INIT;
	int first = 0, status;

	if (opt_parse(argc, argv, tables, OPT_PERMUTE, targets, a, &first, &e) < 0)
		return fail(&e, EXIT_MISUSED);
	if (o.help)
		return help();
	if (argc - first > 1) {
		(void)err_why(&e, STEP_OPTION, argv[first + 1], EINVAL, "is one archive too many");
		return fail(&e, EXIT_MISUSED);
	}
	status = unpack(&o, argv[first], &e);
	return status < 0 ? fail(&e, e.step == STEP_OPTION ? EXIT_MISUSED : EXIT_REFUSED) : status;
}
