/* config.json and its like: values by name, each checked, and at the end no key that was not looked
 * up.
 *
 *     tern_hf_need_int(config, "hidden_size", 1, 1 << 20, &dim);          required
 *   heads = 8; tern_hf_int(config, "num_heads", 1, 1024, &heads);  8 where the key is absent or
 *   null
 *     st = tern_hf_finish(config, rows, n);         every fault so far, and every key not explained
 *
 * A getter returns true where the key is there and good. A value of another kind or out of range,
 * and a required key that is missing, is kept as a fault (file, key, value, what is allowed), the
 * caller's value stays, and reading goes on, so that a user sees every reason at once from
 * tern_hf_finish.
 *
 * A key may be a dotted path, "rope_parameters.rope_type". Where "text_config" is an object (the
 * language part of a composite model), a key is looked up there first and then outside. A key is
 * explained once a getter has asked for it, or by a row of ignorable keys; an outer twin of an
 * inner key only if both say the same. "auto_map" names code that is never executed.
 *
 * With tern_hf_set_class, the getters of single values give the class's own default where a key is
 * absent (not where it is null), and an unexplained key that the class does not read is ignored and
 * listed instead of refused. */
#ifndef TERN_FORMATS_HF_CONFIG_H
#define TERN_FORMATS_HF_CONFIG_H

#include <jansson.h>
#include <stdint.h>
#include <tern/context.h>

#include "formats/faults.h"

typedef struct tern_hf_config tern_hf_config;

/* Reads dir/name (at most 8 MB of JSON, an object). The caller owns *out: tern_hf_config_free. It
 * refers to ctx. */
tern_status tern_hf_config_open(tern_ctx *ctx, const char *dir, const char *name,
                                tern_hf_config **out);

/* The same from text; what begins the sentences of errors. */
tern_status tern_hf_config_parse(tern_ctx *ctx, const char *what, const char *text, size_t n_bytes,
                                 tern_hf_config **out);
void tern_hf_config_free(tern_hf_config *config);

/* The class of Hugging Face's that a config is made for. reads: whether the class's code uses key
 * (a dotted path without "text_config."), with *fallback the class's default as JSON text, null
 * where there is none. */
typedef struct tern_hf_class {
    bool (*reads)(const void *user, const char *key, const char **fallback);
    const void *user;          /* borrowed */
} tern_hf_class;

/* To be called before the getters. strict: keys that the class does not read are refused, too. */
void tern_hf_set_class(tern_hf_config *config, tern_hf_class the_class, bool strict);

/* Whether key is there and not null; whether it is there as null. Explains nothing. */
bool tern_hf_has(const tern_hf_config *config, const char *key);
bool tern_hf_is_null(const tern_hf_config *config, const char *key);

bool tern_hf_int(tern_hf_config *config, const char *key, int64_t lowest, int64_t highest,
                 int64_t *value);
bool tern_hf_need_int(tern_hf_config *config, const char *key, int64_t lowest, int64_t highest,
                      int64_t *value);
bool tern_hf_number(tern_hf_config *config, const char *key, double lowest, double highest,
                    double *value);
bool tern_hf_need_number(tern_hf_config *config, const char *key, double lowest, double highest,
                         double *value);
bool tern_hf_bool(tern_hf_config *config, const char *key, bool *value);

/* The index of a string among names; another string is a fault that lists them. */
bool tern_hf_choice(tern_hf_config *config, const char *key, const char *const *names, int n_names,
                    int *index);
bool tern_hf_need_choice(tern_hf_config *config, const char *key, const char *const *names,
                         int n_names, int *index);

/* Any string without NUL; lives as long as the config. *value stays where there is none. */
bool tern_hf_string(tern_hf_config *config, const char *key, const char **value);

/* Lists into the caller's array; more elements than capacity are a fault. *count stays where the
 * key is absent. A single integer counts as a list of one. */
bool tern_hf_ints(tern_hf_config *config, const char *key, int64_t lowest, int64_t highest,
                  int64_t *values, size_t capacity, size_t *count);
bool tern_hf_numbers(tern_hf_config *config, const char *key, double lowest, double highest,
                     double *values, size_t capacity, size_t *count);
bool tern_hf_choices(tern_hf_config *config, const char *key, const char *const *names, int n_names,
                     int *indices, size_t capacity, size_t *count);

/* The class names of "architectures"; null past the last. */
const char *tern_hf_architecture(tern_hf_config *config, size_t i);

/* The raw value (null: absent), explained with all that is in it. Borrowed. */
const json_t *tern_hf_value(tern_hf_config *config, const char *key);

/* Adds a refusal of the caller's own to the faults: "\"hidden_size\" 10 is no multiple of
 * \"num_heads\" 3". */
void tern_hf_refuse(tern_hf_config *config, tern_status status, const char *format,
                    ...) TERN_PRINTF(3, 4);

/* A key that has no effect on what a model computes: pattern ("*" is any run of characters), and
 * the values that this holds for, as JSON texts separated by "|"; null: any value. */
typedef struct tern_hf_ignorable {
    const char *key, *only;
} tern_hf_ignorable;

/* The rows that hold for every family (hf_ignorable.c). */
extern const tern_hf_ignorable tern_hf_ignorables[];
extern const size_t tern_hf_n_ignorables;

/* Refuses or ignores what is unexplained, beside the rows for every family and these. Refused is a
 * key of a row with another value than the row allows; a key that the class reads, unless its value
 * is the class's default; without a class, or where strict, every other key as well. TERN_OK, or
 * the status of the first fault with all of them in ctx's sentence. */
tern_status tern_hf_finish(tern_hf_config *config, const tern_hf_ignorable *ignorable,
                           size_t n_ignorable);

/* The i-th key, in the file's order, that tern_hf_finish has ignored, as tern_show_name shows it;
 * null past the last. Lives as long as the config. */
const char *tern_hf_ignored(const tern_hf_config *config, size_t i);

/* The faults so far (after tern_hf_finish: all), each a sentence that names its key. Lives as long
 * as the config. */
const tern_faults *tern_hf_faults(const tern_hf_config *config);

const char *tern_hf_path(const tern_hf_config *config);    /* what begins its sentences */
tern_ctx *tern_hf_ctx(const tern_hf_config *config);

#endif
