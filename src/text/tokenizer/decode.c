/* Decoders: see decode.h. Called by tokenizer.c and stream.c. */
#include "text/tokenizer/decode.h"

#include <string.h>

#include "base/ctx.h"
#include "base/json.h"
#include "base/memory.h"
#include "text/tokenizer/pretokenize.h"
#include "text/utf8.h"

static const char replacement[] = "\xef\xbf\xbd";    /* U+FFFD */

/* ---- Strings ---- */

tern_status strings_end(tern_ctx *ctx, strings *s)
{
    if (s->n == s->capacity) {
        size_t capacity = s->capacity * 2 + 16;
        tern_status st = tern_grow(ctx, (void **)&s->ends, capacity, sizeof *s->ends, "token texts");
        if (st) return st;
        s->capacity = capacity;
    }
    s->ends[s->n++] = s->data.n;
    return s->data.st;
}

void strings_clear(strings *s)
{
    s->n = s->data.n = 0;
    s->data.st = TERN_OK;
}

void strings_free(strings *s)
{
    bytes_free(&s->data);
    bytes_free(&s->scratch);
    tern_free(s->ends);
    *s = (strings){ .data = { .ctx = s->data.ctx } };
}

static const char *string_at(const strings *s, size_t i, size_t *n)
{
    size_t begin = i ? s->ends[i - 1] : 0;
    *n = s->ends[i] - begin;
    return s->data.data ? s->data.data + begin : "";
}

void bytes_add_lossy(bytes *out, const char *text, size_t n)
{
    while (n) {
        size_t good = utf8_valid_prefix(text, n), length;
        bytes_add(out, text, good);
        text += good;
        n -= good;
        if (!n) return;
        utf8_check(text, n, &length);
        bytes_add(out, replacement, 3);
        text += length;
        n -= length;
    }
}

/* The empty scratch of the strings that are being filled. */
static bytes *scratch_of(decoding *d)
{
    bytes *s = &d->out->scratch;
    s->ctx = d->ctx;
    s->n = 0;
    s->st = TERN_OK;
    return s;
}

tern_status decode_strings(decoding *d, const components *list)
{
    tern_status st = TERN_OK;
    for (size_t i = 0; i < list->n; i++) {
        strings *t = d->in;
        strings_clear(d->out);
        TERN_TRY(list->at[i].kind->decode(d, &list->at[i]));
        d->in = d->out;
        d->out = t;
    }
done:
    return st;
}

/* text with every old replaced. */
static void add_replaced(bytes *out, const char *text, size_t n, const char *old, size_t n_old, const char *content,
                         size_t n_content)
{
    const char *hit;
    while (n_old && (hit = memmem(text, n, old, n_old))) {
        bytes_add(out, text, (size_t)(hit - text));
        bytes_add(out, content, n_content);
        n -= (size_t)(hit + n_old - text);
        text = hit + n_old;
    }
    bytes_add(out, text, n);
}

/* ---- Kinds ---- */

static tern_status run_byte_level(decoding *d, const component *c)
{
    tern_status st = TERN_OK;
    bytes *raw = scratch_of(d);
    (void)c;
    for (size_t i = 0; i < d->in->n; i++) {
        size_t n, length, begin = raw->n, at = 0;
        const char *text = string_at(d->in, i, &n);
        for (; at < n; at += length) {
            int byte = byte_level_byte(utf8_get(text + at, &length));
            if (byte < 0) break;
            bytes_add(raw, &(char){ (char)byte }, 1);
        }
        if (at == n) continue;
        raw->n = begin;            /* a token outside the alphabet is taken as it is */
        bytes_add(raw, text, n);
    }
    if (raw->n) bytes_add_lossy(&d->out->data, raw->data, raw->n);
    st = raw->st ? raw->st : strings_end(d->ctx, d->out);
    return st;
}

/* The mark is a blank, except in the first token, where the prepended one is not text. */
static tern_status run_metaspace(decoding *d, const component *c)
{
    tern_status st = TERN_OK;
    for (size_t i = 0; i < d->in->n; i++) {
        size_t n;
        const char *text = string_at(d->in, i, &n);
        add_replaced(&d->out->data, text, n, c->text, c->n_text, " ", i > 0 || c->prepend == PREPEND_NEVER);
        TERN_TRY(strings_end(d->ctx, d->out));
    }
done:
    return st;
}

/* BERT's way of closing the gaps before punctuation and contractions, in this order (tokenizers,
 * decoders/wordpiece.rs; transformers' clean_up_tokenization has the same but for "do not", which
 * negations says). */
static tern_status add_cleaned(tern_ctx *ctx, bytes *out, const char *text, size_t n, bool negations)
{
    static const char *const rules[][2] = {
        { " .", "." }, { " ?", "?" }, { " !", "!" }, { " ,", "," }, { " ' ", "'" }, { " n't", "n't" }, { " 'm", "'m" },
        { " do not", " don't" },
        { " 's", "'s" }, { " 've", "'ve" }, { " 're", "'re" },
    };
    bytes a = { .ctx = ctx }, b = { .ctx = ctx };
    bytes_add(&a, text, n);
    for (size_t i = 0; i < sizeof rules / sizeof *rules && !a.st; i++) {
        if (!negations && !strcmp(rules[i][0], " do not")) continue;
        b.n = 0;
        add_replaced(&b, a.data ? a.data : "", a.n, rules[i][0], strlen(rules[i][0]), rules[i][1], strlen(rules[i][1]));
        bytes t = a;
        a = b;
        b = t;
    }
    if (!a.st) bytes_add(out, a.data ? a.data : "", a.n);
    tern_status st = out->st;
    if (a.st) st = a.st;
    else if (b.st) st = b.st;
    bytes_free(&a);
    bytes_free(&b);
    return st;
}

tern_status decode_clean_up(tern_ctx *ctx, bytes *out, const char *text, size_t n)
{
    return add_cleaned(ctx, out, text, n, false);
}

static tern_status load_wordpiece(tern_ctx *ctx, const json_t *json, component *c)
{
    tern_status st = TERN_OK;
    c->cleanup = true;
    TERN_TRY(component_text(ctx, json, "prefix", &c->text, &c->n_text));
    TERN_TRY(component_bool(ctx, json, "cleanup", &c->cleanup));
    if (!c->text) return tern_fail(ctx, TERN_ERR_FORMAT, "decoder WordPiece: no \"prefix\"");
done:
    return st;
}

static tern_status run_wordpiece(decoding *d, const component *c)
{
    tern_status st = TERN_OK;
    bytes word = { .ctx = d->ctx };
    for (size_t i = 0; i < d->in->n; i++) {
        size_t n;
        const char *text = string_at(d->in, i, &n);
        bool inside = n >= c->n_text && !memcmp(text, c->text, c->n_text);
        word.n = 0;
        if (i && !inside) bytes_add(&word, " ", 1);
        if (i && inside) bytes_add(&word, text + c->n_text, n - c->n_text);
        else bytes_add(&word, text, n);
        if (word.st) TERN_TRY(word.st);
        if (c->cleanup) TERN_TRY(add_cleaned(d->ctx, &d->out->data, word.data, word.n, true));
        else bytes_add(&d->out->data, word.data, word.n);
        TERN_TRY(strings_end(d->ctx, d->out));
    }
done:
    bytes_free(&word);
    return st;
}

static tern_status load_bpe(tern_ctx *ctx, const json_t *json, component *c)
{
    tern_status st = component_text(ctx, json, "suffix", &c->text, &c->n_text);
    return st || c->text ? st : tern_fail(ctx, TERN_ERR_FORMAT, "decoder BPEDecoder: no \"suffix\"");
}

static tern_status run_bpe(decoding *d, const component *c)
{
    tern_status st = TERN_OK;
    for (size_t i = 0; i < d->in->n; i++) {
        size_t n;
        const char *text = string_at(d->in, i, &n);
        add_replaced(&d->out->data, text, n, c->text, c->n_text, " ", i + 1 < d->in->n);
        TERN_TRY(strings_end(d->ctx, d->out));
    }
done:
    return st;
}

static tern_status load_ctc(tern_ctx *ctx, const json_t *json, component *c)
{
    tern_status st = TERN_OK;
    c->cleanup = true;
    TERN_TRY(component_text(ctx, json, "pad_token", &c->text, &c->n_text));
    TERN_TRY(component_text(ctx, json, "word_delimiter_token", &c->word, &c->n_word));
    TERN_TRY(component_bool(ctx, json, "cleanup", &c->cleanup));
    if (!c->text || !c->word)
        return tern_fail(ctx, TERN_ERR_FORMAT, "decoder CTC: no \"pad_token\" or no \"word_delimiter_token\"");
done:
    return st;
}

/* A token that repeats the one before it counts once; the pad token is nothing. */
static tern_status run_ctc(decoding *d, const component *c)
{
    tern_status st = TERN_OK;
    bytes word = { .ctx = d->ctx }, clean = { .ctx = d->ctx };
    for (size_t i = 0; i < d->in->n; i++) {
        size_t n, n_before = 0, begin = d->out->data.n;
        const char *text = string_at(d->in, i, &n), *before = i ? string_at(d->in, i - 1, &n_before) : NULL;
        if (before && n == n_before && !memcmp(text, before, n)) continue;
        word.n = clean.n = 0;
        add_replaced(&word, text, n, c->text, c->n_text, "", 0);
        if (word.st) TERN_TRY(word.st);
        if (c->cleanup) {
            TERN_TRY(add_cleaned(d->ctx, &clean, word.data ? word.data : "", word.n, true));
            add_replaced(&d->out->data, clean.data, clean.n, c->word, c->n_word, " ", 1);
        } else {
            bytes_add(&d->out->data, word.data, word.n);
        }
        if (d->out->data.n > begin) TERN_TRY(strings_end(d->ctx, d->out));
    }
done:
    bytes_free(&word);
    bytes_free(&clean);
    return st;
}

static tern_status load_replace(tern_ctx *ctx, const json_t *json, component *c)
{
    tern_status st = TERN_OK;
    TERN_TRY(component_text(ctx, json, "content", &c->text, &c->n_text));
    if (!c->text) return tern_fail(ctx, TERN_ERR_FORMAT, "decoder Replace: no \"content\"");
    TERN_TRY(pattern_load(ctx, json_object_get(json, "pattern"), "decoder Replace", &c->match));
done:
    return st;
}

static tern_status run_replace(decoding *d, const component *c)
{
    tern_status st = TERN_OK;
    for (size_t i = 0; i < d->in->n; i++) {
        size_t n, from = 0, begin, end;
        bool found;
        const char *text = string_at(d->in, i, &n);
        pattern_walk walk = { .text = text, .n = n };
        for (;;) {
            TERN_TRY(pattern_next(d->ctx, c->match, &walk, &found, &begin, &end));
            if (!found) break;
            bytes_add(&d->out->data, text + from, begin - from);
            bytes_add(&d->out->data, c->text, c->n_text);
            from = end;
        }
        bytes_add(&d->out->data, text + from, n - from);
        TERN_TRY(strings_end(d->ctx, d->out));
    }
done:
    return st;
}

static int hex(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

int decode_byte_of(const char *text, size_t n)
{
    if (n != 6 || memcmp(text, "<0x", 3) || text[5] != '>' || hex(text[3]) < 0 || hex(text[4]) < 0) return -1;
    return hex(text[3]) << 4 | hex(text[4]);
}

/* A run of byte tokens is its text if it is UTF-8, else one U+FFFD for each byte. */
static tern_status run_byte_fallback(decoding *d, const component *c)
{
    tern_status st = TERN_OK;
    bytes *run = scratch_of(d);
    (void)c;
    for (size_t i = 0; i <= d->in->n; i++) {
        size_t n = 0;
        const char *text = i < d->in->n ? string_at(d->in, i, &n) : "";
        int byte = decode_byte_of(text, n);
        if (byte >= 0) {
            bytes_add(run, &(char){ (char)byte }, 1);
            continue;
        }
        if (run->st) TERN_TRY(run->st);
        if (run->n && utf8_valid_prefix(run->data, run->n) == run->n) {
            bytes_add(&d->out->data, run->data, run->n);
            TERN_TRY(strings_end(d->ctx, d->out));
        } else {
            for (size_t k = 0; k < run->n; k++) {
                bytes_add(&d->out->data, replacement, 3);
                TERN_TRY(strings_end(d->ctx, d->out));
            }
        }
        run->n = 0;
        if (i == d->in->n) break;
        bytes_add(&d->out->data, text, n);
        TERN_TRY(strings_end(d->ctx, d->out));
    }
done:
    return st;
}

bool decode_joins_bytes(const components *list)
{
    for (size_t i = 0; i < list->n; i++)
        if (list->at[i].kind->decode == run_byte_fallback) return true;
    return false;
}

static tern_status run_fuse(decoding *d, const component *c)
{
    (void)c;
    if (d->in->data.n) bytes_add(&d->out->data, d->in->data.data, d->in->data.n);
    return strings_end(d->ctx, d->out);
}

static tern_status load_strip(tern_ctx *ctx, const json_t *json, component *c)
{
    tern_status st = TERN_OK;
    TERN_TRY(component_text(ctx, json, "content", &c->text, &c->n_text));
    TERN_TRY(component_size(ctx, json, "start", &c->start));
    TERN_TRY(component_size(ctx, json, "stop", &c->stop));
    if (!c->n_text || utf8_length((unsigned char)c->text[0]) != c->n_text)
        return tern_fail(ctx, TERN_ERR_FORMAT, "decoder Strip: \"content\" is not one character");
done:
    return st;
}

static tern_status run_strip(decoding *d, const component *c)
{
    tern_status st = TERN_OK;
    for (size_t i = 0; i < d->in->n; i++) {
        size_t n;
        const char *text = string_at(d->in, i, &n);
        for (size_t k = 0; k < c->start && n >= c->n_text && !memcmp(text, c->text, c->n_text); k++) {
            text += c->n_text;
            n -= c->n_text;
        }
        for (size_t k = 0; k < c->stop && n >= c->n_text && !memcmp(text + n - c->n_text, c->text, c->n_text); k++)
            n -= c->n_text;
        bytes_add(&d->out->data, text, n);
        TERN_TRY(strings_end(d->ctx, d->out));
    }
done:
    return st;
}

#define KEYS(...) (const char *const[]){ __VA_ARGS__, NULL }

static const component_kind kinds[] = {
    { .type = "ByteLevel", .keys = KEYS("add_prefix_space", "trim_offsets", "use_regex"), .decode = run_byte_level },
    { .type = "Metaspace", .keys = KEYS("replacement", "prepend_scheme", "split", "add_prefix_space", "str_rep"),
      .load = metaspace_load, .decode = run_metaspace },
    { .type = "WordPiece", .keys = KEYS("prefix", "cleanup"), .load = load_wordpiece, .decode = run_wordpiece },
    { .type = "BPEDecoder", .keys = KEYS("suffix"), .load = load_bpe, .decode = run_bpe },
    { .type = "CTC", .keys = KEYS("pad_token", "word_delimiter_token", "cleanup"), .load = load_ctc,
      .decode = run_ctc },
    { .type = "Replace", .keys = KEYS("pattern", "content"), .load = load_replace, .decode = run_replace },
    { .type = "ByteFallback", .decode = run_byte_fallback },
    { .type = "Fuse", .decode = run_fuse },
    { .type = "Strip", .keys = KEYS("content", "start", "stop"), .load = load_strip, .decode = run_strip },
};

const component_table decoder_table = { "decoder", "decoders", kinds, sizeof kinds / sizeof *kinds };
