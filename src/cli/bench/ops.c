/* tern bench --ops: every op on the rows of ops/rows.h, by each thread count. Weights come from the
 * next place of a mapping larger than the caches at each call, as a model's do; all else stays in
 * the caches, as activations do. */
#include <stdio.h>
#include <string.h>

#include "base/dtype.h"
#include "cli/bench/bench.h"
#include "cli/bench/timed.h"
#include "cli/machine.h"
#include "ops/rows.h"

enum { N_OP_ROWS = sizeof op_rows / sizeof *op_rows, APART = 4096 };

/* One op on one row. */
typedef struct job {
    tern_ctx *ctx;
    const op_row *row;
    tern_op *op;
    tern_workspace *ws;
    const bench_mapping *memory;
    size_t next;                          /* where weights are taken from */
    tern_named_tensor in[OP_ROW_TENSORS], out[OP_ROW_OUTPUTS];
    size_t n_in, n_out;
    tern_status st;
} job;

static bool is_weight(const char *name)
{
    return !strncmp(name, "weight", 6) && !strchr(name, '.');
}

static size_t bytes_of(const tern_tensor *t)
{
    return (size_t)tern_tensor_count(t) * tern_dtype_bytes(t->dtype);
}

/* The next place in the mapping with space for the tensor. */
static void *place(job *j, const tern_tensor *t)
{
    size_t n = (bytes_of(t) + APART - 1) / APART * APART;
    if (j->next + n > j->memory->n_bytes) j->next = 0;
    void *at = j->memory->data + j->next;
    j->next += n;
    return at;
}

static void call(void *arg)
{
    job *j = arg;
    if (j->ws) tern_workspace_reset(j->ws);
    for (size_t i = 0; i < j->n_in; i++)
        if (is_weight(j->in[i].name)) j->in[i].tensor.data = place(j, &j->in[i].tensor);
    if (!j->st) j->st = tern_op_run(j->op, j->in, j->n_in, j->out, j->n_out, NULL);
}

/* Inputs that are no weights share the mapping's numbers, too, each at a place of its own that the
 * calls do not leave. Outputs are allocated by the first call. */
static bool open_job(job *j)
{
    for (const op_row_tensor *t = j->row->in; t < j->row->in + OP_ROW_TENSORS && t->name; t++, j->n_in++) {
        j->in[j->n_in] = (tern_named_tensor){ t->name, op_row_tensor_of(t) };
        j->in[j->n_in].tensor.data = place(j, &j->in[j->n_in].tensor);
    }
    for (; j->n_out < OP_ROW_OUTPUTS && j->row->out[j->n_out]; j->n_out++)
        j->out[j->n_out].name = j->row->out[j->n_out];
    j->st = op_row_create(j->ctx, j->row, &j->op, &j->ws);
    call(j);
    return !j->st;
}

static void close_job(job *j)
{
    tern_outputs_free(j->out, j->n_out);
    tern_op_free(j->op);
    tern_workspace_free(j->ws);
}

static void text_of(const op_row *row, char *out, size_t size)
{
    const op_row_tensor *t = &row->in[0];
    int n = snprintf(out, size, "%s ", tern_dtype_name(t->type));
    for (int i = 0; i < TERN_MAX_RANK && t->shape[i] && n < (int)size; i++)
        n += snprintf(out + n, size - (size_t)n, "%s%lld", i ? " x " : "", (long long)t->shape[i]);
}

static bool time_row(tern_ctx *ctx, const op_row *row, const bench_limits *limits, json_out *json)
{
    job j = { .ctx = ctx, .row = row, .memory = &limits->mapping };
    tern_cost cost = { 0 };
    int threads = tern_ctx_threads(ctx);
    bool ok = open_job(&j), weights = false;
    if (ok && j.ws) tern_workspace_reset(j.ws);
    ok = ok && tern_op_cost(j.op, j.in, j.n_in, j.out, j.n_out, NULL, &cost) == TERN_OK;
    for (size_t i = 0; i < j.n_in; i++) weights |= is_weight(j.in[i].name);
    if (ok) {
        const bench_peak *peak = bench_best_peak(limits, threads, tern_isa_find(tern_ctx_isa(ctx))->rank,
                                                 row->in[0].type == TERN_BF16 ? "bf16" : "f32");
        bench_timed t = { .isa = tern_ctx_isa(ctx), .name = row->op, .why = row->why, .threads = threads,
                          .seconds = bench_time(call, &j, false), .flops = cost.flops,
                          .bytes = cost.read_bytes + cost.written_bytes, .peak = peak ? peak->rate.median : 0,
                          .read = weights ? bench_read_limit(limits, threads) : 0 };
        text_of(row, t.shape, sizeof t.shape);
        ok = !j.st;
        if (ok) bench_timed_put(json, &t);
    }
    if (!ok) cli_fail("%s (%s): %s", row->op, row->why, tern_ctx_error(ctx));
    close_job(&j);
    return ok;
}

static bool time_rows(const bench_plan *plan, const char *name, const bench_limits *limits, json_out *json)
{
    bool ok = true;
    for (size_t t = 0; ok && t < plan->threads.n; t++) {
        cli_session s = { 0 };
        ok = cli_open_ctx_of(plan->args, (int)plan->threads.at[t], &s);
        for (size_t i = 0; ok && i < N_OP_ROWS; i++)
            if (bench_is_asked(name, op_rows[i].op)) ok = time_row(s.ctx, &op_rows[i], limits, json);
        cli_close(&s);
    }
    return ok;
}

int bench_ops(const bench_plan *plan)
{
    const char *name = plan->args->value[FLAG_OPS].text;
    bench_limits limits = { 0 };
    json_out json = { 0 };
    bool as_json = plan->args->value[FLAG_JSON].set, known = false;
    int threads[CLI_MOST_LIST];
    for (size_t i = 0; i < N_OP_ROWS; i++) known |= bench_is_asked(name, op_rows[i].op);
    if (!known) return cli_usage("--ops \"%s\": no op's name begins so; \"all\" times every one", name);
    for (size_t t = 0; t < plan->threads.n; t++) threads[t] = (int)plan->threads.at[t];
    bool ok = bench_limits_measure(&limits, threads, plan->threads.n);
    if (ok && !limits.mapping.data) {
        cli_fail("no memory for the arrays that ops are timed on");
        ok = false;
    }
    if (ok && as_json) bench_open_json(&json, &limits, "ops");
    else if (ok) bench_timed_head();
    ok = ok && time_rows(plan, name, &limits, as_json ? &json : NULL);
    while (json.depth) out_close(&json);
    bench_limits_free(&limits);
    return ok ? EXIT_OK : EXIT_FAILED;
}
