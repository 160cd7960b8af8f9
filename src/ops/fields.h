/* Structs read from JSON and written back, by a table of their fields: configs and the options of
 * ops.
 *
 *     static const field moe_fields[] = {
 *         { "k", NULL, FIELD_INT, offsetof(tern_moe_config, k), 1, 1e9, NULL, NULL },
 *         { 0 },
 *     };
 */
#ifndef TERN_OPS_FIELDS_H
#define TERN_OPS_FIELDS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <tern/config.h>

typedef enum field_kind {
    FIELD_BOOL,      /* bool */
    FIELD_NOT,       /* bool that holds the opposite: "add_bias" in no_bias */
    FIELD_IGNORED,   /* a boolean that has no effect, and no place */
    FIELD_INT,       /* int64_t */
    FIELD_NUMBER,    /* double */
    FIELD_ENUM,      /* an enumeration (int), by name or by number */
    FIELD_TEXT,      /* char[TERN_TEXT_BYTES]; null is "" */
    FIELD_STRUCT,    /* a struct of its own, with its own table */
    FIELD_INTS,      /* tern_int_list */
    /* char[TERN_TEXT_BYTES]: a string as it is, an object or list as JSON text, null as "" */
    FIELD_JSON,
    FIELD_NONE       /* null, and nothing else: an object of Python's, which has no place here */
} field_kind;

typedef struct field_name {
    const char *name;
    int value;
} field_name;

typedef struct field {
    const char *name, *alias;      /* alias: a second spelling, or null */
    field_kind kind;
    size_t offset;
    /* FIELD_INT, FIELD_NUMBER: what it may be; both 0: anything finite */
    double min, max;
    const field_name *names;       /* FIELD_ENUM; the first name of a value is the one written */
    const struct field *fields;    /* FIELD_STRUCT */
} field;

/* Writes the members of object into the struct. A wrong kind is TERN_ERR_FORMAT, a value outside
 * its range or names TERN_ERR_ARGUMENT, and *into is then partly written: read into a copy. An
 * unknown key: TERN_ERR_ARGUMENT with the nearest known one, or under compatible mode a line in the
 * log. what begins each sentence: "config", "linear". */
tern_status fields_read(tern_ctx *ctx, const char *what, const json_t *object, const field *fields,
                        tern_config_mode mode, void *into);

/* One member into one field. */
tern_status field_read(tern_ctx *ctx, const char *what, const json_t *value, const field *f,
                       void *into);

/* A new object of all fields, null for want of memory. */
json_t *fields_write(const field *fields, const void *from);

/* The field of that name or alias, null if there is none. */
const field *fields_find(const field *fields, const char *name);

/* The name of an enumeration's value, "?" for one that has none. */
const char *field_name_of(const field_name *names, int value);

/* Reads a config out of a parsed object, which it may change; *config is as before where it fails.
 * what begins each sentence. */
typedef tern_status config_reader(tern_ctx *ctx, const char *what, json_t *object,
                                  tern_config_mode mode, void *config);

/* A config from JSON text, or from a file, whose name then begins the sentences. text, path and
 * config may be null: an error. */
tern_status config_from_text(tern_ctx *ctx, const char *what, const char *text, size_t n_bytes,
                             tern_config_mode mode, config_reader *read, void *config);
tern_status config_from_path(tern_ctx *ctx, const char *what, const char *path,
                             tern_config_mode mode, config_reader *read, void *config);

enum { CONFIG_MOST_BYTES = 1 << 20 };

/* The JSON object as text that tern_text_free frees; takes the reference. */
tern_status fields_text(tern_ctx *ctx, json_t *object, char **text);

extern const field_name names_of_activations[], names_of_norms[], names_of_dtypes[],
    names_of_types[], names_of_mlp_types[];

#endif
