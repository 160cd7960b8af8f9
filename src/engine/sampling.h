/* Checks of sampling fields, for requests that have no logits yet. */
#ifndef TERN_ENGINE_SAMPLING_H
#define TERN_ENGINE_SAMPLING_H

#include <tern/sampling.h>

tern_status tern_sampling_check(tern_ctx *ctx, const tern_sampling *s);    /* TERN_ERR_ARGUMENT, the field by name and value */

#endif
