/* Stop strings in a stream of text: what may be printed now, and where a stop string ended it.
 *
 * Text arrives in pieces of any size, and the outcome depends on the text alone: the stop string
 * whose end comes first counts, of several that end there the longest. Text that may be the
 * beginning of a stop string is held back until that is decided. */
#ifndef TERN_ENGINE_STOP_H
#define TERN_ENGINE_STOP_H

#include <stdbool.h>
#include <tern/context.h>

enum { TERN_MOST_STOPS = 64, TERN_MOST_STOP_BYTES = 4096 };

typedef struct tern_stops {
    char **text;             /* owned copies */
    size_t *n_bytes;
    size_t n;
    char *held;              /* text not printed yet */
    size_t n_held, capacity;
    size_t n_ready;          /* bytes of held that the last call gave out: they go with the next */
} tern_stops;

/* Copies the stop strings, of which there may be none. TERN_ERR_ARGUMENT an empty one or one that
 * is not UTF-8 | TERN_ERR_LIMIT too many or too long. *s starts zeroed. */
tern_status tern_stops_init(tern_ctx *ctx, tern_stops *s, const char *const *stop, size_t n_stop);
void tern_stops_clear(tern_stops *s);

/* Adds a piece of text. Memory is the only failure. */
tern_status tern_stops_add(tern_ctx *ctx, tern_stops *s, const char *piece, size_t n_bytes);

/* Whether a stop string would be complete if the piece were added; nothing is added. Memory is the
 * only failure. */
tern_status tern_stops_would_stop(tern_ctx *ctx, tern_stops *s, const char *piece, size_t n_bytes,
                                  bool *stops);

/* What may be printed of the text added: *ready [*n_ready], which lives until the next call. True:
 * a stop string is complete, and *ready is the last text before it. last: nothing more comes, so
 * nothing is held back. */
bool tern_stops_take(tern_stops *s, bool last, const char **ready, size_t *n_ready);

#endif
