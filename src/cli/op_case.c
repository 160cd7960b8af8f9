/* Reads a case, hands its tensors out by name, writes its outputs: see op_case.h. Called by op.c
 * and the runners. */
#include "cli/op_case.h"

#include <stdio.h>
#include <string.h>

#include "base/ctx.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "formats/safetensors.h"
#include "ops/fields.h"

enum { MOST_OPTIONS_BYTES = 1 << 20, MOST_NAME = 200 };

/* ---- Reading ---- */

static tern_status open_inputs(op_case *c, const char *path)
{
    tern_status st = TERN_OK;
    TERN_TRY(tern_safetensors_open(c->ctx, NULL, path, &c->file));
    c->in = tern_alloc(c->ctx, c->file->count, sizeof *c->in, "a case's inputs");
    c->used = tern_alloc(c->ctx, c->file->count, sizeof *c->used, "a case's inputs");
    if (!c->in || !c->used) return TERN_ERR_MEMORY;
    for (size_t i = 0; i < c->file->count; i++) {
        const tern_stored *stored = &c->file->tensors[i];
        tern_tensor view, copy;
        if (strncmp(stored->name, "in.", 3)) continue;
        TERN_TRY(tern_stored_view(c->ctx, stored, &view));
        copy = view;
        copy.data = tern_alloc(c->ctx, stored->n_bytes, 1, stored->name);    /* aligned, whatever the file's offset */
        if (!copy.data) return TERN_ERR_MEMORY;
        memcpy(copy.data, stored->data, stored->n_bytes);
        c->in[c->n_in++] = (tern_named_tensor){ stored->name + 3, copy };
    }
done:
    return st;
}

static tern_status read_document(op_case *c, const char *options, json_t **document)
{
    const char *p = options;
    while (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r') p++;
    if (*p == '{') return tern_json_parse(c->ctx, "--options", options, strlen(options), document);
    return tern_json_read(c->ctx, NULL, options, MOST_OPTIONS_BYTES, document);
}

static tern_status want_outputs(op_case *c, const json_t *list)
{
    size_t i, n = json_array_size(list);
    const json_t *name;
    if (list && !json_is_array(list))
        return tern_fail(c->ctx, TERN_ERR_FORMAT, "outputs are %s, not a list", tern_json_kind(list));
    c->out = tern_alloc(c->ctx, n, sizeof *c->out, "a case's outputs");
    if (!c->out) return TERN_ERR_MEMORY;
    json_array_foreach(list, i, name) {
        if (!json_is_string(name))
            return tern_fail(c->ctx, TERN_ERR_FORMAT, "outputs[%zu] is %s, not a name", i, tern_json_kind(name));
        char *copy = tern_strdup(c->ctx, json_string_value(name));
        if (!copy) return TERN_ERR_MEMORY;
        c->out[c->n_out++].name = copy;
    }
    return TERN_OK;
}

/* The inputs that a fixture lists must be those of the file; in a file without a list all are
 * meant. */
static tern_status check_listed(op_case *c, const json_t *list)
{
    size_t i;
    const json_t *name;
    if (list && !json_is_array(list))
        return tern_fail(c->ctx, TERN_ERR_FORMAT, "inputs are %s, not a list", tern_json_kind(list));
    json_array_foreach(list, i, name) {
        bool found = false;
        for (size_t k = 0; json_is_string(name) && k < c->n_in; k++)
            found = found || !strcmp(c->in[k].name, json_string_value(name));
        if (!found)
            return tern_fail(c->ctx, TERN_ERR_FORMAT, "inputs[%zu], \"%s\", is not in the file", i,
                             json_is_string(name) ? json_string_value(name) : "?");
    }
    return TERN_OK;
}

/* The dtype that is written down, else that of the first input of a float type. */
static tern_status choose_dtype(op_case *c, const json_t *value, bool configured)
{
    static const field dtype = { "dtype", NULL, FIELD_ENUM, 0, 0, 0, names_of_dtypes, NULL };
    static const tern_config_dtype of[] = { [TERN_F32] = TERN_DTYPE_FP32, [TERN_F16] = TERN_DTYPE_FP16,
                                            [TERN_BF16] = TERN_DTYPE_BF16 };
    int chosen = TERN_DTYPE_FP32;
    if (value) {
        tern_status st = field_read(c->ctx, "case", value, &dtype, &chosen);
        if (st) return st;
    } else if (configured) {
        return TERN_OK;
    } else {
        for (size_t i = 0; i < c->n_in; i++)
            if (c->in[i].tensor.dtype <= TERN_BF16 && !strstr(c->in[i].name, ".scale")) {
                chosen = of[c->in[i].tensor.dtype];
                break;
            }
    }
    c->config.dtype = (tern_config_dtype)chosen;
    return TERN_OK;
}

static tern_status read_options(op_case *c, const char *options, bool configured)
{
    json_t *document = NULL;
    tern_status st = TERN_OK;
    if (options) TERN_TRY(read_document(c, options, &document));
    if (document && !json_is_object(document)) {
        st = tern_fail(c->ctx, TERN_ERR_FORMAT, "--options: is %s, not an object", tern_json_kind(document));
        goto done;
    }
    json_t *inner = json_object_get(document, "options");
    if (inner) {
        const char *op = json_string_value(json_object_get(document, "op"));
        if (op && strcmp(op, c->op)) {
            st = tern_fail(c->ctx, TERN_ERR_ARGUMENT, "--options: the case is one of \"%s\", not of \"%s\"", op, c->op);
            goto done;
        }
        if (!json_is_object(inner)) {
            st = tern_fail(c->ctx, TERN_ERR_FORMAT, "--options: options are %s, not an object", tern_json_kind(inner));
            goto done;
        }
        c->options = json_copy(inner);
        TERN_TRY(choose_dtype(c, json_object_get(document, "dtype"), configured));
        TERN_TRY(check_listed(c, json_object_get(document, "inputs")));
        TERN_TRY(want_outputs(c, json_object_get(document, "outputs")));
    } else {
        c->options = document ? json_copy(document) : json_object();
        TERN_TRY(choose_dtype(c, json_object_get(c->options, "dtype"), configured));
        json_object_del(c->options, "dtype");
        TERN_TRY(want_outputs(c, NULL));
    }
    if (!c->options) st = tern_fail(c->ctx, TERN_ERR_MEMORY, "no memory for the options");
done:
    json_decref(document);
    return st;
}

tern_status op_case_open(tern_ctx *ctx, const char *op, const char *in_path, const char *config, const char *options,
                         op_case *c)
{
    tern_status st = TERN_OK;
    *c = (op_case){ .ctx = ctx, .op = op, .config = tern_config_default() };
    if (config) TERN_TRY(tern_config_from_file(ctx, config, TERN_CONFIG_STRICT, &c->config));
    TERN_TRY(open_inputs(c, in_path));
    TERN_TRY(read_options(c, options, config));
done:
    if (st) op_case_close(c);
    return st;
}

void op_case_close(op_case *c)
{
    for (size_t i = 0; i < c->n_in; i++) tern_free(c->in[i].tensor.data);
    for (size_t i = 0; i < c->n_out; i++) tern_free((void *)c->out[i].name);
    tern_outputs_free(c->out, c->n_out);
    tern_free(c->in);
    tern_free(c->out);
    tern_free(c->used);
    json_decref(c->options);
    if (c->file) tern_safetensors_close(c->file);
    *c = (op_case){ 0 };
}

/* ---- By name ---- */

tern_status op_case_take(op_case *c, const char *name, int64_t least, int64_t fallback, int64_t *value)
{
    const field f = { name, NULL, FIELD_INT, 0, (double)least, 1e9, NULL, NULL };
    json_t *given = json_object_get(c->options, name);
    *value = fallback;
    if (!given) return TERN_OK;
    tern_status st = field_read(c->ctx, c->op, given, &f, value);
    json_object_del(c->options, name);
    return st;
}

tern_tensor op_case_input(const op_case *c, const char *name)
{
    for (size_t i = 0; i < c->n_in; i++) {
        if (strcmp(c->in[i].name, name)) continue;
        c->used[i] = true;
        return c->in[i].tensor;
    }
    return (tern_tensor){ 0 };
}

static const char *step_name(const char *name, int64_t step, char *text)
{
    snprintf(text, MOST_NAME, "%s_step%lld", name, (long long)step);
    return text;
}

tern_tensor op_case_step_input(const op_case *c, const char *name, int64_t step)
{
    char text[MOST_NAME];
    return op_case_input(c, step_name(name, step, text));
}

tern_tensor *op_case_output(op_case *c, const char *name)
{
    for (size_t i = 0; i < c->n_out; i++)
        if (!strcmp(c->out[i].name, name)) return &c->out[i].tensor;
    return NULL;
}

tern_tensor *op_case_step_output(op_case *c, const char *name, int64_t step)
{
    char text[MOST_NAME];
    return op_case_output(c, step_name(name, step, text));
}

tern_status op_case_make(op_case *c, tern_dtype dtype, int rank, const int64_t *shape, tern_tensor *out)
{
    *out = tern_tensor_of(NULL, dtype, rank, shape);
    out->data = tern_alloc(c->ctx, (size_t)tern_tensor_count(out), tern_dtype_bytes(dtype), "an output");
    return out->data ? TERN_OK : TERN_ERR_MEMORY;
}

tern_status op_case_settle(op_case *c)
{
    for (size_t i = 0; i < c->n_in; i++)
        if (!c->used[i])
            return tern_fail(c->ctx, TERN_ERR_ARGUMENT, "%s: there is no input \"%s\"", c->op, c->in[i].name);
    for (size_t i = 0; i < c->n_out; i++)
        if (!c->out[i].tensor.data)
            return tern_fail(c->ctx, TERN_ERR_ARGUMENT, "%s: there is no output \"%s\"", c->op, c->out[i].name);
    return TERN_OK;
}

/* ---- Running and writing ---- */

/* All outputs of the op where none is named. */
static tern_status want_all(op_case *c, tern_op *op)
{
    const char *name;
    size_t n = 0;
    if (c->n_out) return TERN_OK;
    while (tern_op_output_name(op, n)) n++;
    tern_free(c->out);
    c->out = tern_alloc(c->ctx, n, sizeof *c->out, "a case's outputs");
    if (!c->out) return TERN_ERR_MEMORY;
    for (size_t i = 0; (name = tern_op_output_name(op, i)); i++) {
        char *copy = tern_strdup(c->ctx, name);
        if (!copy) return TERN_ERR_MEMORY;
        c->out[c->n_out++].name = copy;
    }
    return TERN_OK;
}

static tern_status run_once(op_case *c)
{
    tern_op *op = NULL;
    tern_status st = TERN_OK;
    char *text = NULL;
    TERN_TRY(fields_text(c->ctx, json_incref(c->options), &text));
    TERN_TRY(tern_op_create_json(c->ctx, c->op, &c->config, text, &op));
    TERN_TRY(want_all(c, op));
    TERN_TRY(tern_op_run(op, c->in, c->n_in, c->out, c->n_out, NULL));
done:
    tern_text_free(text);
    tern_op_free(op);
    return st;
}

tern_status op_case_run(op_case *c)
{
    if (!strcmp(c->op, "softmax_context")) return op_run_context(c);
    if (!strcmp(c->op, "layer")) return op_run_layer(c);
    if (!strcmp(c->op, "moe_layer")) return op_run_moe_layer(c);
    return run_once(c);
}

tern_status op_case_write(op_case *c, const char *out_path)
{
    tern_status st = TERN_OK;
    tern_named_tensor *named = tern_alloc(c->ctx, c->n_out, sizeof *named, "a case's outputs");
    if (!named) return TERN_ERR_MEMORY;
    for (size_t i = 0; i < c->n_out; i++) {
        char name[MOST_NAME];
        snprintf(name, sizeof name, "out.%s", c->out[i].name);
        named[i] = (tern_named_tensor){ tern_strdup(c->ctx, name), c->out[i].tensor };
        if (!named[i].name) st = TERN_ERR_MEMORY;
    }
    if (!st) st = tern_safetensors_write(c->ctx, out_path, named, c->n_out);
    for (size_t i = 0; i < c->n_out; i++) tern_free((void *)named[i].name);
    tern_free(named);
    return st;
}
