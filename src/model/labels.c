/* The names of a classifier's labels. */
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
