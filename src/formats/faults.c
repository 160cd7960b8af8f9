/* Lists of faults: see faults.h. */
#include "formats/faults.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/ctx.h"
#include "base/memory.h"

static void add(tern_faults *faults, tern_status status, const char *sentence)
{
    if (faults->count == faults->capacity) {
        size_t capacity = faults->capacity ? 2 * faults->capacity : 8;
        if (tern_grow(NULL, (void **)&faults->sentences, capacity, sizeof *faults->sentences, "a list of faults")) {
            faults->out_of_memory = true;
            return;
        }
        faults->capacity = capacity;
    }
    char *copy = tern_strdup(NULL, sentence);
    if (!copy) {
        faults->out_of_memory = true;
        return;
    }
    tern_clean_message(copy);
    /* two readers of one value say the same */
    if (faults->count && !strcmp(copy, faults->sentences[faults->count - 1])) {
        tern_free(copy);
        return;
    }
    if (!faults->count) faults->status = status;
    faults->sentences[faults->count++] = copy;
}

void tern_faults_add(tern_faults *faults, tern_status status, const char *format, ...)
{
    char sentence[1024];
    va_list args;
    va_start(args, format);
    tern_show_v(sentence, sizeof sentence, format, args);
    va_end(args);
    add(faults, status, sentence);
}

void tern_faults_add_error(tern_faults *faults, tern_ctx *ctx, tern_status status)
{
    if (status == TERN_ERR_MEMORY) faults->out_of_memory = true;
    else add(faults, status, tern_ctx_error(ctx));
}

/* Space is kept for the text about those that are left out. */
static void join(const tern_faults *faults, char *text, size_t size)
{
    const size_t reserve = 32;
    size_t used = 0;
    text[0] = 0;
    for (size_t i = 0; i < faults->count; i++) {
        const char *between = i ? "; " : "";
        size_t left = size - used - reserve;
        if (i && strlen(between) + strlen(faults->sentences[i]) >= left) {
            tern_show(text + used, size - used, "; and %zu more", faults->count - i);
            return;
        }
        used += tern_show(text + used, left, "%s%s", between, faults->sentences[i]);
    }
}

tern_status tern_faults_fail(tern_ctx *ctx, const tern_faults *faults, const char *what)
{
    char text[sizeof ctx->error - 128];
    if (faults->out_of_memory) return tern_fail(ctx, TERN_ERR_MEMORY, "%s: no memory for the list of its faults", what);
    if (!faults->count) return TERN_OK;
    join(faults, text, sizeof text);
    if (faults->count == 1) return tern_fail(ctx, faults->status, "%s: %s", what, text);
    return tern_fail(ctx, faults->status, "%s: %zu faults: %s", what, faults->count, text);
}

void tern_faults_free(tern_faults *faults)
{
    for (size_t i = 0; i < faults->count; i++) tern_free(faults->sentences[i]);
    tern_free(faults->sentences);
    *faults = (tern_faults){ 0 };
}
