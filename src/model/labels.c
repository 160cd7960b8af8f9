/* A classifier's labels: their names, and what becomes of their logits. */
#include <stdio.h>
#include <string.h>

#include "model/internal.h"

tern_status tern_model_read_labels(tern_model *m)
{
    enum { NAME_BYTES = 32 };
    int64_t n = tern_get(m->spec, S_LABELS);
    if (!n) return TERN_OK;
    char (*plain)[NAME_BYTES] = tern_model_own(m, (size_t)n * sizeof *plain, "labels");
    m->label = tern_model_own(m, (size_t)n * sizeof *m->label, "labels");
    if (!plain || !m->label) return TERN_ERR_MEMORY;
    const json_t *names = tern_hf_value(m->config, "id2label");
    for (int64_t i = 0; i < n; i++) {
        char key[NAME_BYTES];
        snprintf(key, sizeof key, "%lld", (long long)i);
        snprintf(plain[i], sizeof plain[i], "LABEL_%lld", (long long)i);
        const char *name = json_string_value(json_object_get(names, key));
        m->label[i] = name ? name : plain[i];
    }
    return TERN_OK;
}

/* "sentence_transformers": {"activation_fn"} of version 4 on hides the older key, even where it is
 * null. */
const char *tern_model_score_activation(const tern_model *m)
{
    const json_t *own = tern_hf_value(m->config, "sentence_transformers"),
        *name = json_object_get(own, "activation_fn");
    return json_string_value(name ? name : tern_hf_value(m->config, "sbert_ce_default_activation_function"));
}
