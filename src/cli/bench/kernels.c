/* tern bench --kernels: every kernel of every instruction set that this CPU runs, on the rows of
 * kernels/rows.h, one thread. Weights come from the next place of a mapping larger than the caches
 * at each call, as a model's do; all else stays in the caches, as activations do. */
#include "cli/bench/bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/bench/limits.h"
#include "cli/bench/timed.h"
#include "kernels/rows.h"

enum { X_BYTES = 1 << 24, Y_BYTES = 1 << 25, PAGE_BYTES = 4096, PRODUCTS = 256, ROWS = 64, ROW_N = 2048 };

typedef void any_fn(void);

typedef struct run {
    const char *name;                 /* what the kernels' names begin with; "all" */
    const cli_value *batch;           /* which rows of x: those with so many; not set: all */
    const tern_kernels *table;
    bench_limits *limits;
    char *x, *packed, *y;    /* packed: x for the product at hand */
    json_out *json;
    bool begun;              /* something was timed, and what is printed before the first has been */
} run;

/* One kernel on one row. */
typedef struct job {
    any_fn *f;
    const run *r;
    gemm_shape s;
    row_kind kind;
    const float *a;         /* of gemm_nn_* */
    size_t w_bytes, next;
} job;

static bool wanted_rows(const run *r, size_t m)
{
    for (size_t i = 0; i < r->batch->n_list; i++)
        if ((size_t)r->batch->list[i] == m) return true;
    return !r->batch->n_list;
}

static any_fn *slot_of(const tern_kernels *table, size_t offset)
{
    any_fn *f;
    memcpy(&f, (const char *)table + offset, sizeof f);
    return f;
}

static size_t size_of(char type)
{
    return type == 'f' ? sizeof(float) : sizeof(uint16_t);
}

static void begin(run *r)
{
    if (!r->begun && r->json) bench_open_json(r->json, r->limits, "kernels");
    else if (!r->begun) bench_timed_head();
    r->begun = true;
}

static void report(run *r, bench_timed t)
{
    begin(r);
    t.isa = tern_isa_short(r->table);
    t.threads = 1;
    bench_timed_put(r->json, &t);
}

/* ---- Products ---- */

static void call_gemm(void *arg)
{
    job *j = arg;
    size_t bytes = j->s.n * j->s.k * j->w_bytes;
    if (j->next + bytes > j->r->limits->mapping.n_bytes) j->next = 0;
    ((k_gemm_fn *)j->f)((float *)(void *)j->r->y, j->s.n, j->r->packed, j->r->limits->mapping.data + j->next, j->s.k,
                        j->s.m, j->s.n, j->s.k);
    j->next += (bytes + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
}

static void call_gemm_nn(void *arg)
{
    const job *j = arg;
    for (int i = 0; i < PRODUCTS; i++)
        ((k_gemm_nn_fn *)j->f)((float *)(void *)j->r->y, j->s.n, j->a, j->s.k, j->r->limits->mapping.data, j->s.n,
                               j->s.m, j->s.n, j->s.k, i & 1, NULL);
}

/* Rows of a: as they are, or packed. */
static const float *nn_rows(const run *r, const gemm_slot *slot, const gemm_shape *s)
{
    float *a = (float *)(void *)r->packed;
    memcpy(a, r->x, s->m * s->k * sizeof *a);
    for (size_t i = 0; slot->pack && i < s->m; i++) ((k_pack_nn_fn *)slot_of(r->table, slot->pack))(a + i * s->k, s->k);
    return a;
}

static void time_products(run *r, const gemm_slot *slots, size_t n_slot, const gemm_shape *shapes, size_t n_shape,
                          bool nn)
{
    for (size_t i = 0; i < n_slot; i++)
        for (size_t s = 0; s < n_shape; s++) {
            job j = { .f = slot_of(r->table, slots[i].offset), .r = r, .s = shapes[s], .w_bytes = size_of(slots[i].w) };
            if (!j.f || !bench_is_asked(r->name, slots[i].name) || !wanted_rows(r, j.s.m)) continue;
            if (!nn)
                ((k_pack_fn *)slot_of(r->table, slots[i].pack))(r->packed, (const float *)(const void *)r->x, j.s.k,
                                                                j.s.m, j.s.k);
            if (nn) j.a = nn_rows(r, &slots[i], &shapes[s]);
            int calls = nn ? PRODUCTS : 1;
            bench_timed t = { .name = slots[i].name, .why = j.s.why, .flops = 2.0 * (double)(j.s.m * j.s.n * j.s.k) };
            snprintf(t.shape, sizeof t.shape, "%zu x %zu x %zu", j.s.m, j.s.n, j.s.k);
            t.seconds = bench_scaled(bench_time(nn ? call_gemm_nn : call_gemm, &j, true), 1.0 / calls);
            t.bytes = nn ? 0 : (double)(j.s.n * j.s.k * j.w_bytes);
            const char *type = "f32";
            if (slots[i].x == 'b') type = "bf16";
            else if (slots[i].x == 'h') type = "f16";
            t.peak = bench_own_peak(r->limits, 1, r->table, type);
            t.read = bench_read_limit(r->limits, 1);
            report(r, t);
        }
}

/* ---- Rows ---- */

static void call_row(void *arg)
{
    const job *j = arg;
    float *x = (float *)(void *)j->r->x, *y = (float *)(void *)j->r->y, *w = x + ROW_N, max;
    for (int i = 0; i < ROWS; i++) switch (j->kind) {
        case EXP: ((k_exp_row_fn *)j->f)(y, ROW_N, &max); break;
        case RMS: ((k_rms_row_fn *)j->f)(y, x, w, ROW_N, 1e-5f); break;
        case LAYER_NORM: ((k_layer_norm_row_fn *)j->f)(y, x, w, w, ROW_N, 1e-5f); break;
        case MAP: ((k_map_row_fn *)j->f)(y, x, ROW_N); break;
        case SOFTCAP: ((k_softcap_row_fn *)j->f)(y, x, 30, ROW_N); break;
        case AXPB: ((k_axpb_row_fn *)j->f)(y, 2, x, w, ROW_N); break;
        case MUL: ((k_mul_row_fn *)j->f)(y, x, w, ROW_N); break;
        case SCALE: ((k_scale_row_fn *)j->f)(y, 2, x, ROW_N); break;
        case ROPE: ((k_rope_row_fn *)j->f)(y, w, w, ROW_N / 2); break;
        }
}

static void call_convert(void *arg)
{
    const job *j = arg;
    for (int i = 0; i < ROWS; i++) ((k_convert_fn *)j->f)(j->r->y, j->r->x, ROW_N);
}

static void time_row(run *r, const char *name, void (*call)(void *), job *j, double bytes, const char *why)
{
    if (!j->f || !bench_is_asked(r->name, name) || !wanted_rows(r, 1)) return;
    bench_timed t = { .name = name, .why = why, .bytes = ROW_N * bytes,
                      .seconds = bench_scaled(bench_time(call, j, true), 1.0 / ROWS) };
    snprintf(t.shape, sizeof t.shape, "%d", ROW_N);
    report(r, t);
}

static void time_rows(run *r)
{
    for (size_t i = 0; i < N_ROWS(row_slots); i++) {
        job j = { .f = slot_of(r->table, row_slots[i].offset), .r = r, .kind = row_slots[i].kind };
        time_row(r, row_slots[i].name, call_row, &j, 2 * sizeof(float), "a row in the cache, read and written");
    }
    for (size_t i = 0; i < N_ROWS(convert_slots); i++) {
        job j = { .f = slot_of(r->table, convert_slots[i].offset), .r = r };
        time_row(r, convert_slots[i].name, call_convert, &j,
                 (double)(size_of(convert_slots[i].to) + size_of(convert_slots[i].from)),
                 "a row in the cache, read and written");
    }
}

static bool time_parts(run *r)
{
    bool attention = bench_is_asked(r->name, "attention"), experts = bench_is_asked(r->name, "experts");
    if ((!attention && !experts) || r->batch->set) return true;
    begin(r);
    if (bench_parts(r->table, r->limits, attention, experts, r->json)) return true;
    cli_fail("no memory for the keys or the experts to be timed on");
    return false;
}

/* ---- All of them ---- */

static bool open_memory(run *r)
{
    const int one = 1;
    if (!bench_limits_measure(r->limits, &one, 1)) return false;
    r->x = malloc(X_BYTES);
    r->packed = aligned_alloc(64, X_BYTES);
    r->y = malloc(Y_BYTES);
    if (!r->limits->mapping.data || !r->x || !r->packed || !r->y) {
        cli_fail("no memory for the arrays that kernels are timed on");
        return false;
    }
    memcpy(r->x, r->limits->mapping.data, X_BYTES);
    memcpy(r->y, r->limits->mapping.data, Y_BYTES);
    return true;
}

/* The name of some slot begins so. */
static bool known(const char *name)
{
    if (bench_is_asked(name, "attention") || bench_is_asked(name, "experts")) return true;
#define X(slot, type) if (bench_is_asked(name, #slot)) return true;
    TERN_KERNEL_SLOTS(X)
#undef X
    return false;
}

int bench_kernels(const cli_args *args)
{
    const char *isa = args->value[FLAG_ISA].text;
    bench_limits limits = { 0 };
    json_out json = { 0 };
    tern_cpu cpu;
    run r = { .name = args->value[FLAG_KERNELS].text, .batch = &args->value[FLAG_BENCH_BATCH], .limits = &limits,
              .json = args->value[FLAG_JSON].set ? &json : NULL };
    int status = EXIT_FAILED;
    if (!known(r.name))
        return cli_usage("--kernels \"%s\": no kernel's name begins so; \"all\" times every one", r.name);
    tern_cpu_probe(&cpu);
    if (!open_memory(&r)) goto done;
    for (const tern_kernels *const *p = tern_isa_list; *p; p++) {
        if (!(*p)->usable(&cpu) || (isa ? tern_isa_find(isa) != *p : !(*p)->rank)) continue;
        r.table = *p;
        time_products(&r, gemm_slots, N_ROWS(gemm_slots), gemm_bench_rows, N_ROWS(gemm_bench_rows), false);
        time_products(&r, gemm_nn_slots, N_ROWS(gemm_nn_slots), gemm_nn_bench_rows, N_ROWS(gemm_nn_bench_rows), true);
        time_rows(&r);
        if (!time_parts(&r)) goto done;
    }
    if (r.begun) status = EXIT_OK;
    else
        cli_fail("--kernels \"%s\": %s has none of them%s", r.name, isa ? isa : "this CPU",
                 r.batch->set ? " with so many rows as --batch says" : "");
done:
    while (json.depth) out_close(&json);
    bench_limits_free(&limits);
    free(r.x);
    free(r.packed);
    free(r.y);
    return status;
}
