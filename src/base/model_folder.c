/* The checkpoint's folder: see model_folder.h. Called by those who open a model or a tokenizer;
 * calls the JSON reader. */
#include "base/model_folder.h"

#include <stdio.h>
#include <string.h>

#include "base/ctx.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"

static const size_t max_json_bytes = 1 << 20;

bool tern_folder_leads_out(const char *folder)
{
    if (*folder == '/' || strchr(folder, '\\') || strchr(folder, ':')) return true;
    while (true) {
        size_t n = strcspn(folder, "/");
        if (n == 2 && !memcmp(folder, "..", 2)) return true;
        if (!folder[n]) return false;
        folder += n + 1;
    }
}

/* The folder that modules names, borrowed from it: where its first row is a Transformer, else
 * none. */
static tern_status folder_of(tern_ctx *ctx, const char *dir, const json_t *modules, const char **folder)
{
    const json_t *first = json_array_get(modules, 0);
    const char *path = json_string_value(json_object_get(first, "path")),
               *type = json_string_value(json_object_get(first, "type"));
    if (!path || !type)
        return tern_fail(ctx, TERN_ERR_FORMAT, "%s/modules.json: no list of modules with \"type\" and \"path\"", dir);
    size_t n = strlen(type), ending = strlen("Transformer");
    if (n < ending || strcmp(type + n - ending, "Transformer"))
        return tern_fail(ctx, TERN_ERR_UNSUPPORTED,
                         "%s/modules.json: the list begins with \"%s\", and only Transformer is supported there", dir,
                         type);
    if (tern_folder_leads_out(path))
        return tern_fail(ctx, TERN_ERR_FORMAT, "%s/modules.json: the path \"%s\" leads out of the directory", dir,
                         path);
    *folder = path;
    return TERN_OK;
}

tern_status tern_model_folder(tern_ctx *ctx, const char *dir, char **out)
{
    tern_status st = TERN_OK;
    json_t *modules = NULL;
    const char *folder = "";
    *out = NULL;
    if (tern_file_exists(dir, "modules.json")) {
        st = tern_json_read(ctx, dir, "modules.json", max_json_bytes, &modules);
        if (!st) st = folder_of(ctx, dir, modules, &folder);
        if (st == TERN_ERR_MEMORY || (st && !tern_file_exists(dir, "config.json"))) goto done;
    }
    size_t n = strlen(dir) + strlen(folder) + 2;
    *out = tern_alloc(ctx, n, 1, "a path");
    st = *out ? TERN_OK : TERN_ERR_MEMORY;
    if (*out) snprintf(*out, n, "%s%s%s", dir, *folder ? "/" : "", folder);
done:
    json_decref(modules);
    return st;
}
