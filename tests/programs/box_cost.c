/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * box_cost MIB STARTS: what a start costs a caller with MIB resident.  Prints the median time in microseconds and how many
 * of the caller's pages had to be copied afterwards (fork(2) would make it all of them).
 */
#include <nook.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static long now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static int ascending(const void *a, const void *b)
{
	long x = *(const long *)a, y = *(const long *)b;

	return x < y ? -1 : x > y;
}

int main(int argc, char **argv)
{
	static const char *const command[] = {"/bin/true", NULL};
	size_t size = (size_t)(argc > 1 ? atol(argv[1]) : 1) << 20;
	int n = argc > 2 ? atoi(argv[2]) : 1;
	long *times = calloc((size_t)n, sizeof(*times)), page = sysconf(_SC_PAGESIZE);
	struct nook_error e = NOOK_ERROR_INIT;
	struct rusage before, after;
	struct nook_box *box = nook_box_new();
	char text[640];
	char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	/* Small pages, as a heap that grew bit by bit has them. */
	madvise(memory, size, MADV_NOHUGEPAGE);
	memset(memory, 1, size);
	for (int i = 0; i < n; i++) {
		struct nook_proc *p = NULL;
		long start = now_us();

		if (nook_box_spawn(box, command, &p, &e) < 0) {
			nook_error_text(&e, text, sizeof(text));
			printf("error %s\n", text);
			return 1;
		}
		times[i] = now_us() - start;
		if (i == n - 1) {
			/* The box may still run: whatever is shared with it is copied by these writes. */
			getrusage(RUSAGE_SELF, &before);
			for (size_t at = 0; at < size; at += (size_t)page)
				memory[at]++;
			getrusage(RUSAGE_SELF, &after);
		}
		nook_proc_wait(p, -1, NULL, NULL);
		nook_proc_free(p);
	}
	qsort(times, (size_t)n, sizeof(*times), ascending);
	printf("%ld us, %ld pages copied of %zu\n", times[n / 2], after.ru_minflt - before.ru_minflt, size / (size_t)page);
	return 0;
}
