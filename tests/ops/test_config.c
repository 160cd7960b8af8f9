/* Configs from JSON and back: a layer's, a mixture's, init_inference's.
 * tests/unit/inference/test_inference_config.py rebuilt, and what it leaves out. */
#include "rig.h"

#include <tern/engine_config.h>
#include <unistd.h>

static tern_status read_layer(const char *json, tern_config_mode mode, tern_config *c)
{
    return tern_config_from_json(rig, json, strlen(json), mode, c);
}

static void test_defaults_are_deepspeeds(void **state)
{
    tern_config c = tern_config_default();
    (void)state;
    assert_int_equal(c.hidden_size, -1);
    assert_int_equal(c.intermediate_size, -1);
    assert_int_equal(c.heads, -1);
    assert_true(c.layer_norm_eps == 1e-12);
    assert_int_equal(c.mp_size, 1);
    assert_int_equal(c.dtype, TERN_DTYPE_FP16);
    assert_true(c.pre_layer_norm && c.scale_attention && c.triangular_masking && c.rotate_every_two && c.return_tuple &&
                c.mlp_after_attn && c.invert_mask);
    assert_false(c.stochastic_mode || c.local_attention || c.rotate_half || c.bigscience_bloom || c.use_mup ||
                 c.transposed_mode || c.set_empty_params || c.use_triton);
    assert_int_equal(c.norm_type, TERN_NORM_LAYER);
    assert_int_equal(c.window_size, 256);
    assert_int_equal(c.rotary_dim, -1);
    assert_int_equal(c.mlp_act_func_type, TERN_ACT_GELU);
    assert_int_equal(c.max_out_tokens, 1024);
    assert_int_equal(c.min_out_tokens, 1);
    assert_int_equal(c.num_kv, -1);
    assert_true(c.rope_theta == 10000);
    static const struct { int value, want; } numbers[] = {    /* the integers that DeepSpeed's kernels cast to */
        { TERN_ACT_UNKNOWN, 0 }, { TERN_ACT_GELU, 1 }, { TERN_ACT_RELU, 2 }, { TERN_ACT_GATED_GELU, 3 },
        { TERN_ACT_GATED_SILU, 4 }, { TERN_ACT_GELU_ERF, 5 }, { TERN_NORM_UNKNOWN, 0 }, { TERN_NORM_LAYER, 1 },
        { TERN_NORM_GROUP, 2 }, { TERN_NORM_RMS, 3 },
    };
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) assert_int_equal(numbers[i].value, numbers[i].want);
}

typedef struct reading {
    const char *json;
    size_t offset;
    char kind;            /* i int64, e enumeration, b bool, d double */
    double want;
    const char *why;
} reading;

#define AT(name) offsetof(tern_config, name)

static const reading readings[] = {
    { "{\"hidden_size\": 64}", AT(intermediate_size), 'i', 256, "the derived size follows hidden_size" },
    { "{\"hidden_size\": 64, \"intermediate_size\": 100}", AT(intermediate_size), 'i', 100, "a size of its own stays" },
    { "{\"hidden_size\": 64, \"intermediate_size\": -4}", AT(intermediate_size), 'i', 256,
      "DeepSpeed's own default value is derived again" },
    { "{\"layer_norm_eps\": 1e-5}", AT(layer_norm_eps), 'd', 1e-5, "one spelling" },
    { "{\"epsilon\": 1e-6}", AT(layer_norm_eps), 'd', 1e-6, "the other spelling" },
    { "{\"layer_norm_eps\": 0}", AT(layer_norm_eps), 'd', 0, "an integer is a number" },
    { "{\"dtype\": \"fp16\"}", AT(dtype), 'e', TERN_DTYPE_FP16, "" },
    { "{\"dtype\": \"half\"}", AT(dtype), 'e', TERN_DTYPE_FP16, "" },
    { "{\"dtype\": \"torch.float16\"}", AT(dtype), 'e', TERN_DTYPE_FP16, "" },
    { "{\"dtype\": \"float16\"}", AT(dtype), 'e', TERN_DTYPE_FP16, "" },
    { "{\"dtype\": \"fp32\"}", AT(dtype), 'e', TERN_DTYPE_FP32, "" },
    { "{\"dtype\": \"float\"}", AT(dtype), 'e', TERN_DTYPE_FP32, "" },
    { "{\"dtype\": \"float32\"}", AT(dtype), 'e', TERN_DTYPE_FP32, "" },
    { "{\"dtype\": \"torch.float32\"}", AT(dtype), 'e', TERN_DTYPE_FP32, "" },
    { "{\"dtype\": \"bf16\"}", AT(dtype), 'e', TERN_DTYPE_BF16, "" },
    { "{\"dtype\": \"bfloat16\"}", AT(dtype), 'e', TERN_DTYPE_BF16, "" },
    { "{\"dtype\": \"bfloat\"}", AT(dtype), 'e', TERN_DTYPE_BF16, "" },
    { "{\"dtype\": \"torch.bfloat16\"}", AT(dtype), 'e', TERN_DTYPE_BF16, "" },
    { "{\"dtype\": \"int8\"}", AT(dtype), 'e', TERN_DTYPE_INT8, "" },
    { "{\"dtype\": \"torch.int8\"}", AT(dtype), 'e', TERN_DTYPE_INT8, "" },
    { "{\"norm_type\": \"RMSNorm\"}", AT(norm_type), 'e', TERN_NORM_RMS, "by name" },
    { "{\"norm_type\": 3}", AT(norm_type), 'e', TERN_NORM_RMS, "by number" },
    { "{\"mlp_act_func_type\": \"GATED_SILU\"}", AT(mlp_act_func_type), 'e', TERN_ACT_GATED_SILU, "by name" },
    { "{\"mlp_act_func_type\": 2}", AT(mlp_act_func_type), 'e', TERN_ACT_RELU, "by number" },
    { "{\"transposed_mode\": true}", AT(transposed_mode), 'b', 1, "" },
    { "{\"rope_theta\": 500000}", AT(rope_theta), 'd', 500000, "" },
    { "{\"compute\": \"bf16\"}", AT(compute), 'e', TERN_BF16, "tern's own" },
    { "{\"kv_dtype\": \"f16\"}", AT(kv_dtype), 'e', TERN_F16, "tern's own" },
};

static void test_readings(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof readings / sizeof *readings; i++) {
        const reading *r = &readings[i];
        tern_config c = tern_config_default();
        tern_status st = read_layer(r->json, TERN_CONFIG_STRICT, &c);
        if (st) fail_msg("%s (%s): %s", r->json, r->why, tern_ctx_error(rig));
        const void *p = (const char *)&c + r->offset;
        double got;
        if (r->kind == 'i') got = (double)*(const int64_t *)p;
        else if (r->kind == 'e') got = *(const int *)p;
        else if (r->kind == 'b') got = *(const bool *)p;
        else got = *(const double *)p;
        if (got != r->want) fail_msg("%s (%s): %g, not %g", r->json, r->why, got, r->want);
    }
}

typedef struct bad_json {
    const char *json;
    tern_status status;
    const char *message, *why;
} bad_json;

static const bad_json bad_layers[] = {
    { "{\"hiden_size\": 4}", TERN_ERR_ARGUMENT, "hiden_size|hidden_size", "an unknown key names the nearest" },
    { "{\"zzzzzz\": 4}", TERN_ERR_ARGUMENT, "zzzzzz", "an unknown key that is near nothing" },
    { "{\"hidden_size\": \"4\"}", TERN_ERR_FORMAT, "hidden_size|string|integer", "a string is no number" },
    { "{\"hidden_size\": 4.5}", TERN_ERR_FORMAT, "hidden_size|4.5|integer", "a fraction is no size" },
    { "{\"hidden_size\": null}", TERN_ERR_FORMAT, "hidden_size|null|integer", "null is no size" },
    { "{\"pre_layer_norm\": 1}", TERN_ERR_FORMAT, "pre_layer_norm|true or false", "a number is no truth" },
    { "{\"layer_norm_eps\": \"small\"}", TERN_ERR_FORMAT, "layer_norm_eps|small|number", "a word is no number" },
    { "{\"norm_type\": \"BatchNorm\"}", TERN_ERR_ARGUMENT, "norm_type|BatchNorm|LayerNorm",
      "an unknown name lists the known" },
    { "{\"norm_type\": 9}", TERN_ERR_ARGUMENT, "norm_type|9", "an unknown number" },
    { "{\"norm_type\": true}", TERN_ERR_FORMAT, "norm_type|true|name", "neither name nor number" },
    { "{\"dtype\": \"fp64\"}", TERN_ERR_ARGUMENT, "dtype|fp64|fp32", "an unknown dtype" },
    { "{\"dtype\": \"fp8\"}", TERN_ERR_ARGUMENT, "dtype|fp8|fp32|fp16|bf16|int8", "DeepSpeed's fp_quantizer has it" },
    { "{\"dtype\": \"wf6af16\"}", TERN_ERR_ARGUMENT, "dtype|wf6af16|fp32|fp16|bf16|int8",
      "FastGen's weights of 6 bits" },
    { "{\"mp_size\": 0}", TERN_ERR_ARGUMENT, "mp_size|0|1", "below its least" },
    { "{\"layer_norm_eps\": 1e-5, \"epsilon\": 1e-6}", TERN_ERR_ARGUMENT, "layer_norm_eps|epsilon|differ",
      "two spellings, two values" },
    { "[1]", TERN_ERR_FORMAT, "a list|object", "no object" },
    { "{\"heads\": 4", TERN_ERR_FORMAT, "config|line 1", "half a text" },
    { "{\"heads\": 4, \"heads\": 5}", TERN_ERR_FORMAT, "config|heads", "a key twice" },
    { "", TERN_ERR_FORMAT, "config|line", "no text at all" },
};

static void test_bad_json_changes_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad_layers / sizeof *bad_layers; i++) {
        const bad_json *b = &bad_layers[i];
        tern_config c = tern_config_default(), before = c;
        c.heads = before.heads = 77;
        tern_status st = read_layer(b->json, TERN_CONFIG_STRICT, &c);
        if (st != b->status || !rig_has_parts(tern_ctx_error(rig), b->message))
            fail_msg("%s (%s): %s \"%s\"", b->json, b->why, tern_status_name(st), tern_ctx_error(rig));
        assert_true(c.heads == 77 && c.hidden_size == -1 && c.dtype == before.dtype &&
                    c.norm_type == before.norm_type && c.layer_norm_eps == before.layer_norm_eps && c.mp_size == 1);
    }
}

static void count_lines(void *user, tern_log_level level, const char *line)
{
    assert_int_equal(level, TERN_LOG_WARNING);
    assert_non_null(strstr(line, "colour"));
    ++*(int *)user;
}

static void test_compatible_mode_logs_unknown_keys(void **state)
{
    int lines = 0;
    tern_ctx *ctx;
    tern_config c = tern_config_default();
    static const char json[] = "{\"colour\": \"red\", \"heads\": 4}";
    (void)state;
    assert_int_equal(tern_ctx_create(&(tern_ctx_options){ .threads = 1, .log = count_lines, .log_user = &lines }, &ctx),
                     TERN_OK);
    assert_int_equal(tern_config_from_json(ctx, json, sizeof json - 1, TERN_CONFIG_COMPATIBLE, &c), TERN_OK);
    assert_int_equal(lines, 1);
    assert_int_equal(c.heads, 4);
    tern_ctx_free(ctx);
}

/* Every field away from its default, to text and back. */
static void test_round_trip(void **state)
{
    tern_config c = tern_config_default(), d = c;
    char *text, *again;
    (void)state;
    c = (tern_config){ .layer_id = 3, .hidden_size = 96, .intermediate_size = 200, .heads = 6, .num_hidden_layers = 4,
                       .layer_norm_eps = 1.1e-7, .local_rank = 2, .mp_size = 3,
                       .dtype = TERN_DTYPE_INT8, .norm_type = TERN_NORM_RMS, .stochastic_mode = true,
                       .local_attention = true, .window_size = 31, .rotary_dim = 8, .rotate_half = true,
                       .mlp_act_func_type = TERN_ACT_GATED_GELU_TANH, .training_mp_size = 5, .bigscience_bloom = true,
                       .max_out_tokens = 99, .min_out_tokens = 7,
                       .enable_qkv_quantization = true, .use_mup = true, .scale_attn_by_inverse_layer_idx = true,
                       .return_single_tuple = true, .set_empty_params = true,
                       .transposed_mode = true, .use_triton = true, .triton_autotune = true, .num_kv = 3,
                       .rope_theta = 12345.678901234567, .compute = TERN_BF16, .kv_dtype = TERN_F16,
                       .head_dim = 24, .value_dim = 12, .attn_scale = 0.1, .attn_softcap = 30 };
    RIG_OK(tern_config_to_json(rig, &c, &text));
    RIG_OK(read_layer(text, TERN_CONFIG_STRICT, &d));
    RIG_OK(tern_config_to_json(rig, &d, &again));
    assert_string_equal(text, again);
    assert_true(d.rope_theta == c.rope_theta && d.layer_norm_eps == c.layer_norm_eps && d.rotate_half &&
                !d.rotate_every_two && !d.invert_mask && d.value_dim == 12);
    tern_text_free(text);
    tern_text_free(again);
    tern_text_free(NULL);
}

static void test_files(void **state)
{
    char path[] = "/tmp/tern-config-XXXXXX";
    static const char json[] = "{\"hidden_size\": 32, \"heads\": 4}";
    tern_config c = tern_config_default();
    int fd = mkstemp(path);
    (void)state;
    assert_int_equal(write(fd, json, sizeof json - 1), sizeof json - 1);
    close(fd);
    RIG_OK(tern_config_from_file(rig, path, TERN_CONFIG_STRICT, &c));
    assert_int_equal(c.intermediate_size, 128);
    unlink(path);
    assert_int_equal(tern_config_from_file(rig, path, TERN_CONFIG_STRICT, &c), TERN_ERR_IO);
    assert_non_null(strstr(tern_ctx_error(rig), path));
    assert_int_equal(tern_config_from_file(rig, "/tmp", TERN_CONFIG_STRICT, &c), TERN_ERR_FORMAT);
}

/* ---- tern_config_check ---- */

typedef struct rule {
    const char *json;
    tern_status status;
    const char *message;
} rule;

static const rule rules[] = {
    { "{}", TERN_OK, "" },
    { "{\"hidden_size\": 0}", TERN_ERR_ARGUMENT, "hidden_size|0" },
    { "{\"heads\": 0}", TERN_ERR_ARGUMENT, "heads|0" },
    { "{\"heads\": 5}", TERN_ERR_ARGUMENT, "heads 5|hidden_size 64" },
    { "{\"heads\": 5, \"head_dim\": 16}", TERN_OK, "" },
    { "{\"mp_size\": 3}", TERN_ERR_ARGUMENT, "mp_size 3|heads 8" },
    { "{\"num_kv\": 3}", TERN_ERR_ARGUMENT, "num_kv 3|heads 8" },
    { "{\"heads\": 12, \"hidden_size\": 96, \"intermediate_size\": 96, \"num_kv\": 4, \"mp_size\": 6}",
      TERN_ERR_ARGUMENT, "mp_size 6|num_kv 4" },
    { "{\"num_kv\": 4, \"mp_size\": 4}", TERN_OK, "" },
    { "{\"intermediate_size\": 51, \"mp_size\": 2}", TERN_ERR_ARGUMENT, "mp_size 2|intermediate_size 51" },
    { "{\"rotary_dim\": 4}", TERN_OK, "" },
    { "{\"rotary_dim\": 5}", TERN_ERR_ARGUMENT, "rotary_dim 5" },
    { "{\"rotary_dim\": 10}", TERN_ERR_ARGUMENT, "rotary_dim 10|8" },
    { "{\"rotary_dim\": 4, \"rotate_half\": true}", TERN_ERR_ARGUMENT, "rotate_half|rotate_every_two|true" },
    { "{\"rotary_dim\": 4, \"rotate_every_two\": false}", TERN_ERR_ARGUMENT, "rotate_half|rotate_every_two|false" },
    { "{\"rotary_dim\": 4, \"rope_theta\": 0}", TERN_ERR_ARGUMENT, "rope_theta|0" },
    { "{\"layer_norm_eps\": -1}", TERN_ERR_ARGUMENT, "layer_norm_eps|-1" },
    { "{\"min_out_tokens\": 0}", TERN_ERR_ARGUMENT, "min_out_tokens|0" },
    { "{\"max_out_tokens\": 5, \"min_out_tokens\": 6}", TERN_ERR_ARGUMENT, "max_out_tokens 5|min_out_tokens 6" },
    { "{\"window_size\": 0}", TERN_OK, "" },
    { "{\"window_size\": 0, \"local_attention\": true}", TERN_ERR_ARGUMENT, "window_size|0" },
    { "{\"norm_type\": \"GroupNorm\"}", TERN_ERR_UNSUPPORTED, "norm_type|GroupNorm" },
    { "{\"norm_type\": \"UNKNOWN\"}", TERN_ERR_UNSUPPORTED, "norm_type|UNKNOWN" },
    { "{\"mlp_act_func_type\": \"UNKNOWN\"}", TERN_ERR_UNSUPPORTED, "mlp_act_func_type|UNKNOWN" },
    { "{\"use_triton\": true}", TERN_ERR_UNSUPPORTED, "use_triton" },
    { "{\"scale_attn_by_inverse_layer_idx\": true}", TERN_ERR_ARGUMENT, "scale_attn_by_inverse_layer_idx|layer_id|-1" },
    { "{\"scale_attn_by_inverse_layer_idx\": true, \"layer_id\": 0}", TERN_OK, "" },
};

static void test_check(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        tern_config c = tern_config_default();
        RIG_OK(read_layer("{\"hidden_size\": 64, \"heads\": 8}", TERN_CONFIG_STRICT, &c));
        RIG_OK(read_layer(rules[i].json, TERN_CONFIG_STRICT, &c));
        tern_status st = tern_config_check(rig, &c);
        if (st != rules[i].status || (st && !rig_has_parts(tern_ctx_error(rig), rules[i].message)))
            fail_msg("%s: %s \"%s\"", rules[i].json, tern_status_name(st), tern_ctx_error(rig));
    }
    tern_config c = tern_config_default();
    c.hidden_size = 64;
    c.heads = 8;
    c.layer_norm_eps = NAN;
    assert_int_equal(tern_config_check(rig, &c), TERN_ERR_ARGUMENT);
}

/* ---- The mixture's config ---- */

static tern_status read_moe(const char *json, tern_moe_config *c)
{
    *c = tern_moe_config_default();
    return tern_moe_config_from_json(rig, json, strlen(json), TERN_CONFIG_STRICT, c);
}

static void test_moe_config(void **state)
{
    tern_moe_config c, d;
    char *text, *again;
    (void)state;
    RIG_OK(read_moe("{}", &c));
    assert_int_equal(c.layer.dtype, TERN_DTYPE_FP32);
    assert_true(c.layer.pre_layer_norm && c.layer.scale_attention && c.drop_tokens);
    /* by position, DeepSpeed makes it the flag local_attention's neighbour's value */
    assert_int_equal(c.layer.window_size, 256);
    assert_int_equal(c.layer.rotary_dim, -1);
    assert_false(c.layer.local_attention || c.layer.stochastic_mode || c.layer.rotate_half || c.use_rts);
    assert_int_equal(c.min_capacity, 1);
    static const struct { const char *json; tern_config_dtype want; } dtypes[] = {
        { "{\"fp16\": true}", TERN_DTYPE_FP16 }, { "{\"bf16\": true, \"fp16\": true}", TERN_DTYPE_BF16 },
        { "{\"q_int8\": true, \"bf16\": true}", TERN_DTYPE_INT8 },
        { "{\"dtype\": \"bf16\"}", TERN_DTYPE_BF16 }, { "{\"dtype\": \"fp16\", \"fp16\": true}", TERN_DTYPE_FP16 },
    };
    for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++) {
        RIG_OK(read_moe(dtypes[i].json, &c));
        assert_int_equal(c.layer.dtype, dtypes[i].want);
    }
    RIG_OK(read_moe("{\"hidden_size\": 32, \"global_experts\": 8, \"moe_experts\": 2, \"k\": 3, \"capacity_factor\": "
                    "1.25, \"eval_capacity_factor\": 2, \"min_capacity\": 4,\"noisy_gate_policy\": \"RSample\", "
                    "\"drop_tokens\": false, \"use_rts\": true, \"mlp_type\": \"residual\", "
                    "\"enable_expert_tensor_parallelism\": true}", &c));
    assert_int_equal(c.layer.intermediate_size, 128);
    assert_int_equal(c.noisy_gate_policy, TERN_NOISE_RSAMPLE);
    RIG_OK(tern_moe_config_check(rig, &c));
    RIG_OK(tern_moe_config_to_json(rig, &c, &text));
    RIG_OK(read_moe(text, &d));
    RIG_OK(tern_moe_config_to_json(rig, &d, &again));
    assert_string_equal(text, again);
    tern_text_free(text);
    tern_text_free(again);
    RIG_OK(read_moe("{\"noisy_gate_policy\": null}", &c));
    RIG_OK(read_moe("{\"noisy_gate_policy\": \"None\"}", &c));

    static const rule bad[] = {
        { "{\"global_experts\": 6, \"moe_experts\": 4}", TERN_ERR_ARGUMENT, "moe_experts 4|global_experts 6" },
        { "{\"k\": 2}", TERN_ERR_ARGUMENT, "k is 2|global_experts 1" },
        { "{\"capacity_factor\": 0}", TERN_ERR_ARGUMENT, "capacity_factor|0" },
        { "{\"eval_capacity_factor\": -1}", TERN_ERR_ARGUMENT, "eval_capacity_factor|-1" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        RIG_OK(read_moe(bad[i].json, &c));
        assert_int_equal(tern_moe_config_check(rig, &c), bad[i].status);
        if (!rig_has_parts(tern_ctx_error(rig), bad[i].message))
            fail_msg("%s: \"%s\"", bad[i].json, tern_ctx_error(rig));
    }
    static const rule unreadable[] = {
        { "{\"min_capacity\": -1}", TERN_ERR_ARGUMENT, "min_capacity|-1" },
        { "{\"noisy_gate_policy\": \"Noise\"}", TERN_ERR_ARGUMENT, "noisy_gate_policy|Noise|Jitter" },
        { "{\"mlp_type\": \"dense\"}", TERN_ERR_ARGUMENT, "mlp_type|dense|residual" },
        { "{\"dtype\": \"fp32\", \"fp16\": true}", TERN_ERR_ARGUMENT, "dtype|fp32|fp16" },
        { "{\"moe_expert\": 2}", TERN_ERR_ARGUMENT, "moe_expert|moe_experts" },
    };
    for (size_t i = 0; i < sizeof unreadable / sizeof *unreadable; i++) {
        assert_int_equal(read_moe(unreadable[i].json, &c), unreadable[i].status);
        if (!rig_has_parts(tern_ctx_error(rig), unreadable[i].message))
            fail_msg("%s: \"%s\"", unreadable[i].json, tern_ctx_error(rig));
    }
}

/* ---- init_inference's config ---- */

typedef struct init_row {
    const char *config, *kwargs;
    tern_status status;
    const char *message;    /* of the error, or of the config's text afterwards */
} init_row;

static const init_row inits[] = {
    { NULL, NULL, TERN_OK, "\"tp_size\": 1|\"dtype\": \"fp16\"|\"max_out_tokens\": 1024|\"replace_method\": "
      "\"auto\"|\"zero\": {}|\"checkpoint\": null" },
    { "{\"replace_with_kernel_inject\": true}", NULL, TERN_OK, "\"replace_with_kernel_inject\": true" },
    { "{\"kernel_inject\": true}", "{\"dtype\": \"bf16\"}", TERN_OK,
      "\"replace_with_kernel_inject\": true|\"dtype\": \"bf16\"" },
    { "{\"dtype\": \"fp32\"}", "{\"dtype\": \"fp32\"}", TERN_OK, "\"dtype\": \"fp32\"" },
    { "{\"dtype\": \"fp32\"}", "{\"dtype\": \"fp16\"}", TERN_ERR_ARGUMENT, "dtype|fp32|fp16" },
    { NULL, "{\"tp\": {\"tp_size\": 4}}", TERN_OK, "\"tp_size\": 4" },
    { NULL, "{\"mp_size\": 2}", TERN_OK, "\"tp_size\": 2" },
    { NULL, "{\"mp_size\": 2, \"tp\": {\"tp_grain_size\": 1}}", TERN_OK, "\"tp_size\": 2|\"tp_grain_size\": 1" },
    { NULL, "{\"mp_size\": 2, \"tensor_parallel\": {\"tp_size\": 2}}", TERN_ERR_ARGUMENT,
      "mp_size|tensor_parallel.tp_size|deprecated" },
    { NULL, "{\"moe\": true}", TERN_OK, "\"moe\": {|\"enabled\": true" },
    { NULL, "{\"moe\": {\"ep_size\": 2, \"num_experts\": [4, 8]}}", TERN_OK, "\"ep_size\": 2|4,|8" },
    { NULL, "{\"ep_size\": 2, \"moe_experts\": [4], \"moe_type\": \"residual\"}", TERN_OK,
      "\"ep_size\": 2|\"type\": \"residual\"" },
    { NULL, "{\"moe_experts\": [4], \"moe\": {\"num_experts\": [4]}}", TERN_ERR_ARGUMENT, "moe_experts|deprecated" },
    { NULL, "{\"max_tokens\": 99, \"min_tokens\": 9}", TERN_OK, "\"max_out_tokens\": 99|\"min_out_tokens\": 9" },
    { NULL, "{\"max_out_tokens\": 5, \"min_out_tokens\": 6}", TERN_ERR_ARGUMENT,
      "max_out_tokens is 5|min_out_tokens 6" },
    { NULL, "{\"dtype\": \"auto\", \"tp\": {\"tp_size\": \"auto\"}}", TERN_OK, "\"dtype\": \"fp16\"|\"tp_size\": 1" },
    { NULL, "{\"replace_method\": \"auto\"}", TERN_OK, "\"replace_method\": \"auto\"" },
    { NULL, "{\"checkpoint\": \"ckpt.json\"}", TERN_OK, "\"checkpoint\": \"ckpt.json\"" },
    { NULL, "{\"checkpoint\": {\"type\": \"BLOOM\"}}", TERN_OK, "\"type\": \"BLOOM\"" },
    { NULL, "{\"ckpt_config\": {\"base_dir\": \"x\"}}", TERN_OK, "\"base_dir\": \"x\"" },
    { NULL, "{\"quant\": {\"weight\": {\"num_bits\": 4, \"q_type\": \"asymmetric\"}, \"qkv\": {\"enabled\": false}}}",
      TERN_OK, "\"num_bits\": 4|asymmetric|\"enabled\": false" },
    { NULL, "{\"injection_dict\": {\"Layer\": [\"o_proj\"]}}", TERN_OK, "o_proj" },
    { NULL, "{\"injection_policy\": {\"Layer\": [\"o_proj\"]}, \"kernel_inject\": true}", TERN_ERR_ARGUMENT,
      "replace_with_kernel_inject|injection_policy" },
    { NULL, "{\"enable_cuda_graph\": true}", TERN_OK, "\"enable_cuda_graph\": true" },
    { NULL, "{\"enable_cuda_graph\": true, \"mp_size\": 2}", TERN_ERR_ARGUMENT, "enable_cuda_graph|tp_size 2" },
    { NULL, "{\"use_triton\": true}", TERN_ERR_UNSUPPORTED, "use_triton" },
    { NULL, "{\"mpu\": null}", TERN_OK, "\"mpu\": null" },
    { NULL, "{\"mpu\": 3}", TERN_ERR_UNSUPPORTED, "mpu|integer|null" },
    { NULL, "{\"tp_sise\": 2}", TERN_ERR_ARGUMENT, "tp_sise" },
    { NULL, "{\"transposed_mod\": true}", TERN_ERR_ARGUMENT, "transposed_mod|transposed_mode" },
    { NULL, "{\"tp\": {\"tpsize\": 2}}", TERN_ERR_ARGUMENT, "tensor_parallel|tpsize|tp_size" },
    { NULL, "{\"tp\": {\"tp_size\": 0}}", TERN_ERR_ARGUMENT, "tp_size|0|1" },
    { NULL, "{\"tp\": 2}", TERN_ERR_FORMAT, "tensor_parallel|integer|object" },
    { NULL, "{\"moe\": {\"moe_experts\": 4}}", TERN_ERR_FORMAT, "moe_experts|integer|list" },
    { NULL, "[]", TERN_ERR_FORMAT, "objects" },
    { "/tmp/there/is/no/such/file.json", NULL, TERN_ERR_IO, "/tmp/there/is/no/such/file.json" },
};

static void test_init_inference(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof inits / sizeof *inits; i++) {
        const init_row *r = &inits[i];
        tern_engine_config c = tern_engine_config_default(), again;
        char *text, *second;
        tern_status st = tern_engine_config_init(rig, r->config, r->kwargs, &c);
        if (st != r->status)
            fail_msg("row %zu, %s: %s \"%s\"", i, r->kwargs ? r->kwargs : r->config, tern_status_name(st),
                     tern_ctx_error(rig));
        if (st) {
            if (!rig_has_parts(tern_ctx_error(rig), r->message))
                fail_msg("row %zu: \"%s\" has not all of \"%s\"", i, tern_ctx_error(rig), r->message);
            continue;
        }
        RIG_OK(tern_engine_config_to_json(rig, &c, &text));
        if (!rig_has_parts(text, r->message)) fail_msg("row %zu: %s has not all of %s", i, text, r->message);
        again = tern_engine_config_default();
        RIG_OK(tern_engine_config_from_json(rig, text, strlen(text), &again));
        RIG_OK(tern_engine_config_to_json(rig, &again, &second));
        assert_string_equal(text, second);
        tern_text_free(text);
        tern_text_free(second);
    }
}

static void test_init_inference_from_a_file(void **state)
{
    char path[] = "/tmp/tern-engine-XXXXXX";
    static const char json[] = "{\"dtype\": \"int8\", \"tp\": {\"tp_size\": 2}}";
    tern_engine_config c;
    int fd = mkstemp(path);
    (void)state;
    assert_int_equal(write(fd, json, sizeof json - 1), sizeof json - 1);
    close(fd);
    RIG_OK(tern_engine_config_init(rig, path, "{\"max_tokens\": 64}", &c));
    assert_int_equal(c.dtype, TERN_DTYPE_INT8);
    assert_int_equal(c.tensor_parallel.tp_size, 2);
    assert_int_equal(c.max_out_tokens, 64);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults_are_deepspeeds), cmocka_unit_test(test_readings),
        cmocka_unit_test(test_bad_json_changes_nothing),
        cmocka_unit_test(test_compatible_mode_logs_unknown_keys), cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_files), cmocka_unit_test(test_check),
        cmocka_unit_test(test_moe_config), cmocka_unit_test(test_init_inference),
        cmocka_unit_test(test_init_inference_from_a_file),
    };
    return cmocka_run_group_tests(tests, rig_setup, rig_teardown);
}
