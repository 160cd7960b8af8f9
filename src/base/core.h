/* Cores and the threads on them, as the thread pool asks for them: which core this is, whether a
 * thread runs, and moving one. */
#ifndef TERN_BASE_CORE_H
#define TERN_BASE_CORE_H

#include <stdint.h>
#include <sys/types.h>

/* The calling thread, and the core that it runs on. */
pid_t tern_thread_id(void);
int tern_core(void);

/* How many CPUs the calling thread may run on. */
int tern_cores(void);

/* How long a thread of this process has run, in nanoseconds: stands still while it waits for a
 * core. -1: there is no such thread. */
int64_t tern_thread_ran_ns(pid_t thread);

/* Puts a thread onto the caller's core, or the caller itself onto another one than now, if its set
 * of CPUs has it. The set is given back at once: where the thread goes from there is the
 * scheduler's business again. */
void tern_thread_call(pid_t thread);
void tern_thread_leave(pid_t self);

#endif
