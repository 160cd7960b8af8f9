/* Text for messages: what does not fit is cut at a character's end and marked "...", and control
 * characters never reach a terminal. Every sentence, and every name or value out of a file that
 * stands in one, is written by these. */
#ifndef TERN_BASE_SHOW_H
#define TERN_BASE_SHOW_H

#include <stdarg.h>
#include <stddef.h>
#include <tern/export.h>

enum { TERN_SHOWN_BYTES = 104 };

/* snprintf that marks what it cuts off; size at least 4. Returns the bytes that are written, the
 * NUL not counted: always below size. */
size_t tern_show(char *buffer, size_t size, const char *format, ...) TERN_PRINTF(3, 4);
size_t tern_show_v(char *buffer, size_t size, const char *format, va_list args);

/* A name out of a file as it stands in a sentence: control characters as escapes ("\n", "\x1b",
 * "\u202e"; those that change the direction of text are among them), bytes that are no UTF-8 as
 * '?'. Returns buffer. */
const char *tern_show_name(const char *name, char buffer[TERN_SHOWN_BYTES]);

/* The same within a call of the same block: "tern_fail(ctx, st, "the key \"%s\"",
 * TERN_SHOWN(key))". */
#define TERN_SHOWN(name) tern_show_name((name), (char[TERN_SHOWN_BYTES]){ 0 })

/* In place, for a sentence whose parts are not shown yet: control characters and bytes that are no
 * UTF-8 become '?', a newline a blank. */
void tern_clean_message(char *message);

#endif
