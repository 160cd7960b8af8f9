/* What the program says: sentences on stderr, results on stdout, with every write checked. */
#ifndef TERN_CLI_OUT_H
#define TERN_CLI_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <tern/export.h>

/* the last: by Ctrl-C, as shells count it */
enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_INTERRUPTED = 130 };

/* "tern: " and one line on stderr, control characters as '?', what is longer than 2 kB cut and
 * marked "...". cli_fail returns EXIT_FAILED, cli_usage EXIT_USAGE. */
void cli_say(const char *format, ...) TERN_PRINTF(1, 2);
int cli_fail(const char *format, ...) TERN_PRINTF(1, 2);
int cli_usage(const char *format, ...) TERN_PRINTF(1, 2);

/* Text to stdout at once. False where it cannot be written, and then nothing more is worth
 * computing. */
bool cli_put(const char *text, size_t n_bytes);

/* Ends the output: status, or EXIT_FAILED with a sentence where stdout could not be written
 * (without one where the reader has left). */
int cli_finish(int status);

/* One JSON document on stdout, in one line. Keys are given within objects and null within lists. */
typedef struct json_out {
    int depth;
    bool first[32];      /* by depth: nothing has been written there yet */
    char close[32];
} json_out;

void out_open(json_out *j, const char *key, char bracket);    /* '{' or '[' */
/* the innermost; the outermost ends the line */
void out_close(json_out *j);
/* bytes that are no UTF-8 become U+FFFD */
void out_string(json_out *j, const char *key, const char *text, size_t n_bytes);
void out_word(json_out *j, const char *key, const char *text);                      /* null: null */
void out_integer(json_out *j, const char *key, int64_t value);
/* %.9g; null where it is not finite */
void out_number(json_out *j, const char *key, double value);
void out_bool(json_out *j, const char *key, bool value);

/* %.9g on stdout, outside of any document. */
void out_float(float value);

#endif
