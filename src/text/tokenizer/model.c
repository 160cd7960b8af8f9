/* What the models share: see model.h. */
#include "text/tokenizer/model.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/ctx.h"
#include "base/memory.h"

const model_kind *model_find(const char *type)
{
    static const model_kind *const kinds[] = { &model_bpe, &model_unigram, &model_wordpiece, &model_wordlevel };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (!strcmp(kinds[i]->type, type)) return kinds[i];
    return NULL;
}

tern_status model_tokens_reserve(tern_ctx *ctx, model_tokens *list, size_t n)
{
    if (list->n + n <= list->capacity) return TERN_OK;
    size_t capacity = (list->n + n) + (list->n + n) / 2 + 64;
    tern_status st = tern_grow(ctx, (void **)&list->at, capacity, sizeof *list->at, "tokens");
    if (!st) list->capacity = capacity;
    return st;
}

static bool names_no_byte(const char *text, size_t n)
{
    if (n < 4 || memcmp(text, "<0x", 3) || text[n - 1] != '>') return false;
    return n != 6 || !isxdigit((unsigned char)text[3]) || !isxdigit((unsigned char)text[4]);
}

tern_status model_byte_ids(tern_ctx *ctx, const vocab *v, bool fall_back, int32_t ids[256])
{
    for (int b = 0; b < 256; b++) {
        char name[8];
        snprintf(name, sizeof name, "<0x%02X>", (unsigned)b);
        ids[b] = vocab_id(v, name, 6);
    }
    for (int32_t id = 0; fall_back && id < v->n_ids; id++) {
        size_t n;
        const char *text = vocab_text(v, id, &n);
        if (text && names_no_byte(text, n))
            return tern_fail(ctx, TERN_ERR_FORMAT, "the token \"%s\" stands for a byte, and names none from 00 to FF",
                             TERN_SHOWN(text));
    }
    return TERN_OK;
}
