/* The right folder where a directory above it was named. */
#ifndef TERN_BASE_DIRECTORY_BELOW_H
#define TERN_BASE_DIRECTORY_BELOW_H

#include <tern/context.h>

/* Looks one or two levels down: a hub's cache (models--org--name with refs, blobs and
 * snapshots/HASH), a cache of many of them, a trainer's checkpoint-N, the transformer of
 * sentence-transformers (0_Transformer), any folder with a config.json. lack begins the sentence,
 * which names the folder to give: TERN_ERR_FORMAT; TERN_OK where nothing of the kind is there. */
tern_status tern_directory_below(tern_ctx *ctx, const char *dir, const char *lack);

#endif
