/* How many tokens fit: what this process may still allocate, and how an engine divides it. */
#ifndef TERN_ENGINE_MEMORY_H
#define TERN_ENGINE_MEMORY_H

#include "engine/runner.h"

/* Bytes that can still be had beside the weights, and which limit says so. */
typedef struct tern_room {
    uint64_t bytes;
    const char *limit;             /* "MemAvailable", "the cgroup's memory.max", "RLIMIT_AS" */
} tern_room;

/* The least of the system's available memory, the cgroup's limit less its use (page cache that can be dropped does not count as use), and the
 * address space limit less its use. mapped_bytes of weights lie in files: they will need memory that the first two call available, and have
 * their address space already. root is put before the paths of /proc and /sys: "" outside of tests. */
tern_room tern_room_now(const char *root, size_t mapped_bytes);

typedef struct tern_plan {
    int64_t context_tokens, n_page;
    int32_t max_requests, step_tokens;
    int32_t n_logit_row;           /* rows of logits a step can have: one a request, and some more for those that want all positions' */
    size_t kv_bytes, workspace_bytes;
} tern_plan;

/* Fills in what options leave open. TERN_ERR_ARGUMENT a negative option | TERN_ERR_LIMIT a context beyond the model's | TERN_ERR_MEMORY what is
 * asked, or the least that works, does not fit in room; the sentence has the bytes needed and available. */
tern_status tern_plan_engine(const tern_runner *runner, const tern_engine_options *options, tern_room room, tern_plan *out);

#endif
