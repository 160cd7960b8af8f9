/* One run of an op on the tensors of a file, as `tern op` does it: inputs "in.NAME", options and
 * dtype from JSON, outputs "out.NAME". Ops that keep a cache between calls ("softmax_context",
 * "layer") run steps: tensors of call T carry the suffix "_stepT". */
#ifndef TERN_CLI_OP_CASE_H
#define TERN_CLI_OP_CASE_H

#include <jansson.h>
#include <tern/config.h>
#include <tern/layer.h>
#include <tern/ops.h>

typedef struct op_case {
    tern_ctx *ctx;
    const char *op;
    /* an object; what a runner takes out of it is gone */
    json_t *options;
    /* base of the run: --config, and the case's dtype */
    tern_config config;
    /* names without "in." and "out."; outputs as they are wanted, filled in by the run */
    tern_named_tensor *in, *out;
    size_t n_in, n_out;
    bool *used;                                  /* which inputs the run has asked for */
    struct tern_safetensors *file;               /* what holds the inputs */
} op_case;

/* options: JSON text, or the name of a file with it; null: none. It is an object of options, or a
 * fixture's: { "options", "dtype", "outputs" }. config: the name of a file, or null. */
tern_status op_case_open(tern_ctx *ctx, const char *op, const char *in_path, const char *config,
                         const char *options, op_case *c);
tern_status op_case_run(op_case *c);
tern_status op_case_write(op_case *c, const char *out_path);
void op_case_close(op_case *c);

/* ---- For the runners ---- */

/* Takes an integer option out of the options; absent: fallback. */
tern_status op_case_take(op_case *c, const char *name, int64_t least, int64_t fallback,
                         int64_t *value);

/* The input of that name, or of that name with the step's suffix; data null where there is none. */
tern_tensor op_case_input(const op_case *c, const char *name);
tern_tensor op_case_step_input(const op_case *c, const char *name, int64_t step);

/* Where the wanted output of that name goes, null where it is not wanted. */
tern_tensor *op_case_output(op_case *c, const char *name);
tern_tensor *op_case_step_output(op_case *c, const char *name, int64_t step);

/* A tensor with memory of its own, freed with the case's outputs. */
tern_status op_case_make(op_case *c, tern_dtype dtype, int rank, const int64_t *shape,
                         tern_tensor *out);

/* Fails where an input was never asked for, or a wanted output was not made: names it. */
tern_status op_case_settle(op_case *c);

tern_status op_run_context(op_case *c);
tern_status op_run_layer(op_case *c);
tern_status op_run_moe_layer(op_case *c);

#endif
