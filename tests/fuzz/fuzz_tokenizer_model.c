/* libFuzzer: any bytes as SentencePiece's tokenizer.model; where it opens, a text is encoded. */
#include <stdint.h>
#include <string.h>

#include "text/tokenizer/sentencepiece.h"
#include "text/tokenizer/tok.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char text[] = "The fox, a\xcc\x81 <s>x</s> 12\xff\n\t \xe4\xbd\xa0  don't";
    tern_ctx *ctx;
    tern_tokenizer *tok = NULL;
    tern_encoding enc = { 0 };
    json_t *config = json_object(), *json = NULL;
    bool prefix;
    if (tern_ctx_create(&(tern_ctx_options){ .threads = 1 }, &ctx)) return 0;
    if (!tokenizer_new(ctx, &tok) && !tokenizer_read_sentencepiece(ctx, data, size, NULL, config, &prefix, &json) &&
        !tokenizer_load_json(tok, json) && !tokenizer_finish(tok))
        tern_tokenizer_encode(tok, text, sizeof text - 1, &(tern_encode_options){ .add_special = true, .detail = true },
                              &enc);
    tern_encoding_free(&enc);
    tern_tokenizer_free(tok);
    json_decref(json);
    json_decref(config);
    tern_ctx_free(ctx);
    return 0;
}
