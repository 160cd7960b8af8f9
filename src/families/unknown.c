/* The sentence for a model that no family runs: see unknown.h. Called by spec.c. */
#include "families/unknown.h"

#include <string.h>
#include <strings.h>

#include "base/ctx.h"
#include "base/nearest.h"
#include "families/family.h"
#include "formats/hf_other.h"

/* Whether two architectures name the same model, "Bert", with whatever on top of it. A model's name
 * that is near another's is another model's: Bart is not Bert. */
static bool same_model(const char *a, const char *b)
{
    const char *end = strstr(b, "For");
    size_t n = end ? (size_t)(end - b) : strlen(b);
    return !strncasecmp(a, b, n);
}

static const char *nearest_to(const char *architecture)
{
    tern_nearest near = { .word = architecture };
    for (size_t i = 0; tern_family_at(i); i++)
        for (size_t a = 0; a < 8 && tern_family_at(i)->arch[a]; a++)
            if (same_model(architecture, tern_family_at(i)->arch[a]))
                tern_nearest_offer(&near, tern_family_at(i)->arch[a]);
    return near.best;
}

tern_status tern_family_unknown(const tern_hf_config *config, const char *architecture)
{
    char shown[TERN_SHOWN_BYTES];
    const char *other = tern_hf_other(config), *near = architecture ? nearest_to(architecture) : NULL;
    if (!architecture)
        return tern_fail(tern_hf_ctx(config), other ? TERN_ERR_UNSUPPORTED : TERN_ERR_FORMAT,
                         "%s: neither \"architectures\" nor \"model_type\" says what model this is%s%s",
                         tern_hf_path(config), other ? "; it looks like " : "", other ? other : "");
    return tern_fail(tern_hf_ctx(config), TERN_ERR_UNSUPPORTED, "%s: \"%s\" is \"%s\", which is none that this version "
                     "runs%s%s%s", tern_hf_path(config), tern_hf_has(config, "architectures")
                         ? "architectures" : "model_type", tern_show_name(architecture, shown),
                     near ? "; the nearest is " : "", near ? near : "", tern_hf_has(config, "auto_map")
                         ? "; \"auto_map\" names code for it, which is never executed" : "");
}
