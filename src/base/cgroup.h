/* The cgroups (version 2) that a process is in: each may limit it. */
#ifndef TERN_BASE_CGROUP_H
#define TERN_BASE_CGROUP_H

/* Called with the folder of one group, "/a/b" or "" for the root. */
typedef void tern_cgroup_fn(void *user, const char *root, const char *folder);

/* The process's own group, then those around it, the root last. root is put before the paths of
 * /proc and /sys: "" outside of tests. */
void tern_cgroups(const char *root, tern_cgroup_fn *fn, void *user);

#endif
