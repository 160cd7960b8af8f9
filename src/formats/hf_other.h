/* A config.json that is not a transformers model's. */
#ifndef TERN_FORMATS_HF_OTHER_H
#define TERN_FORMATS_HF_OTHER_H

#include "formats/hf_config.h"

/* What a config without "architectures" and "model_type" looks like by its keys, as text behind "it
 * looks like"; null: unknown. */
const char *tern_hf_other(const tern_hf_config *config);

#endif
