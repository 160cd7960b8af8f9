/* Matrix products with their epilogues: q, k and v, or gate and up, in one pass over x. Ops call it
 * through the backend's table.
 *
 * A tile is a panel of one part's outputs (for a gated product: of both parts') times a block of
 * rows. Tiles of few rows are long runs of weight rows, read once as a stream. Of many rows, a
 * block passes by all panels before the next one starts, so that it stays in a core's second-level
 * cache and the weights stream. A kernel that multiplies faster than memory gives weights says how
 * many rows it wants, and then all blocks pass by a panel before the next one starts. The epilogue
 * runs on each tile while it is in cache. No sum is split, so that tile sizes and threads change no
 * bit. */
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

#include "backend/cpu/cpu.h"
#include "backend/cpu/panel.h"

enum {
    FEW_ROWS = 16,             /* up to here a product is bound by reading weights      */
    LEAST_PANEL = 16, MOST_PANEL = 256,
    /* of a panel for one row of x: what a thread waits for another at the end is a part of the time
     * of one */
    ONE_ROW_BYTES = 256 << 10,
    /* of a panel that is made in scratch: it should stay in the second-level cache */
    MADE_BYTES = 768 << 10,
    /* what the wide kernels take at a time, and a multiple of their tiles' heights */
    MOST_ROWS = 96, ROW_STEP = 48,
    OWN_STEP = 32,                     /* the latter where a kernel says how many rows it wants */
    TILES_A_THREAD = 8
};

typedef struct job {
    const tern_kernels *k;
    const tern_matmul *m;
    cpu_panel panel[3];
    unsigned char *x;              /* packed, one piece per row block */
    size_t x_bytes;                /* of a piece */
    bool through_tile;             /* outputs are made in scratch, because y still holds what the epilogue needs */
    int64_t n_out, n_block, rows;  /* outputs of a panel, row blocks a panel is split into, rows of a block */
    bool by_panel;                 /* all row blocks of a panel come before the next one */
    int64_t first[4], n_panel;     /* the first panel of each part; panels of all */
    unsigned char *scratch;        /* one piece per worker: [panel 0][panel 1][tile 0][tile 1] */
    size_t scratch_bytes, panel_bytes[2], tile_bytes;
    atomic_bool *lost;             /* a weight is beyond f16 */
} job;

static int64_t divide_up(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

static int64_t clamp(int64_t v, int64_t least, int64_t most)
{
    if (v < least) return least;
    if (v > most) return most;
    return v;
}

/* round, + bias, round: what precedes the activation. */
static void finish_sum(const job *j, const tern_matmul_part *p, float *t, int64_t first, int64_t n)
{
    cpu_round_row(j->k, j->m->round, t, n);
    if (!p->bias) return;
    cpu_add_row(j->k, t, t, p->bias + first, n);
    cpu_round_row(j->k, j->m->round, t, n);
}

/* The epilogue of one row of a tile: t is its sums of part p, value those of part 1 where the
 * product is gated. */
static void finish_row(const job *j, int part, float *t, float *value, int64_t row, int64_t first, int64_t n)
{
    const tern_matmul *m = j->m;
    const tern_matmul_part *p = &m->part[part];
    float *y = p->y + row * p->ldy + first;
    finish_sum(j, p, t, first, n);
    if (m->act != ACT_NONE) {
        cpu_act_row(j->k, m->act, t, t, n);
        cpu_round_row(j->k, m->round, t, n);
    }
    if (value) {
        finish_sum(j, &m->part[1], value, first, n);
        j->k->mul_row(t, t, value, (size_t)n);
        cpu_round_row(j->k, m->round, t, n);
        if (m->part[1].y) memcpy(m->part[1].y + row * m->part[1].ldy + first, value, (size_t)n * sizeof *value);
    }
    if (m->residual && part == 0) {
        cpu_add_row(j->k, y, t, m->residual + row * m->ld_residual + first, n);
        cpu_round_row(j->k, m->round, y, n);
    } else if (y != t) {
        memcpy(y, t, (size_t)n * sizeof *t);
    }
}

/* The row block [r, r + n_row) times outputs [first, first + n) of a part: from the panel w to
 * t. */
static void multiply(const job *j, int part, const void *w, size_t ldw, float *t, size_t ldt, int64_t r, int64_t n_row,
                     int64_t n)
{
    const void *x = j->x + (size_t)(r / j->rows) * j->x_bytes;
    j->panel[part].gemm(t, ldt, x, w, ldw, (size_t)n_row, (size_t)n, (size_t)j->panel[part].w->in);
}

static void run_block(const job *j, int part, const void *const w[2], const size_t ldw[2], float *const tile[2],
                      int64_t r, int64_t n_row, int64_t first, int64_t n)
{
    const tern_matmul_part *p = &j->m->part[part];
    float *t = j->through_tile ? tile[0] : p->y + r * p->ldy + first;
    size_t ldt = j->through_tile ? (size_t)n : (size_t)p->ldy;
    multiply(j, part, w[0], ldw[0], t, ldt, r, n_row, n);
    if (j->m->gated) multiply(j, 1, w[1], ldw[1], tile[1], (size_t)n, r, n_row, n);
    for (int64_t i = 0; i < n_row; i++)
        finish_row(j, part, t + (size_t)i * ldt, j->m->gated ? tile[1] + i * n : NULL, r + i, first, n);
}

static void run_tile(const job *j, int64_t item, unsigned char *scratch)
{
    const tern_matmul *m = j->m;
    int64_t block = j->by_panel ? item % j->n_block : item / j->n_panel,
        panel = j->by_panel ? item / j->n_block : item % j->n_panel;
    int part = 0;
    while (panel >= j->first[part + 1]) part++;
    int64_t first = (panel - j->first[part]) * j->n_out, out = m->part[part].w.out;
    int64_t n = out - first < j->n_out ? out - first : j->n_out;
    int64_t row = block * j->rows, end = j->n_block == 1 || row + j->rows > m->n_row ? m->n_row : row + j->rows;

    float *tile0 = (float *)(void *)(scratch + j->panel_bytes[0] + j->panel_bytes[1]);
    float *const tile[2] = { tile0, tile0 + j->tile_bytes / sizeof *tile0 };
    const void *w[2] = { NULL, NULL };
    size_t ldw[2] = { 0, 0 };
    bool lost = false;
    w[0] = cpu_panel_get(&j->panel[part], j->k, first, n, scratch, &ldw[0], &lost);
    if (m->gated) w[1] = cpu_panel_get(&j->panel[1], j->k, first, n, scratch + j->panel_bytes[0], &ldw[1], &lost);
    if (lost) *j->lost = true;
    for (; row < end; row += j->rows)
        run_block(j, part, w, ldw, tile, row, end - row < j->rows ? end - row : j->rows, first, n);
}

static void run_tiles(void *arg, int64_t lo, int64_t hi, int worker)
{
    const job *j = arg;
    for (int64_t i = lo; i < hi; i++) run_tile(j, i, j->scratch + (size_t)worker * j->scratch_bytes);
}

/* ---- the plan -------------------------------------------------------------------------------- */

static int64_t total_outputs(const tern_matmul *m)
{
    int64_t n = 0;
    for (int p = 0; p < (m->gated ? 1 : m->n_part); p++) n += m->part[p].w.out;
    return n;
}

static bool all_direct(const job *j)
{
    bool direct = true;
    for (int p = 0; p < j->m->n_part; p++) direct = direct && j->panel[p].direct;
    return direct;
}

/* Outputs of a panel and rows of a block: blocks of about the same height, panels enough for all
 * threads. */
static void choose_sizes(job *j, int threads)
{
    const tern_matmul *m = j->m;
    int64_t own = m->compute == TERN_BF16 ? (int64_t)j->k->bf16_rows : 0, step = own ? OWN_STEP : ROW_STEP;
    int64_t blocks;
    if (m->n_row <= FEW_ROWS) blocks = 1;
    else blocks = divide_up(m->n_row, own ? own : MOST_ROWS);
    int64_t in = m->part[0].w.in > 0 ? m->part[0].w.in : 1;
    int64_t share = divide_up(total_outputs(m) * blocks, (int64_t)threads * TILES_A_THREAD);
    int64_t most = m->n_row <= FEW_ROWS || m->compute != TERN_F32 ? MOST_PANEL : MOST_PANEL / 2;
    if (m->n_row == 1)
        most = clamp(ONE_ROW_BYTES / (in * (int64_t)tern_dtype_bytes(j->panel[0].dtype)), LEAST_PANEL, MOST_PANEL);
    if (!all_direct(j)) most = clamp(MADE_BYTES / (in * (int64_t)sizeof(float)), LEAST_PANEL, most);
    j->rows = blocks == 1 ? m->n_row : divide_up(divide_up(m->n_row, blocks), step) * step;
    j->by_panel = own > 0;
    j->n_out = divide_up(clamp(share, LEAST_PANEL, most), LEAST_PANEL) * LEAST_PANEL;
}

/* Each row block of a panel is a tile where the weights are used in place; else one tile takes all,
 * so that the panel is made once. */
static void choose_tiles(job *j)
{
    const tern_matmul *m = j->m;
    for (int p = 0; p < m->n_part; p++)
        j->first[p + 1] = j->first[p] + (m->gated && p ? 0 : divide_up(m->part[p].w.out, j->n_out));
    for (int p = m->n_part; p < 3; p++) j->first[p + 1] = INT64_MAX;
    j->n_panel = j->first[m->gated ? 1 : m->n_part];
    j->n_block = all_direct(j) ? divide_up(m->n_row, j->rows) : 1;
}

static size_t most_scratch(const job *j)
{
    size_t most = 0;
    for (int p = 0; p < j->m->n_part; p++) {
        size_t bytes = cpu_panel_bytes(&j->panel[p], j->n_out);
        if (bytes > most) most = bytes;
    }
    return most;
}

static tern_status get_scratch(tern_ctx *ctx, job *j)
{
    int threads = tern_pool_threads(ctx->pool);
    j->through_tile = j->m->gated || j->m->residual;
    j->panel_bytes[0] = most_scratch(j);
    j->panel_bytes[1] = j->m->gated ? j->panel_bytes[0] : 0;
    j->tile_bytes = j->through_tile ? cpu_line_bytes((size_t)(j->rows * j->n_out) * sizeof(float)) : 0;
    j->scratch_bytes = j->panel_bytes[0] + j->panel_bytes[1] + 2 * j->tile_bytes;
    j->scratch = tern_arena_get(ctx, &ctx->step, (size_t)threads, j->scratch_bytes);
    return j->scratch ? TERN_OK : TERN_ERR_MEMORY;
}

/* ---- x, packed ------------------------------------------------------------------------------- */

static void pack_blocks(void *arg, int64_t lo, int64_t hi, int worker)
{
    const job *j = arg;
    const tern_matmul *m = j->m;
    (void)worker;
    for (int64_t b = lo; b < hi; b++) {
        int64_t row = b * j->rows, n = m->n_row - row < j->rows ? m->n_row - row : j->rows;
        j->panel[0].pack(j->x + (size_t)b * j->x_bytes, m->x + row * m->ldx, (size_t)m->ldx, (size_t)n,
                         (size_t)m->part[0].w.in);
    }
}

static tern_status pack_x(tern_ctx *ctx, job *j)
{
    int64_t blocks = divide_up(j->m->n_row, j->rows);
    j->x_bytes = cpu_line_bytes(k_packed_bytes((size_t)j->rows, (size_t)j->m->part[0].w.in));
    j->x = tern_arena_get(ctx, &ctx->step, (size_t)blocks, j->x_bytes);
    if (!j->x) return TERN_ERR_MEMORY;
    tern_parallel_for(ctx, blocks, 1, pack_blocks, j);
    return TERN_OK;
}

tern_status cpu_matmul(tern_ctx *ctx, const tern_matmul *m)
{
    tern_status st = TERN_OK;
    tern_mark mark = tern_arena_mark(&ctx->step);
    atomic_bool lost = false;
    job j = { .k = ctx->kernels, .m = m, .lost = &lost };
    if (m->n_row <= 0) return TERN_OK;
    for (int p = 0; p < m->n_part; p++) cpu_panel_plan(&j.panel[p], ctx->kernels, &m->part[p].w, m->compute);
    choose_sizes(&j, tern_pool_threads(ctx->pool));
    choose_tiles(&j);
    TERN_TRY(get_scratch(ctx, &j));
    TERN_TRY(pack_x(ctx, &j));
    tern_parallel_for(ctx, j.n_panel * j.n_block, 1, run_tiles, &j);
    if (lost)
        st = tern_fail(ctx, TERN_ERR_NUMERIC,
                       "a weight is beyond 65504, the largest number of f16; compute in f32 or bf16");
done:
    tern_arena_reset(&ctx->step, mark);
    return st;
}
