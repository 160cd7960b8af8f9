/* A transformer layer split over 1, 2, 3 and 4 ranks gives what one rank gives: heads, columns and
 * rows are sliced here, and sums come from the communicator of ranks.h. A prompt and a step, so
 * that each rank's cache is of its own heads. */
#include "ops/rig.h"

#include <tern/layer.h>

#include "ranks.h"
#include "slices.h"

enum { E = 48, I = 60, PROMPT = 5, BATCH = 2, TOKENS = PROMPT + 1 };

typedef struct wiring_row {
    const char *why;
    int64_t heads, kv;
    bool post, parallel, one_norm, rms, gated, bloom, biases;
    int64_t rotary_dim;
} wiring_row;

static const wiring_row wirings[] = {
    { "pre-norm", 12, -1, false, false, false, false, false, false, true, 0 },
    { "pre-norm without biases", 12, -1, false, false, false, false, false, false, false, 0 },
    { "post-norm", 12, -1, true, false, false, false, false, false, true, 0 },
    { "parallel, two norms", 12, -1, false, true, false, false, false, false, true, 4 },
    { "parallel, one norm", 12, -1, false, true, true, false, false, false, true, 4 },
    { "RMS, gated, grouped heads", 24, 12, false, false, false, true, true, false, false, 2 },
    { "two KV heads, on up to four ranks", 24, 2, false, false, false, true, true, false, false, 2 },
    { "one KV head on every rank", 12, 1, false, false, false, false, false, false, true, 4 },
    { "BLOOM", 12, -1, false, false, false, false, false, true, true, 0 },
};

static tern_tensor small(int rank, const int64_t *shape, uint64_t seed)
{
    tern_tensor t = rig_random(TERN_F32, rank, shape, seed);
    for (int64_t i = 0; i < tern_tensor_count(&t); i++) rig_put(&t, i, 0.2 * rig_get(&t, i));
    return t;
}

static tern_layer_weights whole_weights(const wiring_row *w)
{
    int64_t kv = w->kv > 0 ? w->kv : w->heads, dim = E / w->heads, qkv = (w->heads + 2 * kv) * dim,
        wide = w->gated ? 2 * I : I;
    tern_layer_weights l = {
        .norm_w = small(RIG_SHAPE(E), 1), .attn_qkvw = small(RIG_SHAPE(E, qkv), 3),
        .attn_ow = small(RIG_SHAPE(E, E), 5), .inter_w = small(RIG_SHAPE(E, wide), 8),
        .output_w = small(RIG_SHAPE(I, E), 10) };
    if (!w->one_norm) l.attn_nw = small(RIG_SHAPE(E), 12);
    if (!w->rms) l.norm_b = small(RIG_SHAPE(E), 2);
    if (!w->rms && !w->one_norm) l.attn_nb = small(RIG_SHAPE(E), 13);
    if (!w->biases) return l;
    l.attn_qkvb = small(RIG_SHAPE(qkv), 4);
    l.attn_ob = small(RIG_SHAPE(E), 6);
    l.inter_b = small(RIG_SHAPE(wide), 9);
    l.output_b = small(RIG_SHAPE(E), 11);
    return l;
}

typedef struct job {
    const wiring_row *row;
    const tern_layer_weights *w;
    const tern_tensor *x;                    /* [2 calls]: the prompt and the step */
    tern_tensor out[RANKS_MOST][2];
    tern_status status[RANKS_MOST];
    char message[RANKS_MOST][200];
} job;

static tern_config config_of(const wiring_row *w, int size)
{
    tern_config c = rig_config(0);
    c.hidden_size = E;
    c.intermediate_size = I;
    c.heads = w->heads;
    c.num_kv = w->kv;
    c.mp_size = size;
    c.pre_layer_norm = !w->post;
    c.mlp_after_attn = !w->parallel;
    c.norm_type = w->rms ? TERN_NORM_RMS : TERN_NORM_LAYER;
    c.mlp_act_func_type = w->gated ? TERN_ACT_GATED_SILU : TERN_ACT_GELU;
    c.bigscience_bloom = w->bloom;
    c.rotary_dim = w->rotary_dim ? w->rotary_dim : -1;
    c.layer_norm_eps = 1e-5;
    return c;
}

static tern_tensor alibi_of(const wiring_row *w, int64_t keys)
{
    tern_tensor t = { 0 };
    if (!w->bloom) return t;
    t = rig_new(TERN_F32, RIG_SHAPE(BATCH * w->heads, 1, keys));
    for (int64_t r = 0; r < BATCH * w->heads; r++)
        for (int64_t j = 0; j < keys; j++) rig_put(&t, r * keys + j, (double)j / (double)(r % w->heads + 1));
    return t;
}

static void run_rank(tern_ctx *ctx, const tern_comm *comm, void *arg)
{
    job *j = arg;
    const wiring_row *w = j->row;
    int rank = comm->rank, size = comm->size;
    int64_t kv = w->kv > 0 ? w->kv : w->heads, dim = E / w->heads;
    tern_config config = config_of(w, size);
    tern_layer_weights l = *j->w;
    /* BLOOM's */
    tern_tensor own[6] = { w->bloom ? slice_columns(ctx, &l.attn_qkvw, 1, rank, size)
                                    : slice_heads(ctx, &l.attn_qkvw, w->heads, kv, dim, rank, size),
                           /* heads lie side by side, */
                           slice_rows(ctx, &l.attn_ow, rank, size),
                           slice_columns(ctx, &l.inter_w, w->gated ? 2 : 1, rank, size),
                           /* each with its q, k and v */
                           slice_rows(ctx, &l.output_w, rank, size) };
    if (w->biases) {
        own[4] = w->bloom ? slice_columns(ctx, &l.attn_qkvb, 1, rank, size)
                          : slice_heads(ctx, &l.attn_qkvb, w->heads, kv, dim, rank, size);
        own[5] = slice_columns(ctx, &l.inter_b, w->gated ? 2 : 1, rank, size);
    }
    l.attn_qkvw = own[0];
    l.attn_ow = own[1];
    l.inter_w = own[2];
    l.output_w = own[3];
    l.attn_qkvb = own[4];
    l.inter_b = own[5];

    tern_transformer_layer *layer = NULL;
    tern_workspace *ws = NULL;
    tern_status st = tern_transformer_layer_create(ctx, &config, &l, NULL, comm, &layer);
    if (!st) st = tern_workspace_create(ctx, &(tern_workspace_options){
        .n_layer = 1, .max_batch = BATCH, .n_kv_head = (int32_t)(kv > size ? kv / size : 1), .key_dim = (int32_t)dim,
        .max_tokens = TOKENS }, &ws);
    for (int call = 0; !st && call < 2; call++) {
        tern_tensor alibi = alibi_of(w, call ? TOKENS : PROMPT);
        st = tern_transformer_layer_run(layer, &(tern_transformer_layer_args){
            .input = j->x[call], .alibi = alibi, .workspace = ws, .output = j->out[rank][call] });
        free(alibi.data);
    }
    j->status[rank] = st;
    snprintf(j->message[rank], sizeof j->message[rank], "%s", tern_ctx_error(ctx));
    tern_transformer_layer_free(layer);
    tern_workspace_free(ws);
    for (int i = 0; i < 6; i++) free(own[i].data);
}

static void free_weights(tern_layer_weights *l)
{
    tern_tensor *const all[] = { &l->norm_w,  &l->norm_b,  &l->attn_qkvw, &l->attn_qkvb, &l->attn_ow,  &l->attn_ob,
                                 &l->attn_nw, &l->attn_nb, &l->inter_w,   &l->inter_b,   &l->output_w, &l->output_b };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]->data);
}

static void check_wiring(const wiring_row *w)
{
    tern_layer_weights weights = whole_weights(w);
    tern_tensor x[2] = { rig_random(TERN_F32, RIG_SHAPE(BATCH, PROMPT, E), 50),
                         rig_random(TERN_F32, RIG_SHAPE(BATCH, 1, E), 51) };
    double *want[2] = { calloc(BATCH * PROMPT * E, sizeof(double)), calloc(BATCH * E, sizeof(double)) };
    int64_t kv = w->kv > 0 ? w->kv : w->heads;
    for (int size = 1; size <= 4; size++) {
        if (kv % size && size % kv) continue;    /* three ranks cannot share two KV heads */
        job j = { .row = w, .w = &weights, .x = x };
        for (int r = 0; r < size; r++)
            for (int call = 0; call < 2; call++)
                j.out[r][call] = rig_new(TERN_F32, RIG_SHAPE(BATCH, call ? 1 : PROMPT, E));
        assert_true(ranks_run(size, run_rank, &j));
        for (int r = 0; r < size; r++) {
            if (j.status[r]) fail_msg("%s, %d ranks: %s", w->why, size, j.message[r]);
            for (int call = 0; call < 2; call++) {
                int64_t n = tern_tensor_count(&j.out[r][call]);
                for (int64_t i = 0; size == 1 && i < n; i++) want[call][i] = rig_get(&j.out[r][call], i);
                rig_close(w->why, &j.out[r][call], want[call], 2e-5, 2e-5);
                /* all ranks have the same bits */
                assert_memory_equal(j.out[r][call].data, j.out[0][call].data, (size_t)n * sizeof(float));
            }
        }
        for (int r = 0; r < size; r++) {
            free(j.out[r][0].data);
            free(j.out[r][1].data);
        }
    }
    free_weights(&weights);
    free(x[0].data);
    free(x[1].data);
    free(want[0]);
    free(want[1]);
}

static void test_ranks(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof wirings / sizeof *wirings; i++) check_wiring(&wirings[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_ranks) };
    return cmocka_run_group_tests(tests, rig_setup, rig_teardown);
}
