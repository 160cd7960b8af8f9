/* SentencePiece's tokenizer.model. */
#include "base/ctx.h"
#include "text/tok.h"

tern_status tokenizer_load_sentencepiece(tern_tokenizer *tok, const unsigned char *data, size_t n_bytes, const json_t *config)
{
    (void)data, (void)n_bytes, (void)config;
    return tern_fail(tok->ctx, TERN_ERR_UNSUPPORTED, "SentencePiece models are unknown");
}
