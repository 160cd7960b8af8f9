/* Walks from a process's own cgroup to the root: see cgroup.h. Called where threads and memory are
 * counted. */
#include "base/cgroup.h"

#include <stdio.h>
#include <string.h>

void tern_cgroups(const char *root, tern_cgroup_fn *fn, void *user)
{
    char path[512], line[400] = "", folder[400] = "";
    snprintf(path, sizeof path, "%s/proc/self/cgroup", root);
    FILE *f = fopen(path, "re");
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "0::%399[^\n]", folder) == 1) break;
    if (f) fclose(f);
    for (char *end = folder + strlen(folder); end > folder; *end = 0) {
        if (strcmp(folder, "/")) fn(user, root, folder);
        end = strrchr(folder, '/');
        if (!end) break;
    }
    fn(user, root, "");
}
