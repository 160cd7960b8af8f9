/* softmax_context against attention written out in double: rotary, grouped heads, masks, alibi,
 * windows, prompts, chunks and steps; and the cache's limits, errors and memory. */
#include "rig.h"

typedef struct attention_case {
    int64_t heads, kv, dim, batch;
    int64_t chunk[6];             /* tokens of each call, 0 ends */
    int64_t rotary_dim;
    bool half, causal, mask, alibi;
    int64_t window;
    double norm_factor;
    const char *why;
} attention_case;

static const attention_case cases[] = {
    { 4, 4, 8, 1, { 1, 1, 1, 1 }, 0, false, true, false, false, 0, 0.6, "a prompt of one token, then three steps" },
    { 4, 4, 8, 1, { 5, 1, 1, 1 }, 8, true, true, false, false, 0, 0.6, "halves rotated" },
    { 8, 2, 8, 2, { 5, 1, 1, 1 }, 8, false, true, false, false, 0, 0.6, "grouped heads, neighbours rotated" },
    { 4, 1, 16, 2, { 5, 1, 1, 1 }, 8, true, true, false, false, 0, 0.5, "one KV head; half of the channels rotated" },
    { 2, 2, 64, 1, { 5, 1, 1 }, 32, true, true, false, false, 0, 0.35, "32 channels of 64 rotated" },
    { 2, 2, 8, 2, { 128, 1, 1, 1 }, 8, false, true, false, false, 0, 0.6, "a prompt of 128" },
    { 2, 1, 8, 1, { 3, 4, 1, 5, 1 }, 8, true, true, false, false, 0, 0.6, "continuation chunks see what came before" },
    { 2, 2, 8, 2, { 6, 1, 1 }, 0, false, false, true, false, 0, 0.6, "no causal limit, a mask" },
    { 4, 2, 8, 2, { 6, 2, 1 }, 0, false, true, true, true, 0, 0.6, "mask and alibi" },
    { 2, 2, 8, 1, { 6, 1, 1, 1 }, 0, false, true, false, false, 4, 0.6, "a window of 4" },
    { 2, 2, 8, 1, { 4, 1 }, 0, false, true, false, false, 4, 0.6, "as long as the window, and one more" },
    { 2, 2, 8, 1, { 5, 3 }, 0, false, true, false, false, 1, 0.6, "a window that is the token itself" },
    { 2, 2, 8, 1, { 300, 1, 7 }, 0, false, true, false, false, 0, 0.6, "across key blocks and pages" },
    { 3, 3, 5, 2, { 7, 2 }, 0, false, true, false, false, 0, 0.67, "odd sizes" },
};

/* Everything that was ever fed to one sequence, and the masks of the last call. */
typedef struct history {
    const attention_case *c;
    double *q, *k, *v;            /* [batch][total][heads or kv][dim], rotated */
    int64_t total;
} history;

static double *history_at(double *base, const history *h, int64_t heads, int64_t b, int64_t t, int64_t head)
{
    return base + ((b * h->total + t) * heads + head) * h->c->dim;
}

static void rotate(const attention_case *c, double *x, int64_t position)
{
    int64_t n = c->rotary_dim / 2;
    for (int64_t m = 0; m < n; m++) {
        double angle = (double)position * pow(10000, -2.0 * (double)m / (double)c->rotary_dim);
        double *a = c->half ? &x[m] : &x[2 * m], *b = c->half ? &x[m + n] : &x[2 * m + 1], x0 = *a, x1 = *b;
        *a = x0 * cos(angle) - x1 * sin(angle);
        *b = x1 * cos(angle) + x0 * sin(angle);
    }
}

static void remember(history *h, const tern_tensor *qkv, int64_t past)
{
    const attention_case *c = h->c;
    int64_t s = qkv->shape[1], width = qkv->shape[2];
    for (int64_t b = 0; b < c->batch; b++)
        for (int64_t i = 0; i < s; i++)
            for (int64_t x = 0; x < width; x++) {
                int64_t head = x / c->dim, d = x % c->dim;
                double v = rig_get(qkv, (b * s + i) * width + x);
                if (head < c->heads) history_at(h->q, h, c->heads, b, past + i, head)[d] = v;
                else if (head < c->heads + c->kv) history_at(h->k, h, c->kv, b, past + i, head - c->heads)[d] = v;
                else history_at(h->v, h, c->kv, b, past + i, head - c->heads - c->kv)[d] = v;
            }
    for (int64_t b = 0; b < c->batch; b++)
        for (int64_t i = 0; i < s; i++) {
            for (int64_t head = 0; head < c->heads; head++)
                rotate(c, history_at(h->q, h, c->heads, b, past + i, head), past + i);
            for (int64_t head = 0; head < c->kv; head++)
                rotate(c, history_at(h->k, h, c->kv, b, past + i, head), past + i);
        }
}

static bool sees(const attention_case *c, int64_t p, int64_t j)
{
    if ((c->causal || c->window) && j > p) return false;
    return !c->window || j > p - c->window;
}

/* One row of one head. mask [batch, keys], alibi [batch * heads, 1, keys]; data null: none. */
static void attend(const history *h, int64_t b, int64_t head, int64_t p, int64_t keys, const tern_tensor *mask,
                   const tern_tensor *alibi, double *out)
{
    const attention_case *c = h->c;
    double *z = calloc((size_t)keys, sizeof *z), max = -INFINITY, sum = 0;
    int64_t kv = head / (c->heads / c->kv);
    const double *q = history_at(h->q, h, c->heads, b, p, head);
    for (int64_t j = 0; j < keys; j++) {
        const double *k = history_at(h->k, h, c->kv, b, j, kv);
        for (int64_t d = 0; d < c->dim; d++) z[j] += q[d] * k[d];
        z[j] *= c->norm_factor * c->norm_factor;
        if (alibi->data) z[j] += rig_get(alibi, (b * c->heads + head) * keys + j);
        if (mask->data) z[j] += rig_get(mask, b * keys + j);
        if (!sees(c, p, j)) z[j] = -INFINITY;
        if (z[j] > max) max = z[j];
    }
    for (int64_t d = 0; d < c->dim; d++) out[d] = 0;
    for (int64_t j = 0; j < keys; j++) sum += z[j] = max > -INFINITY ? exp(z[j] - max) : 0;
    for (int64_t j = 0; j < keys && sum > 0; j++)
        for (int64_t d = 0; d < c->dim; d++) out[d] += z[j] / sum * history_at(h->v, h, c->kv, b, j, kv)[d];
    free(z);
}

static tern_config config_of(const attention_case *c, size_t type)
{
    tern_config k = rig_config(type);
    k.heads = c->heads;
    k.num_kv = c->kv;
    k.triangular_masking = c->causal;
    k.rotary_dim = c->rotary_dim ? c->rotary_dim : -1;
    k.rotate_half = c->half;
    k.rotate_every_two = !c->half;
    k.local_attention = c->window > 0;
    k.window_size = c->window ? c->window : 256;
    return k;
}

static tern_workspace *cache_for(const attention_case *c, int64_t tokens)
{
    tern_workspace *ws;
    RIG_OK(tern_workspace_create(rig, &(tern_workspace_options){
        .n_layer = 2, .max_batch = (int32_t)c->batch, .n_kv_head = (int32_t)c->kv, .key_dim = (int32_t)c->dim,
        .max_tokens = tokens }, &ws));
    return ws;
}

/* One call's masks: -10000 for the first key of the second sequence, alibi by head. */
static void make_masks(const attention_case *c, tern_dtype t, int64_t keys, tern_tensor *mask, tern_tensor *alibi)
{
    *mask = *alibi = (tern_tensor){ 0 };
    if (c->mask) *mask = rig_new(t, RIG_SHAPE(c->batch, keys));
    for (int64_t b = 1; c->mask && b < c->batch; b++) rig_put(mask, b * keys, -10000);
    if (c->alibi) *alibi = rig_new(t, RIG_SHAPE(c->batch * c->heads, 1, keys));
    for (int64_t r = 0; c->alibi && r < c->batch * c->heads; r++)
        for (int64_t j = 0; j < keys; j++)
            rig_put(alibi, r * keys + j, (double)j * -0.125 * (double)(r % c->heads + 1));
}

static void check_case(const attention_case *c, size_t type)
{
    tern_dtype t = rig_types[type].t;
    tern_config config = config_of(c, type);
    tern_op *op;
    history h = { .c = c };
    int64_t past = 0, width = (c->heads + 2 * c->kv) * c->dim;
    for (int i = 0; i < 6; i++) h.total += c->chunk[i];
    h.q = calloc((size_t)(c->batch * h.total * c->heads * c->dim), sizeof *h.q);
    h.k = calloc((size_t)(c->batch * h.total * c->kv * c->dim), sizeof *h.k);
    h.v = calloc((size_t)(c->batch * h.total * c->kv * c->dim), sizeof *h.v);
    tern_workspace *ws = cache_for(c, h.total);
    RIG_OK(tern_op_create(rig, "softmax_context", &config, &op));
    for (int i = 0; i < 6 && c->chunk[i]; i++) {
        int64_t s = c->chunk[i], keys = past + s;
        tern_tensor qkv = rig_random(t, RIG_SHAPE(c->batch, s, width), 10 + (uint64_t)i),
                    context = rig_new(t, RIG_SHAPE(c->batch, s, c->heads * c->dim)), mask, alibi;
        double *want = calloc((size_t)tern_tensor_count(&context) + 1, sizeof *want);
        make_masks(c, t, keys, &mask, &alibi);
        remember(&h, &qkv, past);
        for (int64_t b = 0; b < c->batch; b++)
            for (int64_t r = 0; r < s; r++)
                for (int64_t head = 0; head < c->heads; head++)
                    attend(&h, b, head, past + r, keys, &mask, &alibi, want + ((b * s + r) * c->heads + head) * c->dim);
        RIG_OK(tern_softmax_context_run(op, &(tern_softmax_context_args){
            .query_key_value = qkv, .attn_mask = mask, .alibi = alibi, .workspace = ws, .layer = 1,
            .norm_factor = c->norm_factor, .context = context }));
        rig_close(c->why, &context, want, rig_types[type].rtol, rig_types[type].atol);
        past += s;
        assert_int_equal(tern_workspace_tokens(ws, 1, 0), past);
        assert_int_equal(tern_workspace_tokens(ws, 0, 0), 0);
        free(want);
        free(qkv.data);
        free(context.data);
        free(mask.data);
        free(alibi.data);
    }
    tern_op_free(op);
    tern_workspace_free(ws);
    free(h.q);
    free(h.k);
    free(h.v);
}

static void test_against_the_formula(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t type = 0; type < 3; type++) check_case(&cases[i], type);
}

/* Every kind of head, rotation and mask, with a prompt of one token, a few and many, and three
 * steps: 144 cases. */
static void test_every_combination(void **state)
{
    static const int64_t kv[] = { 8, 2, 1 }, prompts[] = { 1, 5, 128 };
    static const struct { int64_t dim, rotary_dim; bool half; const char *why; } rotations[] = {
        { 16, 0, false, "no rotation" }, { 16, 16, true, "halves" }, { 16, 16, false, "neighbours" },
        { 64, 32, true, "32 channels of 64" },
    };
    static const struct { bool causal, mask, alibi; int64_t window; const char *why; } masks[] = {
        { true, false, false, 0, "causal" }, { false, true, false, 0, "a mask" }, { true, false, true, 0, "alibi" },
        { true, false, false, 4, "a window of 4" },
    };
    (void)state;
    for (size_t i = 0; i < 3 * 4 * 4 * 3; i++) {
        size_t t = i / 3 % 4, m = i / 12 % 4;
        char why[100];
        attention_case c = { 8, kv[i % 3], rotations[t].dim, m == 1 ? 2 : 1, { prompts[i / 48], 1, 1, 1 },
                             rotations[t].rotary_dim, rotations[t].half, masks[m].causal, masks[m].mask, masks[m].alibi,
                             masks[m].window, 1 / sqrt(sqrt((double)rotations[t].dim)), why };
        snprintf(why, sizeof why, "%d KV heads, %s, %s, a prompt of %d", (int)c.kv, rotations[t].why, masks[m].why,
                 (int)c.chunk[0]);
        check_case(&c, 0);
    }
}

/* ---- Chunks, steps and a whole prompt ---- */

/* The context of all tokens, fed in chunks of n. */
static tern_tensor in_chunks(const attention_case *c, const tern_tensor *all, int64_t n)
{
    tern_config config = config_of(c, 0);
    tern_op *op;
    int64_t total = all->shape[1], width = all->shape[2], out_width = c->heads * c->dim;
    tern_tensor context = rig_new(TERN_F32, RIG_SHAPE(1, total, out_width));
    tern_workspace *ws = cache_for(c, total);
    RIG_OK(tern_op_create(rig, "softmax_context", &config, &op));
    for (int64_t at = 0; at < total; at += n) {
        int64_t s = total - at < n ? total - at : n;
        tern_tensor x = tern_tensor_of((float *)all->data + at * width, TERN_F32, RIG_SHAPE(1, s, width));
        tern_tensor y = tern_tensor_of((float *)context.data + at * out_width, TERN_F32, RIG_SHAPE(1, s, out_width));
        RIG_OK(tern_softmax_context_run(op, &(tern_softmax_context_args){
            .query_key_value = x, .workspace = ws, .norm_factor = c->norm_factor, .context = y }));
    }
    tern_op_free(op);
    tern_workspace_free(ws);
    return context;
}

static void test_chunks_give_the_same_bits(void **state)
{
    static const attention_case rows[] = {
        { 4, 2, 16, 1, { 0 }, 16, true, true, false, false, 0, 0.5, "grouped heads, halves rotated" },
        { 4, 4, 16, 1, { 0 }, 16, false, true, false, false, 0, 0.5, "neighbours rotated" },
        { 4, 1, 64, 1, { 0 }, 32, true, true, false, false, 4, 0.35, "one KV head, 32 channels of 64, a window" },
        { 4, 4, 16, 1, { 0 }, 0, false, true, false, false, 0, 0.5, "no rotation" },
    };
    static const int64_t sizes[] = { 1, 7, 64 };
    (void)state;
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        tern_tensor all = rig_random(TERN_F32, RIG_SHAPE(1, 300, (rows[r].heads + 2 * rows[r].kv) * rows[r].dim), 3),
            whole = in_chunks(&rows[r], &all, 300);
        for (size_t i = 0; i < 3; i++) {
            tern_tensor part = in_chunks(&rows[r], &all, sizes[i]);
            if (memcmp(part.data, whole.data, (size_t)tern_tensor_count(&whole) * sizeof(float)))
                fail_msg("%s: other bits in chunks of %d", rows[r].why, (int)sizes[i]);
            free(part.data);
        }
        free(all.data);
        free(whole.data);
    }
}

/* Left padding: positions that start at the first real token, and a mask over the padding, give
 * what the unpadded prompt gives. */
static void test_position_ids_with_left_padding(void **state)
{
    static const attention_case c = { 2, 2, 8, 1, { 0 }, 8, true, true, false, false, 0, 0.6, "" };
    tern_config config = config_of(&c, 0);
    enum { PAD = 3, S = 5, W = 6 * 8, OUT = 2 * 8 };
    tern_tensor plain = rig_random(TERN_F32, RIG_SHAPE(1, S, W), 5),
        padded = rig_new(TERN_F32, RIG_SHAPE(1, PAD + S, W));
    tern_tensor y = rig_new(TERN_F32, RIG_SHAPE(1, S, OUT)), y2 = rig_new(TERN_F32, RIG_SHAPE(1, PAD + S, OUT));
    tern_tensor ids = rig_new(TERN_I64, RIG_SHAPE(1, PAD + S)), mask = rig_new(TERN_F32, RIG_SHAPE(1, PAD + S));
    tern_op *op;
    (void)state;
    memcpy((float *)padded.data + PAD * W, plain.data, S * W * sizeof(float));
    for (int i = 0; i < PAD; i++) rig_put(&mask, i, -INFINITY);
    for (int i = PAD; i < PAD + S; i++) rig_put(&ids, i, i - PAD);
    RIG_OK(tern_op_create(rig, "softmax_context", &config, &op));
    tern_workspace *a = cache_for(&c, S), *b = cache_for(&c, PAD + S);
    RIG_OK(tern_softmax_context_run(op, &(tern_softmax_context_args){ .query_key_value = plain, .workspace = a,
                                                                      .norm_factor = 0.6, .context = y }));
    RIG_OK(tern_softmax_context_run(op, &(tern_softmax_context_args){
        .query_key_value = padded, .attn_mask = mask, .position_ids = ids, .workspace = b, .norm_factor = 0.6,
        .context = y2 }));
    for (int i = 0; i < PAD * OUT; i++) assert_true(rig_get(&y2, i) == 0);    /* a row that sees no key */
    double want[S * OUT];
    for (int i = 0; i < S * OUT; i++) want[i] = rig_get(&y, i);
    tern_tensor real = tern_tensor_of((float *)y2.data + PAD * OUT, TERN_F32, RIG_SHAPE(1, S, OUT));
    rig_close("padded", &real, want, 1e-5, 1e-6);
    tern_op_free(op);
    tern_workspace_free(a);
    tern_workspace_free(b);
    free(plain.data);
    free(padded.data);
    free(y.data);
    free(y2.data);
    free(ids.data);
    free(mask.data);
}

/* Two ranks of two heads see their own rows of alibi, in both sequences of the batch: together they
 * are one rank of four. */
static void test_alibi_of_two_ranks(void **state)
{
    static const attention_case whole = { 4, 4, 8, 2, { 0 }, 0, false, true, false, true, 0, 0.6, "" };
    enum { S = 5, D = 8 };
    tern_tensor qkv = rig_random(TERN_F32, RIG_SHAPE(2, S, 3 * 4 * D), 9),
        y = rig_new(TERN_F32, RIG_SHAPE(2, S, 4 * D)), alibi, mask;
    tern_config config = config_of(&whole, 0);
    tern_op *op;
    (void)state;
    make_masks(&whole, TERN_F32, S, &mask, &alibi);
    tern_workspace *ws = cache_for(&whole, S);
    RIG_OK(tern_op_create(rig, "softmax_context", &config, &op));
    RIG_OK(tern_softmax_context_run(op, &(tern_softmax_context_args){
        .query_key_value = qkv, .alibi = alibi, .workspace = ws, .norm_factor = 0.6, .context = y }));
    tern_op_free(op);
    tern_workspace_free(ws);
    for (int rank = 0; rank < 2; rank++) {
        attention_case half = whole;
        half.heads = half.kv = 2;
        config = config_of(&half, 0);
        config.mp_size = 2;
        tern_tensor part = rig_new(TERN_F32, RIG_SHAPE(2, S, 3 * 2 * D)),
            out = rig_new(TERN_F32, RIG_SHAPE(2, S, 2 * D));
        for (int r = 0; r < 2 * S; r++)
            for (int x = 0; x < 6 * D; x++)
                rig_put(&part, r * 6 * D + x,
                        rig_get(&qkv, r * 12 * D + x / (2 * D) * 4 * D + rank * 2 * D + x % (2 * D)));
        ws = cache_for(&half, S);
        RIG_OK(tern_op_create(rig, "softmax_context", &config, &op));
        RIG_OK(tern_softmax_context_run(op, &(tern_softmax_context_args){
            .query_key_value = part, .alibi = alibi, .head_offset = 2 * rank, .workspace = ws, .norm_factor = 0.6,
            .context = out }));
        for (int r = 0; r < 2 * S; r++)
            assert_memory_equal((float *)out.data + r * 2 * D, (float *)y.data + r * 4 * D + rank * 2 * D,
                                2 * D * sizeof(float));
        tern_op_free(op);
        tern_workspace_free(ws);
        free(part.data);
        free(out.data);
    }
    free(qkv.data);
    free(y.data);
    free(alibi.data);
    free(mask.data);
}

/* ---- What is refused ---- */

static void expect(tern_op *op, tern_softmax_context_args a, tern_status status, const char *message)
{
    tern_status st = tern_softmax_context_run(op, &a);
    if (st != status || !rig_has_parts(tern_ctx_error(rig), message))
        fail_msg("%s \"%s\", not %s with \"%s\"", tern_status_name(st), tern_ctx_error(rig), tern_status_name(status),
                 message);
}

static void test_refusals(void **state)
{
    static const attention_case c = { 2, 1, 8, 2, { 0 }, 0, false, true, false, false, 0, 0.6, "" };
    tern_config config = config_of(&c, 0);
    tern_workspace *ws = cache_for(&c, 4), *other;
    tern_op *op;
    tern_tensor x = rig_random(TERN_F32, RIG_SHAPE(2, 3, 32), 1), x3 = rig_random(TERN_F32, RIG_SHAPE(3, 1, 32), 1),
                odd = rig_random(TERN_F32, RIG_SHAPE(2, 3, 33), 1);
    tern_tensor y = rig_new(TERN_F32, RIG_SHAPE(2, 3, 16)), y3 = rig_new(TERN_F32, RIG_SHAPE(3, 1, 16)),
        mask = rig_new(TERN_F32, RIG_SHAPE(2, 4)), ids = rig_new(TERN_I64, RIG_SHAPE(2));
    tern_tensor far = rig_new(TERN_I64, RIG_SHAPE(2, 3));
    (void)state;
    RIG_OK(tern_op_create(rig, "softmax_context", &config, &op));
    tern_softmax_context_args a = { .query_key_value = x, .workspace = ws, .norm_factor = 0.6, .context = y };
    expect(op, (tern_softmax_context_args){ .workspace = ws, .norm_factor = 1, .context = y }, TERN_ERR_ARGUMENT,
           "query_key_value|missing");
    expect(op, (tern_softmax_context_args){ .query_key_value = x, .norm_factor = 1, .context = y }, TERN_ERR_ARGUMENT,
           "workspace|missing");
    expect(op, (tern_softmax_context_args){ .query_key_value = x, .workspace = ws, .context = y }, TERN_ERR_ARGUMENT,
           "norm_factor|0");
    expect(op, (tern_softmax_context_args){
        .query_key_value = odd, .workspace = ws, .norm_factor = 1, .context = y }, TERN_ERR_SHAPE,
        "query_key_value|33|2|1");
    expect(op, (tern_softmax_context_args){
        .query_key_value = x3, .workspace = ws, .norm_factor = 1, .context = y3 }, TERN_ERR_LIMIT,
        "query_key_value|3 sequences|2");
    a.layer = 2;
    expect(op, a, TERN_ERR_ARGUMENT, "layer|2|2");
    a.layer = 0;
    a.attn_mask = mask;
    expect(op, a, TERN_ERR_SHAPE, "attn_mask|4|3");
    a.attn_mask = (tern_tensor){ 0 };
    rig_put(&ids, 1, 2);
    a.batch_ids = ids;
    expect(op, a, TERN_ERR_ARGUMENT, "batch_ids|2|2 sequences");
    rig_put(&ids, 1, 0);
    expect(op, a, TERN_ERR_ARGUMENT, "batch_ids|0|twice");
    a.batch_ids = (tern_tensor){ 0 };
    RIG_OK(tern_softmax_context_run(op, &a));
    expect(op, a, TERN_ERR_LIMIT, "sequence 0|3 tokens|3 more|4");
    assert_int_equal(tern_workspace_tokens(ws, 0, 0), 3);
    tern_workspace_release(ws);
    expect(op, a, TERN_ERR_STATE, "workspace|released");
    RIG_OK(tern_workspace_retake(ws));
    RIG_OK(tern_softmax_context_run(op, &a));
    RIG_OK(tern_workspace_create(rig, &(tern_workspace_options){
        .n_layer = 1, .max_batch = 2, .n_kv_head = 2, .key_dim = 8, .max_tokens = 4 }, &other));
    a.workspace = other;
    expect(op, a, TERN_ERR_SHAPE, "workspace|2 KV heads|1");
    tern_workspace_free(other);
    tern_op_free(op);

    config.rotary_dim = 8;
    RIG_OK(tern_op_create(rig, "softmax_context", &config, &op));
    rig_put(&far, 0, 5e9);
    a.workspace = ws;
    a.position_ids = far;
    tern_workspace_reset(ws);
    expect(op, a, TERN_ERR_ARGUMENT, "position_ids|5000000000");
    tern_op_free(op);

    static const struct { const char *options, *message; tern_status status; } configs[] = {
        { "{\"heads\": 0}", "heads|0|1", TERN_ERR_ARGUMENT },
        { "{\"heads\": 4, \"num_kv\": 3}", "num_kv|3|heads 4", TERN_ERR_ARGUMENT },
        { "{\"heads\": 4, \"local_attention\": true, \"window_size\": 0}", "window_size|0|1", TERN_ERR_ARGUMENT },
        { "{\"heads\": 4, \"rotary_dim\": 3}", "rotary_dim|3", TERN_ERR_ARGUMENT },
        { "{\"heads\": 4, \"rotary_dim\": 4, \"rotate_every_two\": false}", "rotate_half|rotate_every_two",
          TERN_ERR_ARGUMENT },
        { "{\"heads\": 4, \"mp_size\": 0}", "mp_size|0|1", TERN_ERR_ARGUMENT },
        { "{\"heads\": 4, \"steps\": 2}", "steps", TERN_ERR_ARGUMENT },
    };
    for (size_t i = 0; i < sizeof configs / sizeof *configs; i++) {
        assert_int_equal(tern_op_create_json(rig, "softmax_context", NULL, configs[i].options, &op), configs[i].status);
        if (!rig_has_parts(tern_ctx_error(rig), configs[i].message))
            fail_msg("\"%s\" has not all of \"%s\"", tern_ctx_error(rig), configs[i].message);
    }
    tern_workspace_free(ws);
    free(x.data);
    free(x3.data);
    free(odd.data);
    free(y.data);
    free(y3.data);
    free(mask.data);
    free(ids.data);
    free(far.data);
}

/* ---- The workspace alone ---- */

static void test_workspace_bill_and_limits(void **state)
{
    tern_workspace_options o = { .n_layer = 2, .max_batch = 3, .n_kv_head = 2, .key_dim = 8, .value_dim = 4,
                                 .max_tokens = 100, .min_tokens = 10 };
    tern_workspace *ws;
    (void)state;
    RIG_OK(tern_workspace_create(rig, &o, &ws));
    size_t page = 64 * 2 * 2 * (8 + 4) * sizeof(float);    /* tokens, layers, heads, channels */
    assert_int_equal(tern_workspace_bytes(ws), 2 * 3 * page);
    assert_int_equal(tern_workspace_max_tokens(ws), 100);
    tern_workspace_release(ws);
    assert_int_equal(tern_workspace_bytes(ws), 2 * 3 * page);
    RIG_OK(tern_workspace_retake(ws));
    RIG_OK(tern_workspace_retake(ws));
    tern_workspace_free(ws);

    o.limit_bytes = 3 * page + page / 2;
    RIG_OK(tern_workspace_create(rig, &o, &ws));
    assert_int_equal(tern_workspace_max_tokens(ws), 64);    /* one page each is what fits */
    assert_true(tern_workspace_bytes(ws) <= o.limit_bytes);
    tern_workspace_free(ws);

    o.limit_bytes = 3 * page - 1;
    assert_int_equal(tern_workspace_create(rig, &o, &ws), TERN_ERR_MEMORY);
    assert_true(rig_has_parts(tern_ctx_error(rig), "workspace|min_tokens is 10"));
    o.limit_bytes = 0;

    static const struct { size_t offset; int64_t value; const char *message; } bad[] = {
        { offsetof(tern_workspace_options, n_layer), 0, "n_layer|0" },
        { offsetof(tern_workspace_options, max_batch), -1, "max_batch|-1" },
        { offsetof(tern_workspace_options, n_kv_head), 0, "n_kv_head|0" },
        { offsetof(tern_workspace_options, key_dim), 0, "key_dim|0" },
        { offsetof(tern_workspace_options, value_dim), -3, "value_dim|-3" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        tern_workspace_options b = o;
        *(int32_t *)((char *)&b + bad[i].offset) = (int32_t)bad[i].value;
        assert_int_equal(tern_workspace_create(rig, &b, &ws), TERN_ERR_ARGUMENT);
        assert_true(rig_has_parts(tern_ctx_error(rig), bad[i].message));
    }
    o.min_tokens = 101;
    assert_int_equal(tern_workspace_create(rig, &o, &ws), TERN_ERR_ARGUMENT);
    assert_true(rig_has_parts(tern_ctx_error(rig), "min_tokens|101|100"));
    o.min_tokens = 1;
    o.dtype = TERN_I8;
    assert_int_equal(tern_workspace_create(rig, &o, &ws), TERN_ERR_DTYPE);
    o.dtype = TERN_F32;
    o.max_tokens = INT64_MAX / 4;
    assert_true(tern_workspace_create(rig, &o, &ws) != TERN_OK);
}

/* Sequences by number: the second continues while the first waits. */
static void test_batch_ids(void **state)
{
    static const attention_case c = { 2, 2, 8, 3, { 0 }, 0, false, true, false, false, 0, 0.6, "" };
    tern_config config = config_of(&c, 0);
    tern_workspace *ws = cache_for(&c, 8);
    tern_op *op;
    tern_tensor x = rig_random(TERN_F32, RIG_SHAPE(2, 3, 48), 1), y = rig_new(TERN_F32, RIG_SHAPE(2, 3, 16)),
        ids = rig_new(TERN_I32, RIG_SHAPE(2));
    float keys[2 * 3 * 8];
    (void)state;
    RIG_OK(tern_op_create(rig, "softmax_context", &config, &op));
    rig_put(&ids, 0, 2);
    rig_put(&ids, 1, 0);
    RIG_OK(tern_softmax_context_run(op, &(tern_softmax_context_args){
        .query_key_value = x, .batch_ids = ids, .workspace = ws, .norm_factor = 0.6, .context = y }));
    assert_int_equal(tern_workspace_tokens(ws, 0, 0), 3);
    assert_int_equal(tern_workspace_tokens(ws, 0, 1), 0);
    assert_int_equal(tern_workspace_tokens(ws, 0, 2), 3);
    RIG_OK(tern_workspace_read(ws, 0, 1, keys, NULL));
    for (int head = 0; head < 2; head++)
        for (int t = 0; t < 3; t++)
            assert_memory_equal(keys + (head * 3 + t) * 8, (float *)x.data + (3 + t) * 48 + 16 + head * 8,
                                8 * sizeof(float));
    assert_int_equal(tern_workspace_read(ws, 0, 2, keys, NULL), TERN_ERR_SHAPE);
    assert_int_equal(tern_workspace_read(ws, 7, 1, keys, NULL), TERN_ERR_ARGUMENT);
    tern_op_free(op);
    tern_workspace_free(ws);
    free(x.data);
    free(y.data);
    free(ids.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_the_formula),
        cmocka_unit_test(test_every_combination),
        cmocka_unit_test(test_chunks_give_the_same_bits),
        cmocka_unit_test(test_position_ids_with_left_padding),
        cmocka_unit_test(test_alibi_of_two_ranks),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_workspace_bill_and_limits),
        cmocka_unit_test(test_batch_ids),
    };
    RIG_ON_EVERY_ISA(tests);
}
