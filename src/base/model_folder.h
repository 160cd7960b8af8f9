/* Where a checkpoint lies in a directory: sentence-transformers may keep it in a folder of its
 * own. */
#ifndef TERN_BASE_MODEL_FOLDER_H
#define TERN_BASE_MODEL_FOLDER_H

#include <stdbool.h>
#include <tern/context.h>

/* dir itself, or the folder of the Transformer module ("0_Transformer") that the first row of
 * dir/modules.json names. *out is freed by tern_free. A modules.json that cannot be read is an
 * error only where dir has no config.json: the model is there then, and whoever needs the list
 * reads it. */
tern_status tern_model_folder(tern_ctx *ctx, const char *dir, char **out);

/* Whether a folder's name is a path from the root or leads upwards, as POSIX or as Windows. */
bool tern_folder_leads_out(const char *folder);

#endif
