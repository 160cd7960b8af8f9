/* SentencePiece's tokenizer.model: a protocol buffer (sentencepiece_model.proto) with pieces, their
 * scores, and how text is prepared. Called by open.c through sentencepiece_json.c. */
#include "text/tokenizer/sentencepiece.h"

#include <string.h>

#include "base/ctx.h"
#include "base/memory.h"
#include "text/tokenizer/protobuf.h"
#include "text/utf8.h"

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
    if (utf8_valid_prefix(one.text, one.n_bytes) != one.n_bytes)
        return tern_fail(m->ctx, TERN_ERR_FORMAT, "piece %zu is not UTF-8", m->n);
    if (!(one.score > -1e30 && one.score < 1e30))
        return tern_fail(m->ctx, TERN_ERR_FORMAT, "piece %zu has a score that is no number", m->n);
    if (one.type == PIECE_UNKNOWN && m->unk_id < 0) m->unk_id = (int64_t)m->n;
    if (m->n == m->capacity) {
        size_t capacity = m->capacity * 2 + 1024;
        tern_status st = tern_grow(m->ctx, (void **)&m->pieces, capacity, sizeof *m->pieces, "pieces");
        if (st) return st;
        m->capacity = capacity;
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

tern_status sentencepiece_read(sp_model *m, const unsigned char *data, size_t n_bytes)
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
        return tern_fail(m->ctx, TERN_ERR_UNSUPPORTED, "the SentencePiece model type %llu is unknown (1 Unigram and 2 "
                         "BPE are known)", (unsigned long long)m->model_type);
    if (m->space_behind)
        return tern_fail(m->ctx, TERN_ERR_UNSUPPORTED, "SentencePiece's treat_whitespace_as_suffix is unknown");
    if (!m->escape)
        return tern_fail(m->ctx, TERN_ERR_UNSUPPORTED, "SentencePiece's escape_whitespaces = false is unknown");
    if (m->bos_id >= (int64_t)m->n || m->eos_id >= (int64_t)m->n)
        return tern_fail(m->ctx, TERN_ERR_FORMAT, "bos_id or eos_id is not a piece");
done:
    return st;
}
