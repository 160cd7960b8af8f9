/* Pre-tokenizers: cut the normalized text into pieces for the model, and rewrite some of it
 * (ByteLevel, Metaspace).
 *
 * Each takes the whole list of pieces. What is already an added token passes through; an empty
 * piece disappears. */
#ifndef TERN_TEXT_PRETOKENIZE_H
#define TERN_TEXT_PRETOKENIZE_H

#include "text/tokenizer/component.h"

extern const component_table pretokenizer_table;

/* The text and its pieces; a pre-tokenizer may exchange them for the spare ones. All four are owned
 * by the encoder. */
typedef struct pretokenizing {
    tern_ctx *ctx;
    aligned *text, *spare;
    pieces *list, *next;
    pieces *segments;       /* scratch of one cut: id 1 a match, 0 what is between */
} pretokenizing;

tern_status pretokenize(pretokenizing *p, const components *list);

/* True if a component asks where its text came from, so that alignment must be kept. */
bool pretokenizers_need_origin(const components *list);

/* Walks over the pieces that are text for the model; rewrite: each appends to p->spare what stands
 * for it, and the text changes over. */
typedef tern_status piece_fn(pretokenizing *p, component *c, size_t begin, size_t end);
tern_status pretokenize_each(pretokenizing *p, component *c, bool rewrite, piece_fn *fn);

/* Cuts [begin, end) at the segments in p->segments and pushes the pieces. */
tern_status pretokenize_cut(pretokenizing *p, split_behavior behavior, bool invert);

/* The segments of [begin, end) by a pattern's matches, or by characters that satisfy is. */
tern_status segments_by_pattern(pretokenizing *p, pattern *match, size_t begin, size_t end);
tern_status segments_by_kind(pretokenizing *p, bool (*is)(uint32_t c), size_t begin, size_t end);

/* In files of their own. */
pretokenize_fn pretokenize_byte_level, pretokenize_metaspace, pretokenize_scripts;

/* GPT-2's alphabet: the character that stands for a byte, and back (-1: c stands for none).
 * byte_level_put returns its 1 or 2 bytes. */
size_t byte_level_put(char *out, unsigned char byte);
int byte_level_byte(uint32_t c);

/* Metaspace's fields, which the decoder of that name has too. */
tern_status metaspace_load(tern_ctx *ctx, const json_t *json, component *c);

/* GPT-2's expression. */
extern const char byte_level_expression[];

#endif
