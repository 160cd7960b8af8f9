/* The parts of tokenizer.json: normalizers, pre-tokenizers, post-processors and decoders, each read
 * into one component.
 *
 *     "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "Split", ...}, {"type":
 *     "ByteLevel", ...}]}
 *                              -> components: [Split][ByteLevel]          (sequences are flattened)
 *
 * Each of the four subjects (normalize.h, pretokenize.h, postprocess.h, decode.h) has a table of
 * kinds. A type that is in none is an error that names it; a key that its kind does not know is
 * noted and skipped, as the tokenizers library does. */
#ifndef TERN_TEXT_COMPONENT_H
#define TERN_TEXT_COMPONENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <tern/context.h>

#include "text/tokenizer/aligned.h"
#include "text/tokenizer/pattern.h"

typedef enum split_behavior { SPLIT_REMOVED, SPLIT_ISOLATED, SPLIT_MERGED_WITH_PREVIOUS,
                              SPLIT_MERGED_WITH_NEXT, SPLIT_CONTIGUOUS } split_behavior;
typedef enum prepend_scheme { PREPEND_ALWAYS, PREPEND_NEVER, PREPEND_FIRST } prepend_scheme;

/* One step of a template: a sequence, or a special token's ids. */
typedef struct template_part {
    int sequence;              /* 0 A, 1 B, -1 special */
    int32_t type_id;
    int32_t *ids;              /* [n_ids], owned */
    char **tokens;             /* [n_ids], owned */
    size_t n_ids;
} template_part;

struct charsmap;
struct component_kind;
struct pretokenizing;
struct postprocessing;
struct decoding;

typedef struct component {
    const struct component_kind *kind;
    pattern *match;                    /* Split, Replace, ByteLevel's expression */
    /* Replace's content, Prepend's text, Metaspace's mark, a prefix, suffix or delimiter */
    char *text;
    size_t n_text;
    char *word;                        /* CTC's word delimiter */
    size_t n_word;
    struct charsmap *map;              /* Precompiled */
    split_behavior behavior;
    prepend_scheme prepend;
    bool invert, add_prefix_space, trim_offsets, split, individual, cleanup, left, right;
    bool clean_text, chinese, lowercase, strip_accents;
    size_t start, stop;                /* Strip (decoder), FixedLength's length in start */
    template_part *single, *pair;      /* TemplateProcessing, BertProcessing, RobertaProcessing */
    size_t n_single, n_pair;
} component;

typedef struct components {
    component *at;
    size_t n;
} components;

/* What a component does: one function type for each subject, described in the subject's header. */
typedef tern_status normalize_fn(tern_ctx *ctx, component *c, const aligned *in, aligned *out);
typedef tern_status pretokenize_fn(struct pretokenizing *p, component *c);
typedef tern_status postprocess_fn(struct postprocessing *p, const component *c);
typedef tern_status decode_fn(struct decoding *d, const component *c);

typedef struct component_kind {
    const char *type;
    const char *const *keys;           /* what its JSON may hold besides "type", null at the end */
    /* null: nothing to read */
    tern_status (*load)(tern_ctx *ctx, const json_t *json, component *c);
    normalize_fn *normalize;           /* the one of these that its subject has */
    pretokenize_fn *pretokenize;
    postprocess_fn *postprocess;
    decode_fn *decode;
} component_kind;

/* Keys that the tokenizers library skips, and so does tern: "TemplateProcessing: use_regex". */
typedef struct ignored_keys {
    char **at;
    size_t n;
} ignored_keys;

/* Notes that owner (a type, a section) has this key for nothing. Each is noted once. */
tern_status ignored_add(tern_ctx *ctx, ignored_keys *ignored, const char *owner, const char *key);
void ignored_free(ignored_keys *ignored);

/* What a component is looked up in. */
typedef struct component_table {
    const char *subject;               /* "normalizer": begins errors                        */
    const char *list_key;              /* where a Sequence has its parts: "normalizers"      */
    const component_kind *kinds;
    size_t n_kinds;
} component_table;

/* Reads json (null or JSON null: nothing) into list, sequences flattened, in order. Keys that mean
 * nothing go to ignored. */
tern_status components_load(tern_ctx *ctx, const component_table *table, const json_t *json,
                            ignored_keys *ignored, components *list);
void components_free(components *list);

/* Typed look-ups of an optional key: absent (or null) leaves *out as it is; another type is an
 * error that names type and key. */
tern_status component_bool(tern_ctx *ctx, const json_t *json, const char *key, bool *out);
tern_status component_size(tern_ctx *ctx, const json_t *json, const char *key, size_t *out);
tern_status component_text(tern_ctx *ctx, const json_t *json, const char *key, char **out,
                           size_t *n_bytes);

/* The index of a string key's value among the n names; absent leaves *out. */
tern_status component_word(tern_ctx *ctx, const json_t *json, const char *key,
                           const char *const *names, size_t n, int *out);

#endif
