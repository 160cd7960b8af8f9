/* A Hugging Face checkpoint directory: its safetensors files as one set of named tensors.
 *
 *     dir/model.safetensors                                        one file, or
 *   dir/model.safetensors.index.json  {"weight_map": {"a.weight":
 *                                     "model-00001-of-00002.safetensors", ...}}
 *     dir/model-00001-of-00002.safetensors, ...                    the shards that it names
 *
 * A pickle (pytorch_model.bin, .pt, .ckpt) is refused: reading one executes what it contains. All
 * faults of an index are named in one sentence. Every tensor has a mark "used", so that at the end
 * of loading nothing in the files goes unexplained. */
#ifndef TERN_FORMATS_CHECKPOINT_H
#define TERN_FORMATS_CHECKPOINT_H

#include "base/pattern.h"
#include "formats/safetensors.h"
#include "formats/faults.h"

typedef struct tern_checkpoint tern_checkpoint;

/* Maps and checks every file. Names in an index must stay inside dir (or, for the links of a
 * download cache, inside its blobs folder).
 * TERN_ERR_IO nothing there, a shard missing | TERN_ERR_FORMAT a file that breaks its format, an
 * index that disagrees with its shards |
 * TERN_ERR_UNSUPPORTED only a pickle or another format is there. The caller owns *out:
 * tern_checkpoint_close. */
tern_status tern_checkpoint_open(tern_ctx *ctx, const char *dir, tern_checkpoint **out);
void tern_checkpoint_close(tern_checkpoint *checkpoint);

/* All tensors of all files, names ascending by byte. Pointers are valid until close. */
size_t tern_checkpoint_count(const tern_checkpoint *checkpoint);
const tern_stored *tern_checkpoint_at(const tern_checkpoint *checkpoint, size_t i);
/* the file that holds tensor i */
const char *tern_checkpoint_path_of(const tern_checkpoint *checkpoint, size_t i);
/* null: none; marks nothing */
const tern_stored *tern_checkpoint_find(const tern_checkpoint *checkpoint, const char *name);
/* of all tensors */
size_t tern_checkpoint_bytes(const tern_checkpoint *checkpoint);

/* A view of the tensor of that name, which is marked as used. TERN_ERR_FORMAT no such tensor |
 * TERN_ERR_UNSUPPORTED its dtype. */
tern_status tern_checkpoint_take(tern_ctx *ctx, tern_checkpoint *checkpoint, const char *name,
                                 tern_tensor *out);

/* Marks without looking at the type; false where there is none of that name. */
bool tern_checkpoint_mark(tern_checkpoint *checkpoint, const char *name);
bool tern_checkpoint_used(const tern_checkpoint *checkpoint, size_t i);

/* Refuses what is neither used nor ignorable: TERN_ERR_FORMAT with the names. The patterns are
 * those of base/pattern.h. */
tern_status tern_checkpoint_finish(tern_ctx *ctx, const tern_checkpoint *checkpoint,
                                   const char *const *ignorable, size_t n_ignorable);

/* The same into a list: a fault a tensor. */
void tern_checkpoint_left_over(const tern_checkpoint *checkpoint, const char *const *ignorable,
                               size_t n_ignorable, tern_faults *faults);

/* Whether the mapped files are as they were, by size and time of change. TERN_ERR_STATE cut,
 * rewritten, or tern_checkpoint_cut: what is mapped must not be read any more. A file whose name is
 * gone or now belongs to another file (an update by rename) is mapped as it was, and is fine. */
tern_status tern_checkpoint_unchanged(tern_ctx *ctx, const tern_checkpoint *checkpoint);

/* TERN_ERR_STATE where bytes read so far were missing from a file (see tern_map_cut): what was
 * computed from them is void. Asked after reading; costs no system call. */
tern_status tern_checkpoint_cut(tern_ctx *ctx, const tern_checkpoint *checkpoint);

#endif
