/* What Hugging Face's class of each model_type has in config.json: which keys its code reads, and
 * what a missing one stands for. The rows are generated (tools/make_config_keys.py, over several
 * versions of transformers); src/families/spec.c and tern_hf_finish's callers ask them. */
#ifndef TERN_FAMILIES_REFERENCE_KEYS_H
#define TERN_FAMILIES_REFERENCE_KEYS_H

#include <stdbool.h>
#include <stddef.h>

/* A key of config.json, nested ones as a dotted path ("rope_parameters.factor"). read: code of the
 * class uses it; false: the class accepts and stores it, and nothing that computes a result looks
 * at it. fallback: the class's default as JSON text ("null" included); a null pointer: there is
 * none. */
typedef struct tern_reference_key {
    const char *key, *fallback;
    bool read;
} tern_reference_key;

/* The keys of one class, sorted by name, and behind base those that it shares with others: where
 * both have a key, the class's own row holds. The last class of such a chain has what every class
 * shares. */
typedef struct tern_reference_class tern_reference_class;
struct tern_reference_class {
    const char *model_type;
    const tern_reference_key *keys;
    size_t n_key;
    const tern_reference_class *base;
};

/* The class of a model_type; null: the table has none. */
const tern_reference_class *tern_reference_class_of(const char *model_type);

/* A class's row of a key, its own or a shared one; null: the class does not know the key. class may
 * be null. */
const tern_reference_key *tern_reference_key_of(const tern_reference_class *class, const char *key);

#endif
