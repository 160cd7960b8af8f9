/* SentencePiece's tokenizer.model: a protocol buffer (sentencepiece_model.proto) with pieces, their scores, and how text is prepared. Called by open.c.
 *
 * It is put down as the tokenizer.json that does the same: the model's type decides between Unigram and BPE, whose merges are all the ways in which
 * two pieces make a third, best score first. */
#include <stdlib.h>
#include <string.h>

#include "base/ctx.h"
#include "base/json.h"
#include "base/memory.h"
#include "text/tokenizer/assemble.h"
#include "text/tokenizer/bytes.h"
#include "text/tokenizer/protobuf.h"
#include "text/tokenizer/tok.h"
#include "text/utf8.h"

typedef enum piece_type { PIECE_NORMAL = 1, PIECE_UNKNOWN, PIECE_CONTROL, PIECE_USER_DEFINED, PIECE_UNUSED, PIECE_BYTE } piece_type;

typedef struct sp_piece {
    const char *text;
    size_t n_bytes;
    double score;
    piece_type type;
} sp_piece;

typedef struct sp_model {
    tern_ctx *ctx;
    sp_piece *pieces;
    size_t n, capacity;
    uint64_t model_type;                 /* 1 Unigram, 2 BPE, 3 word, 4 char */
    bool byte_fallback, space_behind;
    int64_t unk_id, bos_id, eos_id;      /* -1: none */
    const unsigned char *charsmap;
    size_t n_charsmap;
    bool dummy_prefix, one_space, escape;
} sp_model;

/* A merge of two pieces into one of this score. */
typedef struct sp_merge {
    size_t left, right, left_chars, right_chars, order;
    double score;
} sp_merge;

/* ---- Reading ---- */

static tern_status read_piece(sp_model *m, const protobuf_field *message)
{
    protobuf p = { .at = message->data, .end = message->data + message->n_bytes };
    protobuf_field f;
    sp_piece one = { .text = "", .type = PIECE_NORMAL };
    while (protobuf_next(&p, &f)) {
        if (f.number == 1 && f.wire == 2) {
            one.text = (const char *)f.data;
            one.n_bytes = f.n_bytes;
        } else if (f.number == 2 && f.wire == 5) {
            uint32_t bits = (uint32_t)f.value;
            float score;
            memcpy(&score, &bits, sizeof score);
            one.score = score;
        } else if (f.number == 3 && f.wire == 0) {
            one.type = (piece_type)f.value;
        }
    }
    if (p.broken) return tern_fail(m->ctx, TERN_ERR_FORMAT, "piece %zu is no protocol buffer", m->n);
    if (utf8_valid_prefix(one.text, one.n_bytes) != one.n_bytes || memchr(one.text, 0, one.n_bytes))
        return tern_fail(m->ctx, TERN_ERR_FORMAT, "piece %zu is not UTF-8, or has a NUL in it", m->n);
    if (!(one.score > -1e30 && one.score < 1e30)) return tern_fail(m->ctx, TERN_ERR_FORMAT, "piece %zu has a score that is no number", m->n);
    if (one.type == PIECE_UNKNOWN && m->unk_id < 0) m->unk_id = (int64_t)m->n;
    if (m->n == m->capacity) {
        size_t room = m->capacity * 2 + 1024;
        tern_status st = tern_grow(m->ctx, (void **)&m->pieces, room, sizeof *m->pieces, "pieces");
        if (st) return st;
        m->capacity = room;
    }
    m->pieces[m->n++] = one;
    return TERN_OK;
}

static void read_trainer(sp_model *m, protobuf *p)
{
    protobuf_field f;
    while (protobuf_next(p, &f)) {
        if (f.wire != 0) continue;
        if (f.number == 3) m->model_type = f.value;
        else if (f.number == 24) m->space_behind = f.value;
        else if (f.number == 35) m->byte_fallback = f.value;
        else if (f.number == 41) m->bos_id = (int32_t)f.value;
        else if (f.number == 42) m->eos_id = (int32_t)f.value;
    }
}

static void read_normalizer(sp_model *m, protobuf *p)
{
    protobuf_field f;
    while (protobuf_next(p, &f)) {
        if (f.number == 2 && f.wire == 2) {
            m->charsmap = f.data;
            m->n_charsmap = f.n_bytes;
        } else if (f.number == 3 && f.wire == 0) m->dummy_prefix = f.value;
        else if (f.number == 4 && f.wire == 0) m->one_space = f.value;
        else if (f.number == 5 && f.wire == 0) m->escape = f.value;
    }
}

static tern_status read_model(sp_model *m, const unsigned char *data, size_t n_bytes)
{
    tern_status st = TERN_OK;
    protobuf p = { .at = data, .end = data + n_bytes };
    protobuf_field f;
    while (protobuf_next(&p, &f)) {
        if (f.wire != 2) continue;
        protobuf inner = { .at = f.data, .end = f.data + f.n_bytes };
        if (f.number == 1) TERN_TRY(read_piece(m, &f));
        else if (f.number == 2) read_trainer(m, &inner);
        else if (f.number == 3) read_normalizer(m, &inner);
        if (f.number == 2 || f.number == 3) p.broken |= inner.broken;
    }
    if (p.broken) return tern_fail(m->ctx, TERN_ERR_FORMAT, "byte %zu: no protocol buffer", (size_t)(p.at - data));
    if (!m->n) return tern_fail(m->ctx, TERN_ERR_FORMAT, "no pieces");
    if (m->model_type != 1 && m->model_type != 2)
        return tern_fail(m->ctx, TERN_ERR_UNSUPPORTED, "the SentencePiece model type %llu is unknown (1 Unigram and 2 BPE are known)", (unsigned long long)m->model_type);
    if (m->space_behind) return tern_fail(m->ctx, TERN_ERR_UNSUPPORTED, "SentencePiece's treat_whitespace_as_suffix is unknown");
    if (!m->escape) return tern_fail(m->ctx, TERN_ERR_UNSUPPORTED, "SentencePiece's escape_whitespaces = false is unknown");
    if (m->bos_id >= (int64_t)m->n || m->eos_id >= (int64_t)m->n) return tern_fail(m->ctx, TERN_ERR_FORMAT, "bos_id or eos_id is not a piece");
done:
    return st;
}

/* ---- BPE's merges ---- */

static int compare_merges(const void *a, const void *b)
{
    const sp_merge *x = a, *y = b;
    if (x->score != y->score) return x->score > y->score ? -1 : 1;
    if (x->left_chars != y->left_chars) return x->left_chars > y->left_chars ? -1 : 1;
    if (x->right_chars != y->right_chars) return x->right_chars > y->right_chars ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order;
}

static size_t count_chars(const char *text, size_t n)
{
    size_t chars = 0;
    for (size_t i = 0; i < n; i++) chars += !utf8_continues(text[i]);
    return chars;
}

static bool may_merge(piece_type type)
{
    return type == PIECE_NORMAL || type == PIECE_USER_DEFINED || type == PIECE_UNUSED;
}

/* Every way to make a piece out of two others. */
static tern_status find_merges(const sp_model *m, const vocab *v, sp_merge **out, size_t *n_out)
{
    tern_status st = TERN_OK;
    size_t n = 0, capacity = 0;
    sp_merge *merges = NULL;
    for (size_t i = 0; i < m->n; i++) {
        const sp_piece *p = &m->pieces[i];
        if (!may_merge(p->type)) continue;
        for (size_t cut = 1; cut < p->n_bytes; cut++) {
            if (utf8_continues(p->text[cut])) continue;
            int32_t left = vocab_id(v, p->text, cut), right = left < 0 ? -1 : vocab_id(v, p->text + cut, p->n_bytes - cut);
            if (right < 0 || !may_merge(m->pieces[left].type) || !may_merge(m->pieces[right].type)) continue;
            if (n == capacity) {
                capacity = capacity * 2 + 1024;
                TERN_TRY(tern_grow(m->ctx, (void **)&merges, capacity, sizeof *merges, "merges"));
            }
            merges[n] = (sp_merge){ (size_t)left, (size_t)right, count_chars(p->text, cut), count_chars(p->text + cut, p->n_bytes - cut), n, p->score };
            n++;
        }
    }
    if (n) qsort(merges, n, sizeof *merges, compare_merges);
    *out = merges;
    *n_out = n;
    merges = NULL;
done:
    tern_free(merges);
    return st;
}

static tern_status merges_json(const sp_model *m, json_t *list)
{
    tern_status st = TERN_OK;
    vocab v = { 0 };
    sp_merge *merges = NULL;
    size_t n = 0;
    for (size_t i = 0; i < m->n; i++) TERN_TRY(vocab_add(m->ctx, &v, m->pieces[i].text, m->pieces[i].n_bytes, (int64_t)i, INT32_MAX - 1));
    TERN_TRY(find_merges(m, &v, &merges, &n));
    for (size_t i = 0; i < n; i++) {
        const sp_piece *l = &m->pieces[merges[i].left], *r = &m->pieces[merges[i].right];
        json_array_append_new(list, json_pack("[s%, s%]", l->text, l->n_bytes, r->text, r->n_bytes));
    }
done:
    tern_free(merges);
    vocab_free(&v);
    return st;
}

/* ---- The parts of tokenizer.json ---- */

static json_t *base64_json(const unsigned char *data, size_t n)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    bytes out = { 0 };
    for (size_t i = 0; i < n; i += 3) {
        uint32_t bits = (uint32_t)data[i] << 16 | (i + 1 < n ? (uint32_t)data[i + 1] << 8 : 0) | (i + 2 < n ? data[i + 2] : 0);
        char four[4] = { digits[bits >> 18], digits[bits >> 12 & 63], i + 1 < n ? digits[bits >> 6 & 63] : '=', i + 2 < n ? digits[bits & 63] : '=' };
        bytes_add(&out, four, 4);
    }
    json_t *json = out.st ? NULL : json_stringn(out.data ? out.data : "", out.n);
    bytes_free(&out);
    return json;
}

#define MARK "\xe2\x96\x81"    /* U+2581, which stands for a blank */

/* With remove_extra_whitespaces, as T5 has it: the table, no blanks at the end, one mark for many blanks; Metaspace does the rest. Else, as Llama has it: the
 * mark before all and for every blank. */
static json_t *normalizer_json(const sp_model *m)
{
    json_t *list = json_array();
    if (m->n_charsmap) json_array_append_new(list, json_pack("{s:s, s:o}", "type", "Precompiled", "precompiled_charsmap", base64_json(m->charsmap, m->n_charsmap)));
    if (m->one_space) {
        json_array_append_new(list, json_pack("{s:s, s:b, s:b}", "type", "Strip", "strip_left", 0, "strip_right", 1));
        json_array_append_new(list, json_pack("{s:s, s:{s:s}, s:s}", "type", "Replace", "pattern", "Regex", " {2,}", "content", MARK));
    } else {
        if (m->dummy_prefix) json_array_append_new(list, json_pack("{s:s, s:s}", "type", "Prepend", "prepend", MARK));
        json_array_append_new(list, json_pack("{s:s, s:{s:s}, s:s}", "type", "Replace", "pattern", "String", " ", "content", MARK));
    }
    return json_pack("{s:s, s:o}", "type", "Sequence", "normalizers", list);
}

static json_t *metaspace_json(const sp_model *m)
{
    return json_pack("{s:s, s:s, s:s, s:b}", "type", "Metaspace", "replacement", MARK, "prepend_scheme", m->dummy_prefix ? "always" : "never", "split", 1);
}

static json_t *decoder_json(const sp_model *m)
{
    if (m->one_space && !m->byte_fallback) return metaspace_json(m);
    json_t *list = json_pack("[{s:s, s:{s:s}, s:s}, {s:s}, {s:s}]", "type", "Replace", "pattern", "String", MARK, "content", " ", "type", "ByteFallback", "type", "Fuse");
    if (m->dummy_prefix) json_array_append_new(list, json_pack("{s:s, s:s, s:i, s:i}", "type", "Strip", "content", " ", "start", 1, "stop", 0));
    return json_pack("{s:s, s:o}", "type", "Sequence", "decoders", list);
}

/* BOS before and EOS behind, as the configuration says; without one, as the families do that have such files: Llama's BPE begins with BOS, T5's Unigram
 * ends with EOS. */
static json_t *post_json(const sp_model *m, const json_t *config)
{
    bool bos = assemble_flag(config, "add_bos_token", m->model_type == 2), eos = assemble_flag(config, "add_eos_token", m->model_type == 1);
    char *first = bos && m->bos_id >= 0 ? tern_strndup(m->ctx, m->pieces[m->bos_id].text, m->pieces[m->bos_id].n_bytes) : NULL;
    char *last = eos && m->eos_id >= 0 ? tern_strndup(m->ctx, m->pieces[m->eos_id].text, m->pieces[m->eos_id].n_bytes) : NULL;
    json_t *json = assemble_template(first, m->bos_id, last, m->eos_id, first ? 1 : 0, false);
    tern_free(first);
    tern_free(last);
    return json;
}

static json_t *added_json(const sp_model *m)
{
    json_t *added = json_array();
    for (size_t i = 0; i < m->n; i++) {
        const sp_piece *p = &m->pieces[i];
        if (p->type != PIECE_UNKNOWN && p->type != PIECE_CONTROL && p->type != PIECE_USER_DEFINED) continue;
        char *text = tern_strndup(m->ctx, p->text, p->n_bytes);
        if (text) json_array_append_new(added, assemble_added(text, (int64_t)i, p->type != PIECE_USER_DEFINED));
        tern_free(text);
    }
    return added;
}

static tern_status model_json(const sp_model *m, const json_t *config, json_t **out)
{
    tern_status st = TERN_OK;
    json_t *object = json_object(), *list = json_array(), *model = NULL;
    for (size_t i = 0; i < m->n; i++) {
        json_object_setn_new(object, m->pieces[i].text, m->pieces[i].n_bytes, json_integer((json_int_t)i));
        if (m->model_type == 1) json_array_append_new(list, json_pack("[s%, f]", m->pieces[i].text, m->pieces[i].n_bytes, m->pieces[i].score));
    }
    if (m->model_type == 1) {
        model = json_pack("{s:s, s:o, s:b, s:O}", "type", "Unigram", "unk_id", m->unk_id < 0 ? json_null() : json_integer(m->unk_id), "byte_fallback", (int)m->byte_fallback,
                          "vocab", list);
    } else {
        const sp_piece *unk = m->unk_id < 0 ? NULL : &m->pieces[m->unk_id];
        TERN_TRY(merges_json(m, list));
        model = json_pack("{s:s, s:o, s:b, s:b, s:O, s:O}", "type", "BPE", "unk_token", unk ? json_stringn(unk->text, unk->n_bytes) : json_null(), "fuse_unk", 1, "byte_fallback",
                          (int)m->byte_fallback, "vocab", object, "merges", list);
    }
    *out = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "model", model, "normalizer", normalizer_json(m), "pre_tokenizer", m->one_space ? metaspace_json(m) : json_null(), "decoder", decoder_json(m), "post_processor", post_json(m, config),
                     "added_tokens", added_json(m));
    if (!*out) st = tern_fail(m->ctx, TERN_ERR_MEMORY, "no memory for %zu pieces", m->n);
done:
    json_decref(object);
    json_decref(list);
    return st;
}

tern_status tokenizer_read_sentencepiece(tern_ctx *ctx, const unsigned char *data, size_t n_bytes, const json_t *config, json_t **json)
{
    tern_status st = TERN_OK;
    sp_model m = { .ctx = ctx, .model_type = 1, .unk_id = -1, .bos_id = 1, .eos_id = 2, .dummy_prefix = true, .one_space = true, .escape = true };
    TERN_TRY(read_model(&m, data, n_bytes));
    TERN_TRY(model_json(&m, config, json));
done:
    tern_free(m.pieces);
    return st;
}
