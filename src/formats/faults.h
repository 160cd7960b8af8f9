/* Lists of faults that become one sentence.
 * Readers of checkpoints and configs collect what they refuse here, so that one message has every
 * reason. */
#ifndef TERN_FORMATS_FAULTS_H
#define TERN_FORMATS_FAULTS_H

#include <stdbool.h>
#include <tern/context.h>

#include "base/show.h"

/* Sentences, owned. Zero-initialized it is empty. A sentence that finds no memory sets
 * out_of_memory instead. */
typedef struct tern_faults {
    char **sentences;
    size_t count, capacity;
    tern_status status;      /* of the first one; TERN_OK while there is none */
    bool out_of_memory;
} tern_faults;

void tern_faults_add(tern_faults *faults, tern_status status, const char *format,
                     ...) TERN_PRINTF(3, 4);

/* Adds the sentence that ctx holds now: what a call that just failed has said. */
void tern_faults_add_error(tern_faults *faults, tern_ctx *ctx, tern_status status);

/* TERN_OK where there is none. Otherwise the first one's status, with all sentences in ctx: "what:
 * 3 faults: a; b; c". As many as fit are given whole, and then the number of the others. */
tern_status tern_faults_fail(tern_ctx *ctx, const tern_faults *faults, const char *what);

void tern_faults_free(tern_faults *faults);

#endif
