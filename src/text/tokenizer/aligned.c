/* Aligned text and its pieces: see aligned.h. Called by the normalizers, the pre-tokenizers and the
 * encoder. */
#include "text/tokenizer/aligned.h"

#include <string.h>

#include "base/ctx.h"
#include "base/memory.h"
#include "text/utf8.h"

void aligned_clear(aligned *out, align_mode mode)
{
    if (!out->capacity) out->data = NULL;
    out->n = 0;
    out->mode = mode;
}

void aligned_free(aligned *text)
{
    if (text->capacity) tern_free(text->data);
    tern_free(text->begin);
    tern_free(text->end);
    *text = (aligned){ 0 };
}

tern_status aligned_reserve(tern_ctx *ctx, aligned *out, size_t n)
{
    tern_status st = TERN_OK;
    size_t need = out->n + n, capacity = need + need / 2 + 64;
    if (need > UINT32_MAX / 2)
        return tern_fail(ctx, TERN_ERR_LIMIT, "normalized text of %zu bytes is longer than %u", need, UINT32_MAX / 2);
    if (need > out->capacity) {
        TERN_TRY(tern_grow(ctx, (void **)&out->data, capacity, 1, "normalized text"));
        out->capacity = capacity;
    }
    if (out->mode == ALIGN_KEPT && need > out->align_capacity) {
        TERN_TRY(tern_grow(ctx, (void **)&out->begin, capacity, sizeof *out->begin, "offsets"));
        TERN_TRY(tern_grow(ctx, (void **)&out->end, capacity, sizeof *out->end, "offsets"));
        out->align_capacity = capacity;
    }
done:
    return st;
}

void aligned_origin(const aligned *text, size_t begin, size_t end, size_t *from, size_t *to)
{
    if (text->mode == ALIGN_KEPT) {
        *from = text->begin[begin];
        *to = text->end[end - 1];
        return;
    }
    while (begin > 0 && utf8_continues(text->data[begin])) begin--;
    while (end < text->n && utf8_continues(text->data[end])) end++;
    *from = begin;
    *to = end;
}

tern_status aligned_put(tern_ctx *ctx, aligned *out, const aligned *in, size_t src, const char *bytes, size_t n)
{
    tern_status st = TERN_OK;
    size_t from = 0, to = 0;
    TERN_TRY(aligned_reserve(ctx, out, n));
    memcpy(out->data + out->n, bytes, n);
    if (out->mode == ALIGN_KEPT) {
        if (src != SIZE_MAX) aligned_origin(in, src, src + 1, &from, &to);
        for (size_t i = 0; i < n; i++) {
            out->begin[out->n + i] = (uint32_t)from;
            out->end[out->n + i] = (uint32_t)to;
        }
    }
    out->n += n;
done:
    return st;
}

tern_status aligned_copy(tern_ctx *ctx, aligned *out, const aligned *in, size_t begin, size_t end)
{
    tern_status st = TERN_OK;
    TERN_TRY(aligned_reserve(ctx, out, end - begin));
    if (end > begin) memcpy(out->data + out->n, in->data + begin, end - begin);
    for (size_t i = begin; out->mode == ALIGN_KEPT && i < end; i++) {
        size_t from, to;
        aligned_origin(in, i, i + 1, &from, &to);
        out->begin[out->n + i - begin] = (uint32_t)from;
        out->end[out->n + i - begin] = (uint32_t)to;
    }
    out->n += end - begin;
done:
    return st;
}

tern_status pieces_push(tern_ctx *ctx, pieces *list, size_t begin, size_t end, int32_t id)
{
    if (list->n == list->capacity) {
        size_t capacity = list->capacity * 2 + 64;
        tern_status st = tern_grow(ctx, (void **)&list->at, capacity, sizeof *list->at, "pieces of text");
        if (st) return st;
        list->capacity = capacity;
    }
    list->at[list->n++] = (piece){ (uint32_t)begin, (uint32_t)end, id };
    return TERN_OK;
}

void pieces_free(pieces *list)
{
    tern_free(list->at);
    *list = (pieces){ 0 };
}
