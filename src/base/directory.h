/* What a path is that cannot be opened as a checkpoint: no directory at all, another library's
 * files, a folder beside or above the right one. Called by the readers of checkpoints, tokenizers
 * and templates where they do not find what they look for, so that a user sees what lies there and
 * what to do, and by tern_model_open before anything is read. */
#ifndef TERN_BASE_DIRECTORY_H
#define TERN_BASE_DIRECTORY_H

#include <stdbool.h>
#include <tern/context.h>

/* What was looked for and is not there. */
typedef enum tern_lack { TERN_LACKS_CONFIG = 1, TERN_LACKS_WEIGHTS = 2,
                         TERN_LACKS_TOKENIZER = 4 } tern_lack;

/* TERN_OK where dir is a directory. Else TERN_ERR_IO nothing is there (a name of a hub,
 * "org/model", is said to be one), or TERN_ERR_FORMAT a file, by its kind. */
tern_status tern_directory_there(tern_ctx *ctx, const char *dir);

/* What dir has in place of what it lacks: TERN_ERR_UNSUPPORTED with a sentence where its files are
 * recognized (diffusers, PEFT, ONNX, GGUF, pickles, a cache of a hub, ...); TERN_ERR_IO where it is
 * empty or has nothing known; never TERN_OK. */
tern_status tern_directory_lacks(tern_ctx *ctx, const char *dir, tern_lack lack);

/* Whether tern_tokenizer_open finds a file of a tokenizer in dir, or in the folder that
 * modules.json names; one that cannot be told is for it to say. */
bool tern_directory_has_tokenizer(tern_ctx *ctx, const char *dir);

/* TERN_OK where dir is a directory with a config.json that may be a model's; else as the two above
 * it. */
tern_status tern_directory_check(tern_ctx *ctx, const char *dir);

#endif
