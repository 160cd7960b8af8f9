/* What a transformer layer asks of its weights, by their own names, and what BLOOM's wiring makes
 * of the config. Values: tests/golden/ops/layer. */
#include "ops/rig.h"

#include <tern/layer.h>

enum { E = 12, I = 10, HEADS = 3, TOKENS = 4 };

static tern_layer_weights make_weights(void)
{
    return (tern_layer_weights){
        .norm_w = rig_random(TERN_F32, RIG_SHAPE(E), 1),        .norm_b = rig_random(TERN_F32, RIG_SHAPE(E), 2),
        .attn_qkvw = rig_random(TERN_F32, RIG_SHAPE(E, 3 * E), 3), .attn_ow = rig_random(TERN_F32, RIG_SHAPE(E, E), 4),
        .attn_nw = rig_random(TERN_F32, RIG_SHAPE(E), 5),       .attn_nb = rig_random(TERN_F32, RIG_SHAPE(E), 6),
        .inter_w = rig_random(TERN_F32, RIG_SHAPE(E, I), 7),    .output_w = rig_random(TERN_F32, RIG_SHAPE(I, E), 8),
    };
}

static void free_weights(tern_layer_weights *w)
{
    tern_tensor *const all[] = { &w->norm_w, &w->norm_b, &w->attn_qkvw, &w->attn_ow, &w->attn_nw, &w->attn_nb,
                                 &w->inter_w, &w->output_w };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]->data);
}

static tern_config make_config(void)
{
    tern_config c = rig_config(0);
    c.hidden_size = E;
    c.intermediate_size = I;
    c.heads = HEADS;
    c.layer_norm_eps = 1e-5;
    return c;
}

static const struct {
    const char *name;
    size_t offset;
    bool post, parallel, needed;
    const char *why;
} weight_rows[] = {
#define WEIGHT(name) #name, offsetof(tern_layer_weights, name)
    { WEIGHT(norm_w), false, false, true, "every DeepSpeed wiring has a norm of its input or output" },
    { WEIGHT(norm_w), true, false, true, "a post-norm layer ends with it" },
    { WEIGHT(attn_qkvw), false, false, true, "the projection" },
    { WEIGHT(attn_ow), false, false, true, "attention's output" },
    { WEIGHT(inter_w), false, true, true, "the MLP, in the parallel wiring too" },
    { WEIGHT(output_w), false, false, true, "the MLP's second half" },
    { WEIGHT(attn_nw), false, false, true, "the norm between, in sequence" },
    { WEIGHT(attn_nw), true, false, true, "the norm between, post-norm" },
    { WEIGHT(attn_nw), false, true, false, "GPT-J's parallel layer has one norm" },
    { WEIGHT(norm_b), false, false, false, "a norm may have no bias" },
#undef WEIGHT
};

static void test_missing_weights_by_name(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof weight_rows / sizeof *weight_rows; i++) {
        tern_layer_weights w = make_weights(), given = w;
        tern_transformer_layer *layer = NULL;
        tern_config c = make_config();
        c.pre_layer_norm = !weight_rows[i].post;
        c.mlp_after_attn = !weight_rows[i].parallel;
        *(tern_tensor *)((char *)&given + weight_rows[i].offset) = (tern_tensor){ 0 };
        tern_status st = tern_transformer_layer_create(rig, &c, &given, NULL, NULL, &layer);
        if (st != (weight_rows[i].needed ? TERN_ERR_ARGUMENT : TERN_OK))
            fail_msg("%s: status %d", weight_rows[i].why, (int)st);
        if (st && !strstr(tern_ctx_error(rig), weight_rows[i].name))
            fail_msg("%s: \"%s\"", weight_rows[i].why, tern_ctx_error(rig));
        tern_transformer_layer_free(layer);
        free_weights(&w);
    }
}

/* The residual behind a norm needs that norm. Values: tests/golden/models/made-bloom-residual. */
static void test_residual_normed_needs_the_norm(void **state)
{
    (void)state;
    tern_layer_weights w = make_weights();
    tern_transformer_layer *layer = NULL;
    tern_config c = make_config();
    tern_status st = tern_transformer_layer_create(rig, &c, &w, &(tern_layer_extras){ .residual_normed =
        true, .no_input_norm = true }, NULL, &layer);
    assert_int_equal(st, TERN_ERR_UNSUPPORTED);
    assert_true(rig_has_parts(tern_ctx_error(rig), "residual_normed|no_input_norm"));
    free_weights(&w);
}

/* BloomSelfAttention always divides scores by sqrt(D): scale_attention is not read. Any other
 * attention reads it. Without alibi it is refused. */
static void test_bloom_scales_and_has_alibi(void **state)
{
    tern_layer_weights w = make_weights();
    tern_tensor x = rig_random(TERN_F32, RIG_SHAPE(1, TOKENS, E), 20),
        alibi = rig_random(TERN_F32, RIG_SHAPE(HEADS, 1, TOKENS), 21), y[2];
    (void)state;
    for (int bloom = 0; bloom < 2; bloom++) {
        for (int scaled = 0; scaled < 2; scaled++) {
            tern_config c = make_config();
            tern_transformer_layer *layer;
            tern_workspace *ws;
            c.bigscience_bloom = bloom;
            c.scale_attention = scaled;
            y[scaled] = rig_new(TERN_F32, RIG_SHAPE(1, TOKENS, E));
            RIG_OK(tern_workspace_create(rig, &(tern_workspace_options){
                .n_layer = 1, .max_batch = 1, .n_kv_head = HEADS, .key_dim = E / HEADS, .max_tokens = TOKENS }, &ws));
            RIG_OK(tern_transformer_layer_create(rig, &c, &w, NULL, NULL, &layer));
            if (bloom) {    /* and it has alibi: DeepSpeed's dereferences none */
                assert_int_equal(tern_transformer_layer_run(layer, &(tern_transformer_layer_args){ .input =
                    x, .workspace = ws, .output = y[scaled] }), TERN_ERR_ARGUMENT);
                assert_true(rig_has_parts(tern_ctx_error(rig), "bigscience_bloom|alibi"));
            }
            RIG_OK(tern_transformer_layer_run(layer, &(tern_transformer_layer_args){ .input = x, .alibi =
                alibi, .workspace = ws, .output = y[scaled] }));
            tern_transformer_layer_free(layer);
            tern_workspace_free(ws);
        }
        assert_int_equal(memcmp(y[0].data, y[1].data, TOKENS * E * sizeof(float)) == 0, bloom);
        free(y[0].data);
        free(y[1].data);
    }
    free_weights(&w);
    free(x.data);
    free(alibi.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_missing_weights_by_name),
                                        cmocka_unit_test(test_residual_normed_needs_the_norm),
                                        cmocka_unit_test(test_bloom_scales_and_has_alibi) };
    return cmocka_run_group_tests(tests, rig_setup, rig_teardown);
}
