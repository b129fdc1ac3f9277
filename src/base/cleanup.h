/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Clean-up by scope: declare with auto_free, auto_close or AUTO(destructor), hand over with take_ptr() or take_fd(). */
#pragma once

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static inline void cleanup_free(void *p)
{
	free(*(void **)p);
}

static inline void cleanup_close(const int *fd)
{
	if (*fd >= 0) {
		int saved = errno;

		(void)close(*fd);
		errno = saved;
	}
}

#define auto_free __attribute__((cleanup(cleanup_free)))
#define auto_close __attribute__((cleanup(cleanup_close), unused)) /* often held only until the end of the scope */

/* AUTO(plan_free) struct plan *p = NULL;  calls plan_free(p) at the end of the scope.  One CLEANUP_DEFINE per function. */
#define CLEANUP_DEFINE(type, function)              \
	static inline void cleanup_##function(type *p)  \
	{                                               \
		function(*p);                               \
	}
#define AUTO(function) __attribute__((cleanup(cleanup_##function)))
/* The same for a struct held by value: function takes its address. */
#define AUTO_VALUE(function) __attribute__((cleanup(function)))

#define take_ptr(p)                \
	({                             \
		__auto_type taken_ = *(p); \
		*(p) = NULL;               \
		taken_;                    \
	})

static inline int take_fd(int *fd)
{
	int taken = *fd;

	*fd = -EBADF;
	return taken;
}

static inline void close_fd(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
	*fd = -EBADF;
}
