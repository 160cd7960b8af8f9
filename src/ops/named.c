/* Ops by names: tensors and options found in the op's table, outputs allocated with the op's own
 * shapes. Called by the program and by bindings. */
#include <string.h>

#include "base/fp.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/nearest.h"
#include "ops/config_fields.h"
#include "ops/ops.h"

static bool is_output(const op_arg *arg)
{
    return arg->role == OUT || arg->role == OUT_MAYBE;
}

static const op_arg *find_arg(const op_desc *desc, const char *name, bool output)
{
    for (const op_arg *arg = desc->args; arg->name; arg++)
        if (is_output(arg) == output && !strcmp(arg->name, name)) return arg;
    return NULL;
}

static const char *name_at(const tern_op *op, bool output, size_t i)
{
    for (const op_arg *arg = op->desc->args; arg->name; arg++)
        if (is_output(arg) == output && i-- == 0) return arg->name;
    return NULL;
}

const char *tern_op_input_name(const tern_op *op, size_t i)
{
    return name_at(op, false, i);
}

const char *tern_op_output_name(const tern_op *op, size_t i)
{
    return name_at(op, true, i);
}

static tern_status unknown_tensor(tern_op *op, const char *name, bool output)
{
    tern_nearest near = { .word = name };
    const char *kind = output ? "output" : "input";
    for (const op_arg *arg = op->desc->args; arg->name; arg++)
        if (is_output(arg) == output) tern_nearest_offer(&near, arg->name);
    if (near.best)
        return op_fail(op, TERN_ERR_ARGUMENT, "there is no %s \"%s\"; the nearest is \"%s\"", kind, name, near.best);
    return op_fail(op, TERN_ERR_ARGUMENT, "there is no %s \"%s\"", kind, name);
}

static tern_status put_tensors(tern_op *op, const tern_named_tensor *list, size_t n, bool output, void *args)
{
    for (size_t i = 0; i < n; i++) {
        const op_arg *arg = list[i].name ? find_arg(op->desc, list[i].name, output) : NULL;
        if (!arg) return unknown_tensor(op, list[i].name ? list[i].name : "", output);
        *(tern_tensor *)((char *)args + arg->offset) = list[i].tensor;
    }
    return TERN_OK;
}

static tern_status read_options(tern_op *op, const char *text, void *args)
{
    static const field none[] = { { 0 } };
    json_t *object = NULL;
    tern_status st = TERN_OK;
    if (!text) return TERN_OK;
    TERN_TRY(tern_json_parse(op->ctx, op->desc->name, text, strlen(text), &object));
    TERN_TRY(fields_read(op->ctx, op->desc->name, object, op->desc->options ? op->desc->options : none,
                         TERN_CONFIG_STRICT, args));
done:
    json_decref(object);
    return st;
}

/* Memory for the wanted outputs that have none. made[i] says which are ours, for the case that a
 * later step fails. */
static tern_status make_outputs(tern_op *op, const op_dims *dims, tern_named_tensor *out, size_t n_out, void *args,
                                bool *made)
{
    for (size_t i = 0; i < n_out; i++) {
        const op_arg *arg = find_arg(op->desc, out[i].name, true);
        if (out[i].tensor.data) continue;
        tern_tensor t = op_expected(op, arg, dims);
        t.data = tern_alloc(op->ctx, (size_t)tern_tensor_count(&t), tern_dtype_bytes(t.dtype), arg->name);
        if (!t.data) return TERN_ERR_MEMORY;
        made[i] = true;
        out[i].tensor = t;
        *(tern_tensor *)((char *)args + arg->offset) = t;
    }
    return TERN_OK;
}

/* The op's defaults, and its cache. */
static void start_args(const tern_op *op, void *args)
{
    const void *defaults = op->defaults ? op->defaults : op->desc->defaults;
    if (defaults) memcpy(args, defaults, op->desc->args_size);
    if (op->desc == &op_softmax_context) ((tern_softmax_context_args *)args)->workspace = op->workspace;
}

tern_status tern_op_run(tern_op *op, const tern_named_tensor *in, size_t n_in, tern_named_tensor *out, size_t n_out,
                        const char *options_json)
{
    op_dims dims;
    tern_status st = TERN_OK;
    if (!op) return tern_fail(NULL, TERN_ERR_ARGUMENT, "no op");
    TERN_OWN_FP(op->ctx);
    const op_desc *desc = op->desc;
    tern_mark mark = tern_arena_mark(&op->ctx->step);
    void *args = tern_alloc(op->ctx, 1, desc->args_size, desc->name);
    bool *made = tern_alloc(op->ctx, n_out, sizeof *made, desc->name);
    if (!args || !made) {
        st = TERN_ERR_MEMORY;
        goto done;
    }
    start_args(op, args);
    TERN_TRY(read_options(op, options_json, args));
    TERN_TRY(put_tensors(op, in, n_in, false, args));
    TERN_TRY(put_tensors(op, out, n_out, true, args));
    TERN_TRY(op_check_inputs(op, args, &dims));
    tern_arena_reset(&op->ctx->step, mark);
    TERN_TRY(make_outputs(op, &dims, out, n_out, args, made));
    TERN_TRY(op_run(op, desc, args));
done:
    for (size_t i = 0; st && made && i < n_out; i++) {
        if (!made[i]) continue;
        tern_free(out[i].tensor.data);
        out[i].tensor = (tern_tensor){ 0 };
    }
    tern_arena_reset(&op->ctx->step, mark);
    tern_free(made);
    tern_free(args);
    return st;
}

static double bytes_of(const tern_tensor *t)
{
    return (double)tern_tensor_count(t) * (double)tern_dtype_bytes(t->dtype);
}

tern_status tern_op_cost(tern_op *op, const tern_named_tensor *in, size_t n_in, const tern_named_tensor *out,
                         size_t n_out, const char *options_json, tern_cost *cost)
{
    op_dims dims;
    tern_status st = TERN_OK;
    if (!op || !cost) return tern_fail(op ? op->ctx : NULL, TERN_ERR_ARGUMENT, "a cost needs an op and a place");
    const op_desc *desc = op->desc;
    tern_mark mark = tern_arena_mark(&op->ctx->step);
    void *args = tern_alloc(op->ctx, 1, desc->args_size, desc->name);
    *cost = (tern_cost){ 0 };
    if (!args) return TERN_ERR_MEMORY;
    start_args(op, args);
    TERN_TRY(read_options(op, options_json, args));
    TERN_TRY(put_tensors(op, in, n_in, false, args));
    TERN_TRY(op_check_inputs(op, args, &dims));
    for (const op_arg *arg = desc->args; arg->name; arg++)
        if (!is_output(arg) && op_tensor(args, arg)->data) cost->read_bytes += bytes_of(op_tensor(args, arg));
    for (size_t i = 0; i < n_out; i++) {
        const op_arg *arg = out[i].name ? find_arg(desc, out[i].name, true) : NULL;
        if (!arg) {
            st = unknown_tensor(op, out[i].name ? out[i].name : "", true);
            goto done;
        }
        tern_tensor t = op_expected(op, arg, &dims);
        cost->written_bytes += bytes_of(&t);
    }
    if (desc->cost) desc->cost(op, args, &dims, cost);
done:
    tern_arena_reset(&op->ctx->step, mark);
    tern_free(args);
    return st;
}

void tern_outputs_free(tern_named_tensor *out, size_t n_out)
{
    for (size_t i = 0; i < n_out; i++) {
        tern_free(out[i].tensor.data);
        out[i].tensor = (tern_tensor){ 0 };
    }
}

/* ---- Creation from JSON ---- */

static bool reads_field(const op_desc *desc, const char *name)
{
    static const char *const all[] = { "dtype", "compute" };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (!strcmp(name, all[i])) return true;
    for (const char *const *f = desc->config; *f; f++)
        if (!strcmp(name, *f)) return true;
    return false;
}

static tern_status unknown_option(tern_ctx *ctx, const op_desc *desc, const char *name)
{
    tern_nearest near = { .word = name };
    for (const char *const *f = desc->config; *f; f++) tern_nearest_offer(&near, *f);
    for (const field *f = desc->options; f && f->name; f++) tern_nearest_offer(&near, f->name);
    if (near.best)
        return tern_fail(ctx, TERN_ERR_ARGUMENT, "%s: there is no option \"%s\"; the nearest is \"%s\"", desc->name,
                         name, near.best);
    return tern_fail(ctx, TERN_ERR_ARGUMENT, "%s: there is no option \"%s\"", desc->name, name);
}

/* Each option goes to the op's args or to the config. */
static tern_status deal_options(tern_ctx *ctx, const op_desc *desc, const json_t *options, tern_config *config,
                                void *args)
{
    void *at;
    if (!json_is_object(options))
        return tern_fail(ctx, TERN_ERR_FORMAT, "%s: the options are %s, not an object", desc->name,
                         tern_json_kind(options));
    for (at = json_object_iter((json_t *)options); at; at = json_object_iter_next((json_t *)options, at)) {
        const char *name = json_object_iter_key(at);
        const json_t *value = json_object_iter_value(at);
        const field *own = desc->options ? fields_find(desc->options, name) : NULL;
        const field *shared = !own ? fields_find(config_fields, name) : NULL;
        if (!own && (!shared || !reads_field(desc, shared->name))) return unknown_option(ctx, desc, name);
        tern_status st = field_read(ctx, desc->name, value, own ? own : shared, own ? args : (void *)config);
        if (st) return st;
    }
    return TERN_OK;
}

tern_status tern_op_create_json(tern_ctx *ctx, const char *name, const tern_config *config, const char *options_json,
                                tern_op **out)
{
    tern_status st = TERN_OK;
    json_t *options = NULL;
    void *args = NULL;
    tern_config own = config ? *config : tern_config_default();
    const op_desc *desc = name ? op_find(name) : NULL;
    if (!desc || !options_json) return tern_op_create(ctx, name, config, out);
    args = tern_alloc(ctx, 1, desc->args_size, desc->name);
    if (!args) return TERN_ERR_MEMORY;
    if (desc->defaults) memcpy(args, desc->defaults, desc->args_size);
    TERN_TRY(tern_json_parse(ctx, name, options_json, strlen(options_json), &options));
    TERN_TRY(deal_options(ctx, desc, options, &own, args));
    TERN_TRY(tern_op_create(ctx, name, &own, out));
    (*out)->defaults = args;
    args = NULL;
done:
    json_decref(options);
    tern_free(args);
    return st;
}

tern_status tern_op_bind_workspace(tern_op *op, tern_workspace *workspace)
{
    if (op->desc != &op_softmax_context) return op_fail(op, TERN_ERR_UNSUPPORTED, "this op has no cache");
    op->workspace = workspace;
    return TERN_OK;
}
