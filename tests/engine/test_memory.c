/* What fits: the room that a system states in its files, and how an engine divides it, in figures worked out by hand. */
#include "engine/memory.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/toy.h"
#include "root.h"

/* ---- Room ------------------------------------------------------------------------------------------------------------------------------ */
typedef struct system_row {
    const char *meminfo, *cgroup, *max, *current, *stat;    /* of /a/b; null: no such file */
    const char *outer_max;                                  /* of /a */
    size_t weights;                                         /* mapped */
    uint64_t bytes;
    const char *limit, *why;
} system_row;

#define MEMINFO "MemTotal:       2000 kB\nMemFree:         100 kB\nMemAvailable:   1000 kB\n"
#define MINE "0::/a/b\n"

static const system_row systems[] = {
    { MEMINFO, NULL, NULL, NULL, NULL, NULL, 0, 1024000, "MemAvailable", "no cgroup" },
    { MEMINFO, MINE, "max\n", "5\n", "", NULL, 0, 1024000, "MemAvailable", "a cgroup without a limit" },
    { MEMINFO, MINE, "500000\n", "100000\n", "", NULL, 0, 400000, "the cgroup's memory.max", "a limit less what is used" },
    { MEMINFO, MINE, "500000\n", "100000\n", "anon 5\nfile 70000\ninactive_file 30000\n", NULL, 0, 430000, "the cgroup's memory.max", "cache that can go is no use" },
    { MEMINFO, MINE, "500000\n", "600000\n", "", NULL, 0, 0, "the cgroup's memory.max", "more is used than allowed" },
    { MEMINFO, MINE, "900000\n", "0\n", "", "300000\n", 0, 300000, "the cgroup's memory.max", "the limit of the group around it" },
    { MEMINFO, "1:name=systemd:/a/b\n" MINE, "700\n", "0\n", "", NULL, 0, 700, "the cgroup's memory.max", "version 2 beside version 1" },
    { MEMINFO, NULL, NULL, NULL, NULL, NULL, 24000, 1000000, "MemAvailable", "weights in the file need memory" },
    { MEMINFO, MINE, "500000\n", "100000\n", "", NULL, 150000, 250000, "the cgroup's memory.max", "in a cgroup too" },
    { MEMINFO, MINE, "500000\n", "100000\n", "", NULL, 450000, 0, "the cgroup's memory.max", "weights that do not fit" },
    { NULL, NULL, NULL, NULL, NULL, NULL, 5, UINT64_MAX, "the system", "a system that says nothing" },
};

static void room_is_the_least_of_all_limits(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof systems / sizeof *systems; i++) {
        const system_row *r = &systems[i];
        char root[] = ROOT_PATH;
        root_make(root);
        root_put(root, "/proc/meminfo", r->meminfo);
        root_put(root, "/proc/self/cgroup", r->cgroup);
        root_put(root, "/sys/fs/cgroup/a/b/memory.max", r->max);
        root_put(root, "/sys/fs/cgroup/a/b/memory.current", r->current);
        root_put(root, "/sys/fs/cgroup/a/b/memory.stat", r->stat);
        root_put(root, "/sys/fs/cgroup/a/memory.max", r->outer_max);
        tern_room room = tern_room_now(root, r->weights);
        root_remove(root);
        if (room.bytes != r->bytes || strcmp(room.limit, r->limit)) fail_msg("%s: %llu by %s", r->why, (unsigned long long)room.bytes, room.limit);
    }
}

/* In a process of its own, whose address space may grow by 100 MB. Sanitizers need more than that, so nothing is allocated under the limit. */
static void an_address_space_limit_counts(void **state)
{
    (void)state;
    pid_t child = fork();
    assert_true(child >= 0);
    if (!child) {
        unsigned long long pages = 0;
        FILE *f = fopen("/proc/self/statm", "r");
        bool read = f && fscanf(f, "%llu", &pages) == 1;
        rlim_t limit = pages * (rlim_t)sysconf(_SC_PAGESIZE) + 100000000;
        bool set = read && !setrlimit(RLIMIT_AS, &(struct rlimit){ limit, limit });
        tern_room room = tern_room_now("", 50000000);    /* mapped weights have their addresses already */
        _exit(set && !strcmp(room.limit, "RLIMIT_AS") && room.bytes <= 100000000 && room.bytes > 90000000 ? 0 : 1);
    }
    int how;
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_true(WIFEXITED(how) && WEXITSTATUS(how) == 0);
}

static void this_system_states_its_room(void **state)
{
    (void)state;
    tern_room room = tern_room_now("", 0);
    assert_true(room.bytes > 1 << 20);
    assert_true(room.bytes < (uint64_t)1 << 50);
}

/* ---- Plans ----------------------------------------------------------------------------------------------------------------------------- */
enum { PAGE_BYTES = 1000000, SPARE = 32 << 20 };

typedef struct plan_row {
    tern_engine_options o;
    int64_t model_tokens;       /* the model's own limit */
    uint64_t pages;             /* that fit, beside weights and workspace */
    tern_status status;
    int64_t context, n_page;
    const char *words, *why;
} plan_row;

static const plan_row plans[] = {
    { { 0 }, 0, 100000, TERN_OK, 8192, 16 * 128, "", "all defaults in plenty of room: 8192 tokens, 16 requests" },
    { { 0 }, 2048, 100000, TERN_OK, 2048, 16 * 32, "", "the model's limit is the context" },
    { { 0 }, 100, 100000, TERN_OK, 100, 16 * 2, "", "a context that is no whole number of blocks" },
    { { 0 }, 8192, 200, TERN_OK, 8192, 200, "", "the pool is what fits, though not all requests at full length" },
    { { 0 }, 8192, 50, TERN_OK, 3200, 50, "", "the context is what fits" },
    { { .max_requests = 1 }, 4096, 1000, TERN_OK, 4096, 64, "", "one request" },
    { { .context_tokens = 1000 }, 4096, 1000, TERN_OK, 1000, 256, "", "a context asked for" },
    { { .context_tokens = 6400 }, 0, 100, TERN_OK, 6400, 100, "", "a context that just fits" },
    { { .context_tokens = 6401 }, 0, 100, TERN_ERR_MEMORY, 0, 0, "a context of 6401 tokens needs 101000000 bytes of KV cache, and 100000000 are available", "one more" },
    { { .kv_tokens = 640 }, 4096, 1000, TERN_OK, 640, 10, "", "a pool asked for is the context's limit too" },
    { { .kv_tokens = 641 }, 4096, 1000, TERN_OK, 641, 11, "", "a pool of whole blocks" },
    { { .kv_tokens = 100000 }, 4096, 1000, TERN_ERR_MEMORY, 0, 0, "a KV pool of 100000 tokens needs 1563000000 bytes of KV cache, and 1000000000 are available", "a pool too large" },
    { { .kv_tokens = INT64_MAX }, 4096, 1000, TERN_ERR_MEMORY, 0, 0, "a KV pool of 9223372036854775807 tokens", "no overflow" },
    { { 0 }, 4096, 0, TERN_ERR_MEMORY, 0, 0, "a context of 4096 tokens needs 64000000 bytes of KV cache, and 0 are available (a test: ", "no room at all" },
    { { .context_tokens = 5000 }, 4096, 1000, TERN_ERR_LIMIT, 0, 0, "a context of 5000 tokens is more than the 4096 that the model was made for", "beyond the model" },
    { { .context_tokens = 1LL << 40 }, 0, 1000, TERN_ERR_LIMIT, 0, 0, "a context of 1099511627776 tokens is more than 2147483647", "beyond a position's type" },
    { { .context_tokens = -1 }, 0, 1000, TERN_ERR_ARGUMENT, 0, 0, "context_tokens is -1, not 0 or more", "negative context" },
    { { .kv_tokens = -1 }, 0, 1000, TERN_ERR_ARGUMENT, 0, 0, "kv_tokens is -1, not 0 or more", "negative pool" },
    { { .max_requests = -1 }, 0, 1000, TERN_ERR_ARGUMENT, 0, 0, "max_requests is -1, not a number from 0 to 4096", "negative requests" },
    { { .max_requests = 5000 }, 0, 1000, TERN_ERR_ARGUMENT, 0, 0, "max_requests is 5000, not a number from 0 to 4096", "too many requests" },
    { { .step_tokens = -1 }, 0, 1000, TERN_ERR_ARGUMENT, 0, 0, "step_tokens is -1, not a number from 0 to 1048576", "negative step" },
};

static void plans_divide_the_room(void **state)
{
    tern_ctx *ctx = *state;
    for (size_t i = 0; i < sizeof plans / sizeof *plans; i++) {
        const plan_row *r = &plans[i];
        tern_runner runner = { .ctx = ctx, .page_bytes = PAGE_BYTES, .row_bytes = 1000, .vocab = 1000, .max_tokens = r->model_tokens };
        tern_plan p = { 0 }, first;
        assert_int_equal(tern_plan_engine(&runner, &(tern_engine_options){ .max_requests = r->o.max_requests > 0 && r->o.max_requests < 5000 ? r->o.max_requests : 0 },
                                          (tern_room){ UINT64_MAX, "" }, &first), TERN_OK);
        tern_room room = { SPARE + first.workspace_bytes + r->pages * PAGE_BYTES, "a test" };
        tern_status st = tern_plan_engine(&runner, &r->o, room, &p);
        if (st != r->status || p.context_tokens != r->context || p.n_page != r->n_page)
            fail_msg("%s: %s, a context of %lld in %lld blocks (%s)", r->why, tern_status_name(st), (long long)p.context_tokens, (long long)p.n_page, tern_ctx_error(ctx));
        if (st == TERN_OK) assert_int_equal(p.kv_bytes, (size_t)r->n_page * PAGE_BYTES);
        else if (strncmp(tern_ctx_error(ctx), r->words, strlen(r->words))) fail_msg("%s: %s", r->why, tern_ctx_error(ctx));
    }
}

/* 512 rows of at most 24 MB logits, the model's rows, the batch, and sampling's scratch. */
static void the_workspace_is_billed(void **state)
{
    tern_runner runner = { .ctx = *state, .page_bytes = PAGE_BYTES, .row_bytes = 1000, .vocab = 1000 };
    tern_plan p;
    assert_int_equal(tern_plan_engine(&runner, NULL, (tern_room){ UINT64_MAX, "" }, &p), TERN_OK);
    assert_int_equal(p.max_requests, 16);
    assert_int_equal(p.step_tokens, 512);
    assert_int_equal(p.n_logit_row, 512);
    assert_int_equal(p.workspace_bytes, 512 * 4000 + 512 * 1008 + 16 * 64 + (1000 * 20 + 32));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(room_is_the_least_of_all_limits),
        cmocka_unit_test(an_address_space_limit_counts),
        cmocka_unit_test(this_system_states_its_room),
        cmocka_unit_test(plans_divide_the_room),
        cmocka_unit_test(the_workspace_is_billed),
    };
    return cmocka_run_group_tests(tests, toy_setup, toy_teardown);
}
