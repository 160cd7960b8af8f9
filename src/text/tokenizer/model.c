/* What the models share: see model.h. */
#include "text/tokenizer/model.h"

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
    size_t room = (list->n + n) + (list->n + n) / 2 + 64;
    tern_status st = tern_grow(ctx, (void **)&list->at, room, sizeof *list->at, "tokens");
    if (!st) list->capacity = room;
    return st;
}

int32_t model_byte_id(const vocab *v, unsigned char b)
{
    char name[8];
    snprintf(name, sizeof name, "<0x%02X>", b);
    return vocab_id(v, name, 6);
}
