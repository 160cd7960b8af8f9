/* What the engine asks of a stream beside tern/tokenizer.h: that its pieces together are the text
 * of all ids. */
#ifndef TERN_TEXT_STREAM_H
#define TERN_TEXT_STREAM_H

#include <stdbool.h>
#include <tern/tokenizer.h>

/* From here on a run of byte tokens ("<0x41>") is given out at its end only, or after 64 of them: a
 * later byte that is no UTF-8 makes U+FFFD of the whole run, so that what was printed of it before
 * would be no part of tern_tokenizer_decode's text. */
void tern_decode_stream_join_bytes(tern_decode_stream *stream);

/* The text that is held back because a run may go on: what it is if no more comes. *n_bytes 0:
 * none. *text is valid until the next call. */
tern_status tern_decode_stream_held(tern_decode_stream *stream, const char **text, size_t *n_bytes);

#endif
