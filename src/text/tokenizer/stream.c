/* Decoding as tokens come. Called by the engine and the program through tern/tokenizer.h; calls
 * tokenizer.c.
 *
 * The stream keeps the ids whose text the next ones may depend on, and their text as printed so far
 * (the prefix). A step decodes them all with the new one; what is longer than the prefix is new,
 * unless it ends in U+FFFD, for then a character is not finished. These are the steps of the
 * tokenizers library's DecodeStream, so that its pieces come out. */
#include <string.h>

#include "base/ctx.h"
#include "base/memory.h"
#include "text/tokenizer/stream.h"
#include "text/tokenizer/tok.h"
#include "text/utf8.h"

/* ids that may wait for the end of a character; no encoding needs more than 4, broken output can go
 * on for ever */
enum { WAIT_MOST = 64 };

struct tern_decode_stream {
    tern_ctx *ctx;
    const tern_tokenizer *tok;
    bool skip_special;
    /* whether runs of byte tokens are held back; whether the last id belongs to one */
    bool join_bytes, in_run;
    int32_t *ids;
    size_t n, capacity, n_printed;    /* n_printed: how many of ids the prefix covers */
    bytes prefix, text, piece;
    strings a, b;
};

tern_status tern_decode_stream_create(tern_ctx *ctx, const tern_tokenizer *tok, bool skip_special,
                                      tern_decode_stream **out)
{
    if (!tok || !out)
        return tern_fail(ctx, TERN_ERR_ARGUMENT, "tern_decode_stream_create: no tokenizer, or no place for the stream");
    tern_decode_stream *s = tern_alloc(ctx, 1, sizeof *s, "a decode stream");
    if (!s) return TERN_ERR_MEMORY;
    s->ctx = ctx;
    s->tok = tok;
    s->skip_special = skip_special;
    s->prefix.ctx = s->text.ctx = s->piece.ctx = s->a.data.ctx = s->b.data.ctx = ctx;
    *out = s;
    return TERN_OK;
}

void tern_decode_stream_free(tern_decode_stream *s)
{
    if (!s) return;
    tern_free(s->ids);
    bytes_free(&s->prefix);
    bytes_free(&s->text);
    bytes_free(&s->piece);
    strings_free(&s->a);
    strings_free(&s->b);
    tern_free(s);
}

static tern_status decode(tern_decode_stream *s, bytes *out)
{
    return tokenizer_decode_into(s->ctx, s->tok, s->ids, s->n, s->skip_special, &s->a, &s->b, out);
}

static bool unfinished(const bytes *text)
{
    return text->n >= 3 && !memcmp(text->data + text->n - 3, "\xef\xbf\xbd", 3);
}

/* s->piece: what s->text has beyond the prefix. A decoder that changes what was printed gives what
 * comes after the common part. */
static tern_status take_piece(tern_decode_stream *s)
{
    size_t same = 0;
    while (same < s->prefix.n && same < s->text.n && s->prefix.data[same] == s->text.data[same]) same++;
    while (same > 0 && same < s->text.n && utf8_continues(s->text.data[same])) same--;
    s->piece.n = 0;
    bytes_add(&s->piece, s->text.data + same, s->text.n - same);
    return s->piece.st;
}

static tern_status push_id(tern_decode_stream *s, int32_t id)
{
    if (s->n == s->capacity) {
        size_t capacity = s->capacity * 2 + 32;
        tern_status st = tern_grow(s->ctx, (void **)&s->ids, capacity, sizeof *s->ids, "a decode stream");
        if (st) return st;
        s->capacity = capacity;
    }
    s->ids[s->n++] = id;
    return TERN_OK;
}

void tern_decode_stream_join_bytes(tern_decode_stream *s)
{
    s->join_bytes = decode_joins_bytes(&s->tok->decoders);
}

static bool is_byte(const tern_decode_stream *s, int32_t id)
{
    size_t n;
    const char *text = tern_tokenizer_token(s->tok, id, &n);
    return text && decode_byte_of(text, n) >= 0;
}

tern_status tern_decode_stream_held(tern_decode_stream *s, const char **text, size_t *n_bytes)
{
    tern_status st = TERN_OK;
    s->piece.n = 0;
    if (s->in_run) {
        TERN_TRY(decode(s, &s->text));
        if (s->text.n > s->prefix.n && !unfinished(&s->text)) TERN_TRY(take_piece(s));
    }
done:
    *text = s->piece.data ? s->piece.data : "";
    *n_bytes = st ? 0 : s->piece.n;
    return st;
}

tern_status tern_decode_stream_step(tern_decode_stream *s, int32_t id, const char **text, size_t *n_bytes)
{
    tern_status st = TERN_OK;
    s->piece.n = 0;
    bytes_add(&s->piece, "", 0);
    if (s->skip_special ? !tokenizer_skips(s->tok, id) : tern_tokenizer_token(s->tok, id, NULL) != NULL) {
        if (!s->prefix.n && s->n && !s->in_run) {
            TERN_TRY(decode(s, &s->text));
            if (!unfinished(&s->text)) {
                s->prefix.n = 0;
                bytes_add(&s->prefix, s->text.data, s->text.n);
                s->n_printed = s->n;
            }
        }
        TERN_TRY(push_id(s, id));
        TERN_TRY(decode(s, &s->text));
        s->in_run = s->join_bytes && is_byte(s, id);
        bool may_change = s->in_run || unfinished(&s->text);
        if (s->text.n > s->prefix.n && (!may_change || s->n - s->n_printed > WAIT_MOST)) {
            TERN_TRY(take_piece(s));
            size_t left = s->n - s->n_printed;
            memmove(s->ids, s->ids + s->n_printed, left * sizeof *s->ids);
            s->n = left;
            TERN_TRY(decode(s, &s->prefix));
            s->n_printed = left;
        }
    }
    st = s->prefix.st ? s->prefix.st : s->piece.st;
done:
    *text = s->piece.data ? s->piece.data : "";
    *n_bytes = st ? 0 : s->piece.n;
    return st;
}

tern_status tern_decode_stream_finish(tern_decode_stream *s, const char **text, size_t *n_bytes)
{
    tern_status st = TERN_OK;
    s->piece.n = 0;
    bytes_add(&s->piece, "", 0);
    TERN_TRY(decode(s, &s->text));
    if (s->text.n > s->prefix.n) TERN_TRY(take_piece(s));
    s->n = s->n_printed = s->prefix.n = 0;
    s->in_run = false;
done:
    *text = s->piece.data ? s->piece.data : "";
    *n_bytes = st ? 0 : s->piece.n;
    return st;
}
