/* Text to tokens: added tokens out of the raw text, normalizers, pre-tokenizers, the model,
 * post-processors. tern_tokenizer_encode and tern_tokenizer_encode_spans are here; they call every
 * other part of src/text that works on the way in. */
#include <string.h>

#include "base/ctx.h"
#include "base/memory.h"
#include "text/tokenizer/normalize.h"
#include "text/tokenizer/postprocess.h"
#include "text/tokenizer/pretokenize.h"
#include "text/tokenizer/tok.h"
#include "text/utf8.h"

enum { SCRATCH_KEPT = 1 << 20 };    /* bytes of a scratch buffer that stay for the next text */

/* One sequence on its way. */
typedef struct sequence_job {
    tern_tokenizer *tok;
    const trust *trusted;
    bool detail;
    bool lower;                /* Lowercase runs before the tokenizer's own normalizers */
    int sequence;              /* 0 A, 1 B */
    tern_encoding *out;
} sequence_job;

void tern_encoding_free(tern_encoding *enc)
{
    tern_free(enc->ids);
    tern_free(enc->info);
    tern_free(enc->text);
    *enc = (tern_encoding){ 0 };
}

/* The input as valid UTF-8: itself, or a copy with U+FFFD. */
static tern_status take_input(tern_ctx *ctx, aligned *out, const char *text, size_t n)
{
    tern_status st = TERN_OK;
    size_t at = utf8_valid_prefix(text, n), length;
    if (n > TERN_MAX_TEXT_BYTES)
        return tern_fail(ctx, TERN_ERR_LIMIT, "a text of %zu bytes is longer than the %zu that one encode takes", n,
                         TERN_MAX_TEXT_BYTES);
    aligned whole = { .data = (char *)text, .n = n, .mode = ALIGN_SAME };
    if (at == n) {
        aligned_free(out);
        *out = whole;
        return st;
    }
    aligned_clear(out, ALIGN_KEPT);
    TERN_TRY(aligned_reserve(ctx, out, n + n / 2));
    for (size_t i = 0; i < n; i += length) {
        bool good = utf8_check(text + i, n - i, &length);
        TERN_TRY(aligned_reserve(ctx, out, 4));
        memcpy(out->data + out->n, good ? text + i : "\xef\xbf\xbd", good ? length : 3);
        for (size_t end = out->n + (good ? length : 3); out->n < end; out->n++) {
            out->begin[out->n] = (uint32_t)i;
            out->end[out->n] = (uint32_t)(i + length);
        }
    }
done:
    return st;
}

static bool has_lowercase(const components *list)
{
    for (size_t i = 0; i < list->n; i++)
        if (list->at[i].kind->normalize == normalize_lowercase) return true;
    return false;
}

static tern_status lower_first(tern_ctx *ctx, aligned **text, aligned **spare)
{
    aligned *t = *text;
    aligned_clear(*spare, t->mode == ALIGN_NONE ? ALIGN_NONE : ALIGN_KEPT);
    tern_status st = normalize_lowercase(ctx, NULL, t, *spare);
    *text = *spare;
    *spare = t;
    return st;
}

/* One raw piece, normalized and searched again, appended to out. */
static tern_status normalize_piece(sequence_job *job, const aligned *raw, piece one, aligned *out, pieces *list)
{
    tern_status st = TERN_OK;
    tern_tokenizer *tok = job->tok;
    aligned *a = &tok->scratch.text[2], *b = &tok->scratch.text[3];
    size_t at = out->n;
    aligned_clear(a, out->mode);
    TERN_TRY(aligned_copy(tok->ctx, a, raw, one.begin, one.end));
    if (job->lower) TERN_TRY(lower_first(tok->ctx, &a, &b));
    TERN_TRY(normalize(tok->ctx, &tok->normalizers, &a, &b));
    TERN_TRY(aligned_copy(tok->ctx, out, a, 0, a->n));
    TERN_TRY(added_split(tok->ctx, &tok->added, true, job->trusted, out, at, out->n, list));
done:
    return st;
}

/* The raw text's pieces, normalized. *text becomes the normalized text, *list its pieces. */
static tern_status normalize_pieces(sequence_job *job, aligned **text, aligned **spare, pieces **list, pieces **next)
{
    tern_status st = TERN_OK;
    tern_tokenizer *tok = job->tok;
    aligned *raw = *text, *out = *spare;
    bool rewrite = tok->normalizers.n > 0 || job->lower;
    (*next)->n = 0;
    if (rewrite) aligned_clear(out, raw->mode == ALIGN_NONE ? ALIGN_NONE : ALIGN_KEPT);
    for (size_t i = 0; i < (*list)->n; i++) {
        piece one = (*list)->at[i];
        size_t at = out->n;
        if (one.id >= 0 && rewrite) {
            TERN_TRY(aligned_copy(tok->ctx, out, raw, one.begin, one.end));
            TERN_TRY(pieces_push(tok->ctx, *next, at, out->n, one.id));
        } else if (one.id >= 0) {
            TERN_TRY(pieces_push(tok->ctx, *next, one.begin, one.end, one.id));
        } else if (rewrite) {
            TERN_TRY(normalize_piece(job, raw, one, out, *next));
        } else {
            TERN_TRY(added_split(tok->ctx, &tok->added, true, job->trusted, raw, one.begin, one.end, *next));
        }
    }
    pieces *t = *list;
    *list = *next;
    *next = t;
    if (rewrite) {
        *text = out;
        *spare = raw;
    }
done:
    return st;
}

/* Offsets and text of a token that covers [begin, end) of text. */
static tern_status add_detailed(sequence_job *job, const aligned *text, size_t begin, size_t end, int32_t id,
                                bool own_text)
{
    tern_token_info info = { .sequence = (int8_t)job->sequence, .type_id = job->sequence, .attend = true };
    const tern_tokenizer *tok = job->tok;
    const char *shown = text->data + begin;
    size_t n = end - begin;
    if (end > begin) aligned_origin(text, begin, end, &info.begin, &info.end);
    if (!own_text) shown = vocab_text(&tok->model.vocab, id, &n);
    return encoding_add(tok->ctx, job->out, true, id, &info, shown, shown ? n : 0);
}

static tern_status run_model(sequence_job *job, const aligned *text, const pieces *list)
{
    tern_status st = TERN_OK;
    tern_tokenizer *tok = job->tok;
    text_model *m = &tok->model;
    model_tokens *tokens = &tok->scratch.tokens;
    bool plain = !job->trusted->all;
    for (size_t i = 0; i < list->n; i++) {
        piece one = list->at[i];
        tokens->n = 0;
        if (one.id >= 0) {
            TERN_TRY(job->detail ? add_detailed(job, text, one.begin, one.end, one.id, true)
                                 : encoding_add(tok->ctx, job->out, false, one.id, NULL, NULL, 0));
            continue;
        }
        TERN_TRY(m->kind->encode(tok->ctx, m, text->data + one.begin, one.end - one.begin, one.begin, plain, tokens));
        for (size_t k = 0; k < tokens->n; k++) {
            model_token t = tokens->at[k];
            if (!job->detail) {
                TERN_TRY(encoding_add(tok->ctx, job->out, false, t.id, NULL, NULL, 0));
                continue;
            }
            if (t.end > one.end) t.end = one.end;
            if (t.begin > t.end) t.begin = t.end;
            TERN_TRY(add_detailed(job, text, t.begin, t.end, t.id, m->odd_text && t.id == m->unk_id));
        }
    }
done:
    return st;
}

static void shrink_scratch(encode_scratch *s)
{
    for (int i = 0; i < 4; i++)
        if (s->text[i].capacity > SCRATCH_KEPT || s->text[i].align_capacity > SCRATCH_KEPT) aligned_free(&s->text[i]);
    for (int i = 0; i < 3; i++)
        if (s->list[i].capacity > SCRATCH_KEPT / sizeof(piece)) pieces_free(&s->list[i]);
    for (int i = 0; i < 2; i++)
        if (s->sequences[i].capacity > SCRATCH_KEPT / 4) tern_encoding_free(&s->sequences[i]);
    if (s->tokens.capacity > SCRATCH_KEPT / sizeof(model_token)) {
        tern_free(s->tokens.at);
        s->tokens = (model_tokens){ 0 };
    }
}

static tern_status encode_sequence(sequence_job *job, const char *input, size_t n_bytes)
{
    tern_status st = TERN_OK;
    tern_tokenizer *tok = job->tok;
    encode_scratch *s = &tok->scratch;
    aligned *text = &s->text[0], *spare = &s->text[1];
    pieces *list = &s->list[0], *next = &s->list[1];
    bool rewrites = tok->normalizers.n || job->lower;
    bool need_origin = job->detail || (rewrites && pretokenizers_need_origin(&tok->pretokenizers)) ||
                       (job->trusted->n_ranges && tok->added.any_normal_special);
    job->out->n = job->out->n_text_bytes = 0;
    TERN_TRY(take_input(tok->ctx, text, input, n_bytes));
    list->n = 0;
    TERN_TRY(added_split(tok->ctx, &tok->added, false, job->trusted, text, 0, text->n, list));
    if (!need_origin && !pretokenizers_need_origin(&tok->pretokenizers)) text->mode = ALIGN_NONE;
    if (rewrites || tok->added.normal.nodes) TERN_TRY(normalize_pieces(job, &text, &spare, &list, &next));
    pretokenizing p = { .ctx = tok->ctx, .text = text, .spare = spare, .list = list, .next = next,
                        .segments = &s->list[2] };
    TERN_TRY(pretokenize(&p, &tok->pretokenizers));
    TERN_TRY(run_model(job, p.text, p.list));
done:
    for (int i = 0; i < 4; i++)
        if (!s->text[i].capacity) s->text[i].data = NULL;      /* the borrowed input */
    return st;
}

/* ---- Truncation and padding ---- */

static void cut(tern_encoding *e, size_t keep, bool from_left)
{
    if (keep >= e->n) return;
    size_t drop = from_left ? e->n - keep : 0;
    memmove(e->ids, e->ids + drop, keep * sizeof *e->ids);
    if (e->info) memmove(e->info, e->info + drop, keep * sizeof *e->info);
    e->n = keep;
}

/* The lengths that "longest first" leaves of two sequences: the longer gives way until both are
 * equal, then both do. */
static void share(size_t most, size_t *n1, size_t *n2)
{
    size_t lo = *n1 < *n2 ? *n1 : *n2, hi;
    bool swapped = *n1 > *n2;
    hi = lo > most || most - lo < lo ? lo : most - lo;
    if (lo + hi > most) {
        lo = most / 2;
        hi = lo + most % 2;
    }
    *n1 = swapped ? hi : lo;
    *n2 = swapped ? lo : hi;
}

static tern_status truncate_sequences(tern_tokenizer *tok, tern_encoding *seq, size_t n, const tern_encode_options *o)
{
    truncation asked = { .on = true, .from_left = tok->truncate.from_left, .max_tokens = o->max_tokens,
                         .strategy = TRUNCATE_LONGEST_FIRST };
    const truncation *t = o->max_tokens ? &asked : &tok->truncate;
    size_t added = o->add_special ? postprocess_added(&tok->postprocessors, n) : 0,
        most = t->max_tokens > added ? t->max_tokens - added : 0;
    size_t total = seq[0].n + (n == 2 ? seq[1].n : 0);
    if (!t->on || total <= most) return TERN_OK;
    if (t->strategy == TRUNCATE_LONGEST_FIRST || !most) {
        size_t n1 = most, n2 = 0;
        if (n == 2) {
            n1 = seq[0].n;
            n2 = seq[1].n;
            share(most, &n1, &n2);
            cut(&seq[1], n2, t->from_left);
        }
        cut(&seq[0], n1, t->from_left);
        return TERN_OK;
    }
    size_t which = t->strategy == TRUNCATE_ONLY_SECOND;
    if (which >= n || seq[which].n <= total - most)
        return tern_fail(tok->ctx, TERN_ERR_LIMIT, "the text has %zu tokens, and cutting the %s alone does not bring "
                         "it to %zu", total, which ? "second" : "first", most);
    cut(&seq[which], seq[which].n - (total - most), t->from_left);
    return TERN_OK;
}

static tern_status pad(tern_tokenizer *tok, bool detail, tern_encoding *out)
{
    tern_status st = TERN_OK;
    const padding *p = &tok->pad;
    tern_token_info info = { .type_id = p->type_id, .sequence = -1, .special = true };
    size_t old = out->n, want = p->fixed_tokens ? p->fixed_tokens : old;
    if (!p->on) return st;
    if (p->multiple && want % p->multiple) want += p->multiple - want % p->multiple;
    while (out->n < want) TERN_TRY(encoding_add(tok->ctx, out, detail, p->id, &info, p->token, strlen(p->token)));
    if (!p->to_left || out->n == old) return st;
    size_t added = out->n - old;
    memmove(out->ids + added, out->ids, old * sizeof *out->ids);
    for (size_t i = 0; i < added; i++) out->ids[i] = p->id;
    if (detail) {
        tern_token_info one = out->info[old];
        memmove(out->info + added, out->info, old * sizeof *out->info);
        for (size_t i = 0; i < added; i++) out->info[i] = one;
    }
done:
    return st;
}

/* ---- The whole ---- */

static tern_status encode(tern_tokenizer *tok, const char *text, size_t n_bytes, const trust *trusted,
                          const tern_encode_options *o, tern_encoding *out)
{
    tern_status st = TERN_OK;
    tern_encoding *seq = tok->scratch.sequences;
    sequence_job job = { .tok = tok, .trusted = trusted, .detail = o->detail,
                         .lower = o->lower_case && !has_lowercase(&tok->normalizers), .out = &seq[0] };
    size_t n = o->pair ? 2 : 1;
    out->n = out->n_text_bytes = 0;
    TERN_TRY(encode_sequence(&job, text, n_bytes));
    if (o->pair) {
        job.sequence = 1;
        job.out = &seq[1];
        TERN_TRY(encode_sequence(&job, o->pair, o->n_pair_bytes));
    }
    if (o->truncate || o->max_tokens) TERN_TRY(truncate_sequences(tok, seq, n, o));
    postprocessing p = { .ctx = tok->ctx, .sequences = seq, .inputs = (const char *const[]){ text, o->pair }, .n = n,
                         .add_special = o->add_special,
                         .detail = o->detail, .out = out };
    TERN_TRY(postprocess(&p, &tok->postprocessors));
    if (o->pad) TERN_TRY(pad(tok, o->detail, out));
    if (!o->detail) {
        tern_free(out->info);
        out->info = NULL;
        out->info_capacity = 0;
    }
done:
    if (st) out->n = 0;
    shrink_scratch(&tok->scratch);
    return st;
}

tern_status tern_tokenizer_encode(tern_tokenizer *tok, const char *text, size_t n_bytes,
                                  const tern_encode_options *options, tern_encoding *out)
{
    static const tern_encode_options none = { 0 };
    const tern_encode_options *o = options ? options : &none;
    if (!tok) return TERN_ERR_ARGUMENT;
    if (!out || (!text && n_bytes))
        return tern_fail(tok->ctx, TERN_ERR_ARGUMENT, "tern_tokenizer_encode: no text, or no place for its tokens");
    return encode(tok, text ? text : "", n_bytes, &(trust){ .all = o->parse_special, .split = tok->split_special }, o,
                  out);
}

/* The spans' texts end to end, and the trusted bytes' ranges, neighbours joined. */
static tern_status join_spans(tern_ctx *ctx, const tern_span *spans, size_t n_spans, bytes *text, uint32_t *ranges,
                              size_t *n_ranges)
{
    for (size_t i = 0; i < n_spans; i++) {
        size_t begin = text->n;
        if (spans[i].n_bytes > TERN_MAX_TEXT_BYTES || begin + spans[i].n_bytes > TERN_MAX_TEXT_BYTES)
            return tern_fail(ctx, TERN_ERR_LIMIT, "a chat of more than %zu bytes", TERN_MAX_TEXT_BYTES);
        bytes_add(text, spans[i].text, spans[i].n_bytes);
        if (!spans[i].trusted || !spans[i].n_bytes) continue;
        if (*n_ranges && ranges[2 * *n_ranges - 1] == begin) --*n_ranges;
        else ranges[2 * *n_ranges] = (uint32_t)begin;
        ranges[2 * *n_ranges + 1] = (uint32_t)text->n;
        ++*n_ranges;
    }
    return text->st;
}

tern_status tern_tokenizer_encode_spans(tern_tokenizer *tok, const tern_span *spans, size_t n_spans,
                                        const tern_encode_options *options, tern_encoding *out)
{
    tern_status st = TERN_OK;
    tern_encode_options o = options ? *options : (tern_encode_options){ 0 };
    size_t n_ranges = 0;
    uint32_t *ranges = NULL;
    if (!tok) return TERN_ERR_ARGUMENT;
    if (!out || (!spans && n_spans))
        return tern_fail(tok->ctx, TERN_ERR_ARGUMENT,
                         "tern_tokenizer_encode_spans: no spans, or no place for their tokens");
    bytes text = { .ctx = tok->ctx };
    o.pair = NULL;
    ranges = tern_alloc(tok->ctx, n_spans * 2, sizeof *ranges, "a chat's spans");
    if (!ranges) return TERN_ERR_MEMORY;
    TERN_TRY(join_spans(tok->ctx, spans, n_spans, &text, ranges, &n_ranges));
    TERN_TRY(encode(tok, text.data ? text.data : "", text.n,
                    &(trust){ .ranges = ranges, .n_ranges = n_ranges, .split = tok->split_special }, &o, out));
done:
    tern_free(ranges);
    bytes_free(&text);
    return st;
}
