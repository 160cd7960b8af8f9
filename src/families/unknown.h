/* What is said of a config.json whose model no family runs. */
#ifndef TERN_FAMILIES_UNKNOWN_H
#define TERN_FAMILIES_UNKNOWN_H

#include "formats/hf_config.h"

/* TERN_ERR_UNSUPPORTED with the architecture (null: the config names none), and the one that was
 * meant where it is another spelling of a model that runs; TERN_ERR_FORMAT where nothing says what
 * the model is. */
tern_status tern_family_unknown(const tern_hf_config *config, const char *architecture);

#endif
