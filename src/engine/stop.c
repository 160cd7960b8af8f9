/* Stop strings: see stop.h. Called for each token of a request that has some. */
#include "engine/stop.h"

#include <string.h>
#include <utf8proc.h>

#include "base/ctx.h"
#include "base/memory.h"

static bool is_utf8(const char *text, size_t n_bytes)
{
    utf8proc_int32_t c;
    for (size_t i = 0; i < n_bytes;) {
        utf8proc_ssize_t n = utf8proc_iterate((const utf8proc_uint8_t *)text + i, (utf8proc_ssize_t)(n_bytes - i), &c);
        if (n <= 0) return false;
        i += (size_t)n;
    }
    return true;
}

static tern_status check_stop(tern_ctx *ctx, const char *text, size_t i)
{
    size_t n = text ? strnlen(text, TERN_MOST_STOP_BYTES + 1) : 0;
    if (!n) return tern_fail(ctx, TERN_ERR_ARGUMENT, "stop string %zu is empty", i);
    if (n > TERN_MOST_STOP_BYTES)
        return tern_fail(ctx, TERN_ERR_LIMIT, "stop string %zu is longer than %d bytes", i, TERN_MOST_STOP_BYTES);
    if (!is_utf8(text, n)) return tern_fail(ctx, TERN_ERR_ARGUMENT, "stop string %zu is not UTF-8", i);
    return TERN_OK;
}

tern_status tern_stops_init(tern_ctx *ctx, tern_stops *s, const char *const *stop, size_t n_stop)
{
    tern_status st = TERN_OK;
    size_t longest = 0;
    if (n_stop > TERN_MOST_STOPS)
        return tern_fail(ctx, TERN_ERR_LIMIT, "%zu stop strings, at most %d", n_stop, TERN_MOST_STOPS);
    for (size_t i = 0; i < n_stop; i++) TERN_TRY(check_stop(ctx, stop[i], i));
    s->text = tern_alloc(ctx, n_stop, sizeof *s->text, "stop strings");
    s->n_bytes = tern_alloc(ctx, n_stop, sizeof *s->n_bytes, "stop strings");
    if (!s->text || !s->n_bytes) return TERN_ERR_MEMORY;
    for (; s->n < n_stop; s->n++) {
        size_t n = s->n_bytes[s->n] = strlen(stop[s->n]);
        if (n > longest) longest = n;
        if (!(s->text[s->n] = tern_strdup(ctx, stop[s->n]))) return TERN_ERR_MEMORY;
    }
    s->capacity = longest + 512;
    if (!(s->held = tern_alloc(ctx, s->capacity, 1, "stop strings"))) return TERN_ERR_MEMORY;
done:
    return st;
}

void tern_stops_clear(tern_stops *s)
{
    for (size_t i = 0; i < s->n; i++) tern_free(s->text[i]);
    tern_free(s->text);
    tern_free(s->n_bytes);
    tern_free(s->held);
    *s = (tern_stops){ 0 };
}

/* Where the first stop string to end begins; false: none is complete. */
static bool find_stop(const tern_stops *s, size_t *begin)
{
    size_t first_end = SIZE_MAX;
    *begin = 0;
    for (size_t i = 0; i < s->n; i++) {
        const char *at = memmem(s->held, s->n_held, s->text[i], s->n_bytes[i]);
        if (!at) continue;
        size_t start = (size_t)(at - s->held), end = start + s->n_bytes[i];
        if (end > first_end || (end == first_end && start > *begin)) continue;
        first_end = end;
        *begin = start;
    }
    return first_end != SIZE_MAX;
}

/* True where held from `from` on is the beginning of a stop string. */
static bool may_begin(const tern_stops *s, size_t from)
{
    size_t n = s->n_held - from;
    for (size_t i = 0; i < s->n; i++)
        if (n < s->n_bytes[i] && !memcmp(s->held + from, s->text[i], n)) return true;
    return false;
}

tern_status tern_stops_add(tern_ctx *ctx, tern_stops *s, const char *piece, size_t n_bytes)
{
    s->n_held -= s->n_ready;
    memmove(s->held, s->held + s->n_ready, s->n_held);
    s->n_ready = 0;
    if (s->n_held + n_bytes > s->capacity) {
        size_t capacity = 2 * (s->n_held + n_bytes);
        tern_status st = tern_grow(ctx, (void **)&s->held, capacity, 1, "text held back for stop strings");
        if (st != TERN_OK) return st;
        s->capacity = capacity;
    }
    memcpy(s->held + s->n_held, piece, n_bytes);
    s->n_held += n_bytes;
    return TERN_OK;
}

tern_status tern_stops_would_stop(tern_ctx *ctx, tern_stops *s, const char *piece, size_t n_bytes, bool *stops)
{
    size_t begin;
    tern_status st = tern_stops_add(ctx, s, piece, n_bytes);
    if (st != TERN_OK) return st;
    *stops = find_stop(s, &begin);
    s->n_held -= n_bytes;
    return TERN_OK;
}

bool tern_stops_take(tern_stops *s, bool last, const char **ready, size_t *n_ready)
{
    size_t end = 0;
    bool stopped = find_stop(s, &end);
    if (!stopped)
        for (end = last ? s->n_held : 0; end < s->n_held && !may_begin(s, end);) end++;
    s->n_ready = end;
    *ready = s->held;
    *n_ready = end;
    return stopped;
}
