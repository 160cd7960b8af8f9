/* tern_model: a Hugging Face checkpoint directory, opened as it is.
 *
 * Opening reads config.json, maps *.safetensors, and binds every tensor to its place; weights stay
 * in the mapped file where their stored layout serves. A tensor or option that tern does not know,
 * and a key of config.json that changes the result in Hugging Face transformers and is not
 * supported here, is an error with its name, and several faults are named together: a wrong model
 * never gives an answer. A key that transformers does not read is ignored, and listed
 * (tern_model_ignored). */
#ifndef TERN_MODEL_H
#define TERN_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <tern/context.h>
#include <tern/tensor.h>

typedef struct tern_model tern_model;

/* The type in which matrix products multiply. Both sides are rounded to it, and products are summed
 * in f32, except that under f16 the CPUs that have f16 multiply-adds (AVX512-FP16) sum up to 512
 * products in f16 before f32 takes over: twice the speed of f32 there, and no faster elsewhere. No
 * sum overflows for it: a row of activations is rounded in its own unit, and what f16 does not hold
 * is summed again in f32. A weight beyond 65504 is an error when the model is opened. */
typedef enum tern_compute { TERN_COMPUTE_STORED = 0, TERN_COMPUTE_F32 = 1, TERN_COMPUTE_BF16 = 2,
                            TERN_COMPUTE_F16 = 3 } tern_compute;
typedef enum tern_kv_type { TERN_KV_DEFAULT = 0, TERN_KV_F32 = 1, TERN_KV_F16 = 2,
                            TERN_KV_BF16 = 3 } tern_kv_type;

/* Whether a token of a decoder sees those behind it. STORED: as config.json says ("is_causal":
 * false: it does), and TERN_ERR_UNSUPPORTED where code that the checkpoint names may decide it (a
 * bare decoder with "AutoModel" in "auto_map" and no "is_causal"). A model that looks both ways
 * generates no text. */
typedef enum tern_attention_mask { TERN_ATTENTION_STORED = 0, TERN_ATTENTION_CAUSAL = 1,
                                   TERN_ATTENTION_BIDIRECTIONAL = 2 } tern_attention_mask;

typedef struct tern_model_options {
    /* stored: bf16 weights multiply in bf16, f32 and f16 weights in f32 */
    tern_compute compute;
    tern_kv_type kv;           /* default: the compute type; of an encoder, f32 */
    /* no weight file is read: weights of config.json's shapes, drawn by seed, to measure speed
     * with */
    bool random_weights;
    tern_dtype random_dtype;   /* the type they are "stored" in: f32, f16 or bf16 */
    /* keys of config.json that transformers does not read are refused, not ignored */
    bool strict;
    tern_attention_mask attention;
} tern_model_options;

/* What a model is. Strings live as long as the model. */
typedef struct tern_model_info {
    const char *architecture;               /* "LlamaForCausalLM" */
    const char *family;                     /* "llama" */
    const char *stored, *compute, *kv;      /* type names: "bf16" */
    /* a token sees those before it only, and text can be generated */
    bool causal;
    bool has_logits;                        /* has a head over the vocabulary */
    int64_t n_layer, dim, ffn, n_head, n_kv_head, head_dim, vocab;
    int64_t n_label;                        /* of a sequence-classification head; 0: none */
    int64_t n_expert, n_expert_used;
    int64_t max_tokens;                     /* positions the model was made for; 0: no such limit */
    int64_t n_param;
    /* of all weights; of those that could not stay in the file */
    size_t weight_bytes, copied_bytes;
    size_t kv_bytes_per_token;
    /* multiply-adds count two, attention over the context not counted */
    double flops_per_token;
    size_t read_bytes_per_token;            /* weights that one decoded token reads */
    /* of all experts of all layers; the token reads n_expert_used of n_expert of them */
    size_t expert_bytes;
    /* made to be causal: its last token stands for a text; false: an encoder */
    bool decoder;
    int64_t n_type;                         /* token types of an encoder; 0: it looks at none */
} tern_model_info;

/* Opens the directory dir, or, where modules.json of sentence-transformers says so, the folder of
 * its Transformer module; dir null: the demo model (see tern_demo_dir). options may be null. The
 * caller frees *out before ctx. */
TERN_API tern_status tern_model_open(tern_ctx *ctx, const char *dir,
                                     const tern_model_options *options, tern_model **out);
TERN_API void tern_model_free(tern_model *model);
TERN_API tern_model_info tern_model_get_info(const tern_model *model);

/* The i-th key of config.json that was ignored, "text_config.pooler_type", in the file's order, fit
 * to be printed (control characters are escapes, a long name is cut); null past the last. Lives as
 * long as the model. */
TERN_API const char *tern_model_ignored(const tern_model *model, size_t i);

/* Every reason why dir cannot be opened with these options (null: all defaults), a line each, as
 * text that tern_text_free frees; "" where it can. Reads no weights. Fails only where it cannot
 * look (TERN_ERR_MEMORY). */
TERN_API tern_status tern_model_explain(tern_ctx *ctx, const char *dir,
                                        const tern_model_options *options, char **text);

/* Looks at every weight: TERN_ERR_FORMAT with the tensor and the index of the first element of it
 * that is NaN or infinite. Opening does not look. */
TERN_API tern_status tern_model_check_weights(tern_model *model);

/* The ids of generation_config.json or config.json: end-of-sequence tokens, and the beginning or
 * padding token (-1: none). */
TERN_API size_t tern_model_eos(const tern_model *model, const int32_t **ids);
TERN_API int32_t tern_model_bos(const tern_model *model);
TERN_API int32_t tern_model_pad(const tern_model *model);

/* The label's name by id2label, "LABEL_3" where it has none; null past the last. Lives as long as
 * the model. */
TERN_API const char *tern_model_label(const tern_model *model, int64_t label);

/* The directory of the model that comes with tern: TERN_DEMO_MODEL where set, else beside the
 * program or library it was installed or built with. Written to buffer, which is returned; null
 * where none of them is there, or size is too small. */
TERN_API const char *tern_demo_dir(char *buffer, size_t size);

#endif
