/* The config of init_inference: defaults, JSON in and out, forwarding of deprecated keys, the merge
 * with keyword arguments. Public contract: tern/engine_config.h. */
#include <string.h>
#include <tern/engine_config.h>

#include "base/ctx.h"
#include "base/json.h"
#include "base/memory.h"
#include "ops/fields.h"

typedef tern_engine_config engine;

static const field_name quant_types[] = { { "asymmetric", TERN_QUANT_ASYMMETRIC },
                                          { "symmetric", TERN_QUANT_SYMMETRIC }, { 0 } };

/* Rows of a struct that begins at offset 0 of its own table. */
#define BOOL(place, name, alias) { name, alias, FIELD_BOOL, place, 0, 0, NULL, NULL }
#define SIZE(place, name, alias) { name, alias, FIELD_INT, place, 1, 1e15, NULL, NULL }
#define TEXT(place, name) { name, NULL, FIELD_TEXT, place, 0, 0, NULL, NULL }
#define JSON(place, name, alias) { name, alias, FIELD_JSON, place, 0, 0, NULL, NULL }
#define NONE(name, alias) { name, alias, FIELD_NONE, 0, 0, 0, NULL, NULL }
#define PART(place, name, alias, table) { name, alias, FIELD_STRUCT, place, 0, 0, NULL, table }

#define IN(part, name) (offsetof(engine, part.name) - offsetof(engine, part))

static const field tp_fields[] = {
    BOOL(IN(tensor_parallel, enabled), "enabled", NULL), SIZE(IN(tensor_parallel, tp_size), "tp_size", NULL),
    SIZE(IN(tensor_parallel, tp_grain_size), "tp_grain_size", NULL), NONE("mpu", NULL), NONE("tp_group", NULL), { 0 },
};

static const field moe_fields[] = {
    BOOL(IN(moe, enabled), "enabled", NULL), SIZE(IN(moe, ep_size), "ep_size", NULL),
    { "moe_experts", "num_experts", FIELD_INTS, IN(moe, moe_experts), 1, 1e9, NULL, NULL },
    { "type", NULL, FIELD_ENUM, IN(moe, type), 0, 0, names_of_mlp_types, NULL }, NONE("ep_mp_group", NULL),
    NONE("ep_group", "expert_group"), { 0 },
};

#define QUANT_FIELDS                                                                            \
    BOOL(offsetof(tern_quant_part, enabled), "enabled", NULL),                                  \
        SIZE(offsetof(tern_quant_part, num_bits), "num_bits", NULL),                            \
    { "q_type", NULL, FIELD_ENUM, offsetof(tern_quant_part, q_type), 0, 0, quant_types, NULL }, \
        SIZE(offsetof(tern_quant_part, q_groups), "q_groups", NULL)

static const field activation_fields[] = { QUANT_FIELDS, { 0 } };
static const field weight_fields[] = {
    QUANT_FIELDS, JSON(offsetof(tern_quant_part, quantized_initialization), "quantized_initialization", NULL),
    JSON(offsetof(tern_quant_part, post_init_quant), "post_init_quant", NULL), { 0 },
};
static const field qkv_fields[] = { BOOL(0, "enabled", NULL), { 0 } };

static const field quant_fields[] = {
    BOOL(IN(quant, enabled), "enabled", NULL), PART(IN(quant, activation), "activation", NULL, activation_fields),
    PART(IN(quant, weight), "weight", NULL, weight_fields), PART(IN(quant, qkv), "qkv", NULL, qkv_fields), { 0 },
};

static const field checkpoint_fields[] = {
    TEXT(IN(checkpoint_config, checkpoint_dir), "checkpoint_dir"),
    TEXT(IN(checkpoint_config, save_mp_checkpoint_path), "save_mp_checkpoint_path"),
    TEXT(IN(checkpoint_config, base_dir), "base_dir"), { 0 },
};

#define AT(name) offsetof(engine, name)

static const field engine_fields[] = {
    BOOL(AT(replace_with_kernel_inject), "replace_with_kernel_inject", "kernel_inject"),
    { "dtype", NULL, FIELD_ENUM, AT(dtype), 0, 0, names_of_dtypes, NULL },
    PART(AT(tensor_parallel), "tensor_parallel", "tp", tp_fields),
    BOOL(AT(enable_cuda_graph), "enable_cuda_graph", NULL),
    BOOL(AT(use_triton), "use_triton", NULL), BOOL(AT(triton_autotune), "triton_autotune", NULL),
    JSON(AT(zero), "zero", NULL),
    BOOL(AT(triangular_masking), "triangular_masking", "tm"), PART(AT(moe), "moe", NULL, moe_fields),
    BOOL(AT(keep_module_on_host), "keep_module_on_host", NULL), PART(AT(quant), "quant", NULL, quant_fields),
    JSON(AT(checkpoint), "checkpoint", NULL), TEXT(AT(base_dir), "base_dir"),
    BOOL(AT(set_empty_params), "set_empty_params", NULL),
    TEXT(AT(save_mp_checkpoint_path), "save_mp_checkpoint_path"),
    PART(AT(checkpoint_config), "checkpoint_config", "ckpt_config", checkpoint_fields),
    BOOL(AT(return_tuple), "return_tuple", NULL), SIZE(AT(training_mp_size), "training_mp_size", NULL),
    TEXT(AT(replace_method), "replace_method"),
    JSON(AT(injection_policy), "injection_policy", "injection_dict"),
    JSON(AT(injection_policy_tuple), "injection_policy_tuple", NULL),
    JSON(AT(config), "config", "args"), SIZE(AT(max_out_tokens), "max_out_tokens", "max_tokens"),
    SIZE(AT(min_out_tokens), "min_out_tokens", "min_tokens"),
    BOOL(AT(transposed_mode), "transposed_mode", NULL), { 0 },
};

/* A key of old, and where its value goes. */
static const struct { const char *key, *alias, *part, *part_alias, *name, *name_alias; } deprecated[] = {
    { "mp_size", NULL, "tensor_parallel", "tp", "tp_size", NULL },
    { "mpu", NULL, "tensor_parallel", "tp", "mpu", NULL },
    { "ep_size", NULL, "moe", NULL, "ep_size", NULL },
    { "ep_group", "expert_group", "moe", NULL, "ep_group", "expert_group" },
    { "ep_mp_group", "expert_mp_group", "moe", NULL, "ep_mp_group", NULL },
    { "moe_experts", NULL, "moe", NULL, "moe_experts", "num_experts" },
    { "moe_type", NULL, "moe", NULL, "type", NULL },
};

tern_engine_config tern_engine_config_default(void)
{
    engine c = {
        .dtype = TERN_DTYPE_FP16, .zero = "{}", .triangular_masking = true, .return_tuple = true, .training_mp_size = 1,
        .replace_method = "auto", .max_out_tokens = 1024, .min_out_tokens = 1 };
    tern_quant_part part = {
        .enabled = true, .num_bits = 8, .q_type = TERN_QUANT_SYMMETRIC, .q_groups = 1, .quantized_initialization = "{}",
        .post_init_quant = "{}" };
    c.tensor_parallel.enabled = c.moe.enabled = c.quant.enabled = c.quant.qkv.enabled = true;
    c.tensor_parallel.tp_size = c.moe.ep_size = 1;
    c.tensor_parallel.tp_grain_size = 64;
    c.moe.moe_experts = (tern_int_list){ 1, { 1 } };
    c.quant.activation = c.quant.weight = part;
    return c;
}

/* ---- What comes before the fields ---- */

/* Members that are "auto" say nothing, at any depth, but for replace_method. */
static void drop_auto(json_t *object)
{
    const char *key;
    json_t *value;
    void *next;
    json_object_foreach_safe(object, next, key, value) {
        if (json_is_object(value)) drop_auto(value);
        else if (json_is_string(value) && !strcmp(json_string_value(value), "auto") && strcmp(key, "replace_method"))
            json_object_del(object, key);
    }
}

static json_t *member(json_t *object, const char *name, const char *alias)
{
    json_t *value = json_object_get(object, name);
    return value || !alias ? value : json_object_get(object, alias);
}

static tern_status forward_one(tern_ctx *ctx, json_t *object, size_t row)
{
    const char *key = deprecated[row].key, *part = deprecated[row].part, *name = deprecated[row].name;
    json_t *value = member(object, key, deprecated[row].alias),
        *target = member(object, part, deprecated[row].part_alias);
    if (!value) return TERN_OK;
    if (!target) {
        target = json_object();
        if (json_object_set_new(object, part, target)) return tern_fail(ctx, TERN_ERR_MEMORY, "no memory for a config");
    }
    if (!json_is_object(target))
        return tern_fail(ctx, TERN_ERR_FORMAT, "engine config: %s is %s, not an object", part, tern_json_kind(target));
    if (member(target, name, deprecated[row].name_alias))
        return tern_fail(ctx, TERN_ERR_ARGUMENT, "engine config: %s and %s.%s are both given; the first is the "
                         "deprecated name of the second", key, part, name);
    tern_log(ctx, TERN_LOG_WARNING, "engine config: %s is deprecated, %s.%s has taken its place", key, part, name);
    if (json_object_set(target, name, value)) return tern_fail(ctx, TERN_ERR_MEMORY, "no memory for a config");
    json_object_del(object, key);
    if (deprecated[row].alias) json_object_del(object, deprecated[row].alias);
    return TERN_OK;
}

/* moe: true stands for { "enabled": true }. */
static tern_status spell_out_moe(tern_ctx *ctx, json_t *object)
{
    json_t *moe = json_object_get(object, "moe"), *part;
    if (!json_is_boolean(moe)) return TERN_OK;
    part = json_object();
    bool failed = json_object_set(part, "enabled", moe);
    failed = json_object_set_new(object, "moe", part) || failed;
    return failed ? tern_fail(ctx, TERN_ERR_MEMORY, "no memory for a config") : TERN_OK;
}

static tern_status read_object(tern_ctx *ctx, const char *what, json_t *object, tern_config_mode mode, void *config)
{
    engine next = *(engine *)config;
    tern_status st = TERN_OK;
    if (!json_is_object(object))
        return tern_fail(ctx, TERN_ERR_FORMAT, "%s: is %s, not an object", what, tern_json_kind(object));
    drop_auto(object);
    TERN_TRY(spell_out_moe(ctx, object));
    for (size_t i = 0; i < sizeof deprecated / sizeof *deprecated; i++) TERN_TRY(forward_one(ctx, object, i));
    TERN_TRY(fields_read(ctx, what, object, engine_fields, mode, &next));
    *(engine *)config = next;
done:
    return st;
}

tern_status tern_engine_config_from_json(tern_ctx *ctx, const char *text, size_t n_bytes, engine *config)
{
    return config_from_text(ctx, "engine config", text, n_bytes, TERN_CONFIG_STRICT, read_object, config);
}

/* ---- init_inference ---- */

static tern_status read_config(tern_ctx *ctx, const char *config, json_t **object)
{
    if (!config) {
        *object = json_object();
        return *object ? TERN_OK : tern_fail(ctx, TERN_ERR_MEMORY, "no memory for a config");
    }
    const char *p = config + strspn(config, " \t\r\n");
    return *p == '{' ? tern_json_parse(ctx, "config", config, strlen(config), object)
                     : tern_json_read(ctx, NULL, config, CONFIG_MOST_BYTES, object);
}

/* Keyword arguments into the config; where both have a key, it must be with one value. */
static tern_status merge(tern_ctx *ctx, json_t *object, json_t *kwargs)
{
    const char *key;
    json_t *value;
    if (!json_is_object(object) || !json_is_object(kwargs))
        return tern_fail(ctx, TERN_ERR_FORMAT, "engine config: the config is %s and the keyword arguments are %s, not "
                         "objects", tern_json_kind(object), tern_json_kind(kwargs));
    json_object_foreach(kwargs, key, value) {
        json_t *old = json_object_get(object, key);
        char a[64], b[64];
        if (old && !json_equal(old, value))
            return tern_fail(ctx, TERN_ERR_ARGUMENT, "engine config: %s is %s in the config and %s among the keyword "
                             "arguments", key, tern_json_show(old, a, sizeof a), tern_json_show(value, b, sizeof b));
        if (json_object_set(object, key, value)) return tern_fail(ctx, TERN_ERR_MEMORY, "no memory for a config");
    }
    return TERN_OK;
}

tern_status tern_engine_config_init(tern_ctx *ctx, const char *config_or_path, const char *kwargs, engine *config)
{
    json_t *object = NULL, *extra = NULL;
    engine next = tern_engine_config_default();
    tern_status st = TERN_OK;
    if (!config) return tern_fail(ctx, TERN_ERR_ARGUMENT, "engine config: no config to read into");
    TERN_TRY(read_config(ctx, config_or_path, &object));
    if (kwargs) {
        TERN_TRY(tern_json_parse(ctx, "keyword arguments", kwargs, strlen(kwargs), &extra));
        TERN_TRY(merge(ctx, object, extra));
    }
    TERN_TRY(read_object(ctx, "engine config", object, TERN_CONFIG_STRICT, &next));
    TERN_TRY(tern_engine_config_check(ctx, &next));
    *config = next;
done:
    json_decref(object);
    json_decref(extra);
    return st;
}

tern_status tern_engine_config_to_json(tern_ctx *ctx, const engine *config, char **text)
{
    if (!config || !text)
        return tern_fail(ctx, TERN_ERR_ARGUMENT, "engine config: no config, or no place for its text");
    return fields_text(ctx, fields_write(engine_fields, config), text);
}

tern_status tern_engine_config_check(tern_ctx *ctx, const engine *c)
{
    if (!c) return tern_fail(ctx, TERN_ERR_ARGUMENT, "engine config: none");
    if (c->min_out_tokens < 1 || c->max_out_tokens < c->min_out_tokens)
        return tern_fail(ctx, TERN_ERR_ARGUMENT, "engine config: max_out_tokens is %lld and min_out_tokens %lld; 1 <= "
                         "min <= max", (long long)c->max_out_tokens, (long long)c->min_out_tokens);
    if (c->tensor_parallel.tp_size < 1 || c->moe.ep_size < 1)
        return tern_fail(ctx, TERN_ERR_ARGUMENT, "engine config: tp_size is %lld and ep_size %lld, not 1 or more",
                         (long long)c->tensor_parallel.tp_size, (long long)c->moe.ep_size);
    if (c->enable_cuda_graph && c->tensor_parallel.tp_size > 1)
        return tern_fail(ctx, TERN_ERR_ARGUMENT, "engine config: enable_cuda_graph is true with tp_size %lld; a graph "
                         "holds no communication", (long long)c->tensor_parallel.tp_size);
    if (c->use_triton || c->triton_autotune)
        return tern_fail(ctx, TERN_ERR_UNSUPPORTED,
                         "engine config: use_triton and triton_autotune are true; there is no Triton here");
    if (c->replace_with_kernel_inject && c->injection_policy[0])
        return tern_fail(ctx, TERN_ERR_ARGUMENT,
                         "engine config: replace_with_kernel_inject and injection_policy exclude each other");
    return TERN_OK;
}
