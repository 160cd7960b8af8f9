/* What a tern_hf_config is made of, for hf_config.c, hf_finish.c and generation_config.c. */
#ifndef TERN_FORMATS_HF_INSIDE_H
#define TERN_FORMATS_HF_INSIDE_H

#include "formats/hf_config.h"

#define TERN_HF_INNER "text_config"

enum { TERN_HF_KEY_BYTES = 256 };

struct tern_hf_config {
    tern_ctx *ctx;             /* borrowed */
    char *path;
    json_t *root;
    json_t *inner;             /* borrowed from root: the object "text_config", or null */
    /* dotted path -> true: asked for as a whole; false: an object that was looked into */
    json_t *asked;
    /* dotted path -> what the class has for a key that is absent, once somebody wanted it */
    json_t *fallbacks;
    json_t *ignored;           /* names of keys that the class does not read */
    tern_hf_class class;
    tern_faults faults;
    bool strict;
    bool finished;             /* the unexplained keys are among the faults, or ignored */
};

/* hf_finish.c: whether value is among the "only" of a tern_hf_ignorable, which is not null. */
bool tern_hf_allows(const json_t *value, const char *only);

#endif
