/* Stands in until the tokenizer is there: every call says so. The file goes when src/text/tokenizer.c comes. */
#include <tern/tokenizer.h>

#include "base/ctx.h"

#define NONE return TERN_ERR_UNSUPPORTED;
tern_status tern_tokenizer_open(tern_ctx *ctx, const char *dir, tern_tokenizer **out) { (void)out; return tern_fail(ctx, TERN_ERR_UNSUPPORTED, "%s: no tokenizer yet", dir); }
void tern_tokenizer_free(tern_tokenizer *tok) { (void)tok; }
tern_status tern_tokenizer_encode(tern_tokenizer *tok, const char *text, size_t n_bytes, const tern_encode_options *options, tern_encoding *out)
{ (void)tok; (void)text; (void)n_bytes; (void)options; (void)out; NONE }
tern_status tern_tokenizer_decode(const tern_tokenizer *tok, const int32_t *ids, size_t n, bool skip, char **text, size_t *n_bytes)
{ (void)tok; (void)ids; (void)n; (void)skip; (void)text; (void)n_bytes; NONE }
void tern_encoding_free(tern_encoding *enc) { (void)enc; }
tern_status tern_decode_stream_create(tern_ctx *ctx, const tern_tokenizer *tok, bool skip, tern_decode_stream **out) { (void)ctx; (void)tok; (void)skip; (void)out; NONE }
void tern_decode_stream_free(tern_decode_stream *stream) { (void)stream; }
tern_status tern_decode_stream_step(tern_decode_stream *s, int32_t id, const char **text, size_t *n) { (void)s; (void)id; (void)text; (void)n; NONE }
tern_status tern_decode_stream_finish(tern_decode_stream *s, const char **text, size_t *n) { (void)s; (void)text; (void)n; NONE }
const char *tern_tokenizer_token(const tern_tokenizer *tok, int32_t id, size_t *n) { (void)tok; (void)id; (void)n; return NULL; }
int32_t tern_tokenizer_role(const tern_tokenizer *tok, tern_role role) { (void)tok; (void)role; return -1; }
