/* The model from inside: what open.c fills, bind.c binds, forward.c runs. */
#ifndef TERN_MODEL_INTERNAL_H
#define TERN_MODEL_INTERNAL_H

#include "families/spec.h"
#include "formats/checkpoint.h"
#include "formats/generation_config.h"
#include "formats/faults.h"
#include "layers/layers.h"
#include "model/model.h"

/* Memory that the model owns beside the mapped files: weights that had to be copied, vectors
 * widened to f32. */
typedef struct tern_owned {
    void **block;
    size_t count, capacity, n_bytes;
} tern_owned;

/* Random weights: mappings of a nameless shared file, so that they lie in the kind of memory that a
 * checkpoint's do. */
typedef struct tern_random_maps {
    tern_map *map;
    size_t count, capacity;
} tern_random_maps;

/* What rounding to f16 took from the weights: see f16.c. */
typedef struct tern_f16_losses {
    /* weights rounded; those that became 0; tensors that lost most of their bits */
    int64_t n, n_zero, n_coarse;
    double worst;
    char first_zero[TERN_SHOWN_BYTES], worst_name[TERN_SHOWN_BYTES];
} tern_f16_losses;

typedef struct tern_model_layer {
    tern_tensor slot[N_SLOTS];
    /* [EXPERTS] of the slots that are counted by {e}; null: none */
    tern_tensor *expert[N_SLOTS];
    tern_experts *experts;
    tern_latent latent;                   /* kv_a without data: none */
    tern_transformer_layer *layer;
} tern_model_layer;

struct tern_model {
    tern_ctx *ctx;
    char *root, *dir;                     /* as opened; where config.json and the weights are */
    tern_hf_config *config;
    tern_spec_options wanted;
    tern_spec *spec;
    tern_checkpoint *checkpoint;          /* null: random weights */
    tern_owned owned;
    tern_tensor slot[N_SLOTS];            /* those that are not a layer's */
    tern_model_layer *layers;
    tern_embedding embedding;
    tern_head head;
    /* [heads, max_tokens] where alibi is no plain slope; without data: none */
    tern_tensor alibi;
    tern_dtype stored, compute, kv;
    tern_f16_losses f16;
    uint64_t random_state;
    tern_random_maps random_maps;
    bool random;
    tern_dtype random_dtype;
    int64_t n_param;
    size_t weight_bytes;
    /* bytes of weights that one token reads; weights that it is multiplied with */
    double read_bytes, matmul_params;
    double expert_bytes;                  /* of all experts */
    tern_hf_generation generation;
    int32_t eos[TERN_MAX_EOS];
    /* borrowed: tensors are looked at only, and what is wrong is kept here; null: they are
     * loaded */
    tern_faults *faults;
    /* the head's name, where the files have the tied table under that one alone; without a name:
     * the family's rows */
    tern_family_bind embed_row;
    const char **label;                   /* [LABELS], owned; null: none */
};

/* ---- bind.c: every slot of every layer gets its tensor, checked against the shape that the
 * settings ask for; every tensor of the files is used, ignorable, or refused by name. */
tern_status tern_model_bind(tern_model *m);

/* bind.c: the stored tensor that a row of no layer stands for; null: none. */
const tern_stored *tern_model_look_up(const tern_model *m, const tern_family_bind *row);

/* ---- tie.c: a head or a bias that the files have although config.json ties it: marked as used
 * where it is the embedding again; else S_TIED is cleared, and the log says so. */
void tern_model_settle_head(tern_model *m);

/* ---- explain.c: the failure of opening m, whose status was first, again with every fault in
 * one sentence. */
tern_status tern_model_fail_whole(const tern_model *m, tern_status first);

/* explain.c: TERN_ERR_MEMORY with both figures where m's random weights are more than can be had:
 * what is drawn page by page is not refused. */
tern_status tern_model_weigh(const tern_model *m);

/* ---- forward.c: TERN_ERR_STATE with the file's name where a file of the model was cut or
 * written to since it was mapped: asked before weights are read. And where bytes were missing
 * while they were read: asked afterwards. */
tern_status tern_model_intact(const tern_model *m);
tern_status tern_model_cut(const tern_model *m);

/* ---- shapes.c: the shape of a slot by the settings. n_shape alternatives, each of rank 1 to 3;
 * a slot that the settings have no use for has none. */
typedef struct tern_slot_shape {
    int n_shape, rank[3];
    int64_t shape[3][3];
} tern_slot_shape;
tern_slot_shape tern_slot_shape_of(const tern_spec *spec, tern_slot slot);
bool tern_slot_applies(const tern_spec *spec, tern_slot slot, int64_t layer);
const char *tern_slot_name(tern_slot slot);

/* ---- owned.c: memory of the model */
void *tern_model_own(tern_model *m, size_t n_bytes, const char *what);
void tern_owned_free(tern_owned *owned);
void tern_random_free(tern_random_maps *maps);

/* Brings a stored tensor into the form that its use needs: a vector as f32; a matrix as it is, or
 * copied where it must be transposed or converted for the compute type; a layer's matrix, which
 * products of the compute type read as a whole, likewise, and packed for them where it was copied;
 * a table, whose rows are looked up, as it is. What is not aligned to its own element is copied. */
typedef enum tern_use { USE_VECTOR, USE_MATRIX, USE_LAYER_MATRIX, USE_TABLE } tern_use;
tern_status tern_model_shape_tensor(tern_model *m, const char *name, tern_tensor stored,
                                    tern_how how, tern_use use, tern_tensor *out);

/* f16.c: TERN_ERR_NUMERIC where a finite number of from became infinite in to, its f16; counts what
 * was lost. tern_model_tell_f16 says it in the log. */
tern_status tern_model_check_f16(tern_model *m, const tern_tensor *from, const tern_tensor *to,
                                 const char *name);
void tern_model_tell_f16(const tern_model *m);

/* A tensor of shape with random values, as if stored in the model's random_dtype. */
tern_status tern_model_random_tensor(tern_model *m, int rank, const int64_t *shape,
                                     tern_tensor *out);

/* ---- open.c: what the options ask of config.json. */
tern_spec_options tern_model_spec_options(const tern_model_options *options);

/* ---- labels.c: the names of id2label */
tern_status tern_model_read_labels(tern_model *m);

/* ---- assemble.c: layers and ends out of bound slots */
tern_status tern_model_assemble(tern_model *m);

/* Alibi's slope of head (from 0) of n: 2^-(8 i / P) for i = 1 .. P, P the largest power of two up
 * to n; the heads beyond take every other step of 2 P.
 * Source: Press et al. 2022 and its reference code; Hugging Face build_alibi_tensor. */
float tern_alibi_slope(int64_t n, int64_t head);

#endif
