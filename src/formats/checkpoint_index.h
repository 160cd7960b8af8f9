/* The inside of a checkpoint, and its index: which shards there are and whether they hold what the
 * index says. Used by checkpoint.c. */
#ifndef TERN_FORMATS_CHECKPOINT_INDEX_H
#define TERN_FORMATS_CHECKPOINT_INDEX_H

#include "formats/checkpoint.h"
#include "formats/faults.h"

typedef struct tern_indexed_tensor {
    const tern_stored *stored;
    uint32_t file;                /* index into files */
    bool used;
} tern_indexed_tensor;

struct tern_checkpoint {
    char *dir;
    tern_safetensors **files;
    size_t n_files;
    tern_indexed_tensor *tensors;           /* of all files, by name */
    size_t count;
};

/* Opens every shard that dir/index_name lists into c->files and adds what is wrong to faults: names
 * that lead out, files that are missing or broken, tensors that a shard lacks. A status other than
 * TERN_OK says that the index itself cannot be read. */
tern_status tern_checkpoint_open_shards(tern_ctx *ctx, tern_checkpoint *c, const char *index_name,
                                        tern_faults *faults);

#endif
