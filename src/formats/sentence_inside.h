/* The reader of sentence-transformers' files from inside: see sentence.h. */
#ifndef TERN_FORMATS_SENTENCE_INSIDE_H
#define TERN_FORMATS_SENTENCE_INSIDE_H

#include "formats/sentence.h"

enum { SENTENCE_JSON_BYTES = 1 << 20, SENTENCE_PATH = 4096 };

/* A JSON object of settings and the text that names its file. */
typedef struct settings {
    tern_ctx *ctx;
    char where[SENTENCE_PATH];
    json_t *json;                /* owned */
} settings;

/* Reads dir/folder/name, an object. */
tern_status settings_open(tern_ctx *ctx, const char *dir, const char *folder, const char *name,
                          settings *out);
void settings_close(settings *s);

/* *value stays where the key is absent or null; a value of another kind is TERN_ERR_FORMAT. A
 * string is borrowed. */
tern_status settings_bool(const settings *s, const char *key, bool *value);
tern_status settings_count(const settings *s, const char *key, int64_t *value);    /* from 1 on */
tern_status settings_text(const settings *s, const char *key, const char **value);

/* Looks for keys outside known (null ends it): TERN_ERR_UNSUPPORTED with its name, or where the
 * reference drops it (warn) a line in the log. */
tern_status settings_known(const settings *s, const char *const *known, bool warn);

/* sentence_module.c: the module of class name ("Dense") with its files in dir/folder. *computes
 * false: it changes nothing. */
tern_status sentence_module_read(tern_ctx *ctx, const char *dir, const char *folder,
                                 const char *name, tern_module *out, bool *computes);

/* sentence_transformer.c: the Transformer module's settings, in dir/folder. */
tern_status sentence_transformer_read(tern_ctx *ctx, const char *dir, const char *folder,
                                      tern_sentence *out);

#endif
