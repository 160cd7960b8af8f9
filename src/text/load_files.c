/* Tokenizers of older checkpoints: vocab.txt, and vocab.json with merges.txt. */
#include "base/ctx.h"
#include "text/tok.h"

tern_status tokenizer_load_wordpiece_files(tern_tokenizer *tok, const char *dir, const json_t *config)
{
    (void)config;
    return tern_fail(tok->ctx, TERN_ERR_UNSUPPORTED, "%s: vocab.txt alone is unknown", dir);
}

tern_status tokenizer_load_bpe_files(tern_tokenizer *tok, const char *dir, const json_t *config)
{
    (void)config;
    return tern_fail(tok->ctx, TERN_ERR_UNSUPPORTED, "%s: vocab.json alone is unknown", dir);
}
