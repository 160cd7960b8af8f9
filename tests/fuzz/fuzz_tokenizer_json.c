/* libFuzzer: any bytes as a tokenizer.json; where it opens, text is encoded (plain, with special
 * tokens, as a pair, as spans) and every id decoded. The input is the file, or the file, a NUL, and
 * the text. */
#include <stdint.h>
#include <string.h>
#include <tern/tokenizer.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void use(tern_ctx *ctx, tern_tokenizer *tok, const char *text, size_t n)
{
    tern_encoding enc = { 0 };
    tern_decode_stream *stream;
    char *decoded;
    const char *piece;
    size_t n_decoded;
    tern_span spans[] = { { text, n / 2, true }, { text + n / 2, n - n / 2, false } };
    tern_tokenizer_encode(tok, text, n, NULL, &enc);
    tern_tokenizer_encode_spans(tok, spans, 2, &(tern_encode_options){ .add_special = true, .detail = true }, &enc);
    tern_tokenizer_encode(tok, text, n, &(tern_encode_options){ .add_special = true, .parse_special = true, .detail =
        true, .pair = "a b", .n_pair_bytes = 3 }, &enc);
    if (!tern_tokenizer_decode(tok, enc.ids, enc.n, false, &decoded, &n_decoded)) tern_text_free(decoded);
    if (!tern_decode_stream_create(ctx, tok, true, &stream)) {
        for (size_t i = 0; i < enc.n && i < 200; i++) tern_decode_stream_step(stream, enc.ids[i], &piece, &n_decoded);
        tern_decode_stream_finish(stream, &piece, &n_decoded);
        tern_decode_stream_free(stream);
    }
    tern_encoding_free(&enc);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char usual[] = "The fox, a\xcc\x81 <s>x</s> 12\xff\n\t \xe4\xbd\xa0 don't";
    const uint8_t *nul = size ? memchr(data, 0, size) : NULL;
    size_t n_json = nul ? (size_t)(nul - data) : size;
    const char *text = nul ? (const char *)nul + 1 : usual;
    size_t n_text = nul ? size - n_json - 1 : sizeof usual - 1;
    tern_ctx *ctx;
    tern_tokenizer *tok;
    if (tern_ctx_create(&(tern_ctx_options){ .threads = 1 }, &ctx)) return 0;
    if (!tern_tokenizer_from_json(ctx, (const char *)data, n_json, NULL, 0, &tok)) {
        use(ctx, tok, text, n_text < 2000 ? n_text : 2000);
        tern_tokenizer_free(tok);
    }
    tern_ctx_free(ctx);
    return 0;
}
