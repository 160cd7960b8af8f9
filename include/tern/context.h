/* tern_ctx: the threads, the instruction set, the log, and the message of the last error.
 *
 * Everything else in tern is created from a context and must be freed before it. A context, and
 * what was created from it, is used by one thread at a time; two contexts are independent. The
 * library never prints, exits, aborts on input, or installs a signal handler (but see guard_files):
 * what it has to say goes to the log callback or into the error's sentence. */
#ifndef TERN_CONTEXT_H
#define TERN_CONTEXT_H

#include <stddef.h>
#include <tern/status.h>

typedef struct tern_ctx tern_ctx;

typedef enum tern_log_level { TERN_LOG_INFO = 0, TERN_LOG_WARNING = 1 } tern_log_level;

/* One line without its newline. Called on the thread that runs a tern call, never from a worker. */
typedef void tern_log_fn(void *user, tern_log_level level, const char *line);

typedef struct tern_ctx_options {
    /* workers, the caller among them; 0: TERN_THREADS, else physical cores within the cgroup's
     * quota */
    int threads;
    /* the highest instruction set to use, "scalar", "avx2", ...; null: TERN_ISA, else the best
     * here */
    const char *isa;
    tern_log_fn *log;    /* null: silent */
    void *log_user;      /* borrowed, handed to log */
    /* 1: as long as the context lives, a handler of SIGBUS turns reads of a checkpoint file that
     * was cut while mapped into TERN_ERR_STATE; see below. 0: no handler */
    int guard_files;
} tern_ctx_options;

/* Weights are read from mapped files. Where another process cuts such a file, or its disk fails,
 * the kernel raises SIGBUS in the thread that reads. The library installs no signal handler unless
 * it is asked to, and without one the process ends. guard_files asks: the handler takes faults
 * inside tern's mappings alone, and every other one goes to the handler that was there before. It
 * is installed by the first such context and taken back with the last; hosts that install their own
 * meanwhile should call the one they replace. */

/* Makes a context. options may be null (all defaults). An instruction set that is unknown, or that
 * this CPU lacks, is TERN_ERR_UNSUPPORTED, and threads outside 0..1024 TERN_ERR_ARGUMENT; there
 * being no context yet, the sentence is in tern_create_error(). On success the caller owns *out and
 * frees it with tern_ctx_free. */
TERN_API tern_status tern_ctx_create(const tern_ctx_options *options, tern_ctx **out);

/* Joins the workers and releases the context; null is allowed. Objects created from it must be gone
 * by now. */
TERN_API void tern_ctx_free(tern_ctx *ctx);

/* The sentence of the last failure, "" if there was none. Owned by the context, valid until its
 * next failing call. */
TERN_API const char *tern_ctx_error(const tern_ctx *ctx);

/* The sentence of this thread's last failing tern_ctx_create, "" if there was none. */
TERN_API const char *tern_create_error(void);

TERN_API int tern_ctx_threads(const tern_ctx *ctx);         /* workers, the caller among them */
/* "scalar", "avx2", ...: what is in use */
TERN_API const char *tern_ctx_isa(const tern_ctx *ctx);

/* The i-th instruction set of this build, lowest first, and whether this CPU can run it; null past
 * the last. */
TERN_API const char *tern_isa_name(size_t i);
TERN_API int tern_isa_usable(size_t i);

/* "0.1.0" */
TERN_API const char *tern_version(void);

#endif
