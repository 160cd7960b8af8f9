/* Where the model that comes with tern lies. */
#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "model/model.h"

/* Below what the library or program was installed or built into: prefix/lib/libtern.so,
 * prefix/bin/tern, build/tern. */
static const char *const places[] = { "../share/tern/models/demo", "../models/demo", "../../models/demo",
                                      "../../share/tern/models/demo" };

/* The file that this code was loaded from; in a program without the shared library, the program. */
static bool own_file(char path[static PATH_MAX])
{
    Dl_info self;
    if (dladdr((const void *)(uintptr_t)tern_demo_dir, &self) && self.dli_fname && strchr(self.dli_fname, '/') &&
        realpath(self.dli_fname, path))
        return true;
    return realpath("/proc/self/exe", path) != NULL;
}

const char *tern_demo_dir(char *buffer, size_t size)
{
    const char *given = getenv("TERN_DEMO_MODEL");
    if (given && *given) return (size_t)snprintf(buffer, size, "%s", given) < size ? buffer : NULL;
    char path[PATH_MAX];
    if (!own_file(path)) return NULL;
    *strrchr(path, '/') = 0;
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        if ((size_t)snprintf(buffer, size, "%s/%s", path, places[i]) < size && tern_file_exists(buffer, "config.json"))
            return buffer;
    return NULL;
}
