/* How an engine divides the memory that there is, in figures worked out by hand. */
#include "engine/memory.h"

#include "engine/toy.h"

enum { PAGE_BYTES = 1000000, SPARE = 32 << 20 };

typedef struct plan_row {
    tern_engine_options o;
    int64_t model_tokens;       /* the model's own limit */
    uint64_t pages;             /* that fit, beside weights and workspace */
    tern_status status;
    int64_t context, n_page;
    const char *message, *why;
} plan_row;

static const plan_row plans[] = {
    { { 0 }, 0, 100000, TERN_OK, 8192, 16 * 128, "", "all defaults with plenty of memory: 8192 tokens, 16 requests" },
    { { 0 }, 2048, 100000, TERN_OK, 2048, 16 * 32, "", "the model's limit is the context" },
    { { 0 }, 100, 100000, TERN_OK, 100, 16 * 2, "", "a context that is no whole number of pages" },
    { { 0 }, 8192, 200, TERN_OK, 8192, 200, "", "the pool is what fits, though not all requests at full length" },
    { { 0 }, 8192, 50, TERN_OK, 3200, 50, "", "the context is what fits" },
    { { .max_requests = 1 }, 4096, 1000, TERN_OK, 4096, 64, "", "one request" },
    { { .context_tokens = 1000 }, 4096, 1000, TERN_OK, 1000, 256, "", "a context asked for" },
    { { .context_tokens = 6400 }, 0, 100, TERN_OK, 6400, 100, "", "a context that just fits" },
    { { .context_tokens = 6401 }, 0, 100, TERN_ERR_MEMORY, 0, 0,
      "a context of 6401 tokens needs 101000000 bytes of KV cache, and 100000000 are available", "one more" },
    { { .kv_tokens = 640 }, 4096, 1000, TERN_OK, 640, 10, "", "a pool asked for is the context's limit too" },
    { { .kv_tokens = 641 }, 4096, 1000, TERN_OK, 641, 11, "", "a pool of whole pages" },
    { { .kv_tokens = 100000 }, 4096, 1000, TERN_ERR_MEMORY, 0, 0, "a KV pool of 100000 tokens needs 1563000000 bytes "
      "of KV cache, and 1000000000 are available", "a pool too large" },
    { { .kv_tokens = INT64_MAX }, 4096, 1000, TERN_ERR_MEMORY, 0, 0, "a KV pool of 9223372036854775807 tokens",
      "no overflow" },
    { { 0 }, 4096, 0, TERN_ERR_MEMORY, 0, 0,
      "a context of 4096 tokens needs 64000000 bytes of KV cache, and 0 are available (a test: ", "no memory at all" },
    { { .context_tokens = 5000 }, 4096, 1000, TERN_ERR_LIMIT, 0, 0,
      "a context of 5000 tokens is more than the 4096 that the model was made for", "beyond the model" },
    { { .context_tokens = 1LL << 40 }, 0, 1000, TERN_ERR_LIMIT, 0, 0,
      "a context of 1099511627776 tokens is more than 2147483647", "beyond a position's type" },
    { { .context_tokens = -1 }, 0, 1000, TERN_ERR_ARGUMENT, 0, 0, "context_tokens is -1, not 0 or more",
      "negative context" },
    { { .kv_tokens = -1 }, 0, 1000, TERN_ERR_ARGUMENT, 0, 0, "kv_tokens is -1, not 0 or more", "negative pool" },
    { { .max_requests = -1 }, 0, 1000, TERN_ERR_ARGUMENT, 0, 0, "max_requests is -1, not a number from 0 to 4096",
      "negative requests" },
    { { .max_requests = 5000 }, 0, 1000, TERN_ERR_ARGUMENT, 0, 0, "max_requests is 5000, not a number from 0 to 4096",
      "too many requests" },
    { { .step_tokens = -1 }, 0, 1000, TERN_ERR_ARGUMENT, 0, 0, "step_tokens is -1, not a number from 0 to 1048576",
      "negative step" },
};

static void plans_divide_the_memory(void **state)
{
    tern_ctx *ctx = *state;
    for (size_t i = 0; i < sizeof plans / sizeof *plans; i++) {
        const plan_row *r = &plans[i];
        tern_runner runner = { .ctx = ctx, .page_bytes = PAGE_BYTES, .row_bytes = 1000, .vocab = 1000,
                               .max_tokens = r->model_tokens };
        tern_plan p = { 0 }, first;
        assert_int_equal(tern_plan_engine(&runner, &(tern_engine_options){ .max_requests =
            r->o.max_requests > 0 && r->o.max_requests < 5000 ? r->o.max_requests : 0 },
                                          (tern_available_memory){ UINT64_MAX, "" }, &first), TERN_OK);
        tern_available_memory memory = { SPARE + first.workspace_bytes + r->pages * PAGE_BYTES, "a test" };
        tern_status st = tern_plan_engine(&runner, &r->o, memory, &p);
        if (st != r->status || p.context_tokens != r->context || p.n_page != r->n_page)
            fail_msg("%s: %s, a context of %lld in %lld pages (%s)", r->why, tern_status_name(st),
                     (long long)p.context_tokens, (long long)p.n_page, tern_ctx_error(ctx));
        if (st == TERN_OK) assert_int_equal(p.kv_bytes, (size_t)r->n_page * PAGE_BYTES);
        else if (strncmp(tern_ctx_error(ctx), r->message, strlen(r->message)))
            fail_msg("%s: %s", r->why, tern_ctx_error(ctx));
    }
}

/* 512 rows of at most 24 MB logits, the model's rows, the batch, and sampling's scratch. */
static void the_workspace_is_billed(void **state)
{
    tern_runner runner = { .ctx = *state, .page_bytes = PAGE_BYTES, .row_bytes = 1000, .vocab = 1000 };
    tern_plan p;
    assert_int_equal(tern_plan_engine(&runner, NULL, (tern_available_memory){ UINT64_MAX, "" }, &p), TERN_OK);
    assert_int_equal(p.max_requests, 16);
    assert_int_equal(p.step_tokens, 512);
    assert_int_equal(p.n_logit_row, 512);
    assert_int_equal(p.workspace_bytes, 512 * 4000 + 512 * 1008 + 16 * 64 + (1000 * 20 + 32));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plans_divide_the_memory),
        cmocka_unit_test(the_workspace_is_billed),
    };
    return cmocka_run_group_tests(tests, toy_setup, toy_teardown);
}
