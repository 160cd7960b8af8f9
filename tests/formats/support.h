/* What the tests of files share: a folder of their own, files written into it, safetensors bytes
 * made from a header's text. */
#ifndef TERN_TESTS_FORMATS_SUPPORT_H
#define TERN_TESTS_FORMATS_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/ctx.h"

/* The formats need a context for its message only. */
static tern_ctx message;

/* A new empty folder; remove_folder takes it away with what is in it. */
static inline char *make_folder(void)
{
    static char path[64];
    strcpy(path, "/tmp/tern-formats-XXXXXX");
    assert_non_null(mkdtemp(path));
    return path;
}

static inline void remove_folder(const char *path)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", path);
    assert_int_equal(system(command), 0);
}

static inline void write_bytes(const char *dir, const char *name, const void *bytes, size_t n)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

static inline void write_text(const char *dir, const char *name, const char *text)
{
    write_bytes(dir, name, text, strlen(text));
}

static inline char *read_bytes(const char *dir, const char *name, size_t *n)
{
    char path[1024];
    struct stat info;
    snprintf(path, sizeof path, "%s/%s", dir, name);
    assert_int_equal(stat(path, &info), 0);
    char *bytes = malloc((size_t)info.st_size + 1);
    FILE *f = fopen(path, "rb");
    assert_true(bytes && f);
    *n = fread(bytes, 1, (size_t)info.st_size, f);
    assert_int_equal(*n, info.st_size);
    bytes[*n] = 0;
    fclose(f);
    return bytes;
}

/* The header's size, the header, and n_data bytes 0, 1, 2, ... *n is the file's size. */
static inline unsigned char *safetensors_bytes(const char *header, size_t n_header, size_t n_data,
                                               size_t *n)
{
    *n = 8 + n_header + n_data;
    unsigned char *bytes = malloc(*n);
    assert_non_null(bytes);
    for (int i = 0; i < 8; i++) bytes[i] = (unsigned char)((uint64_t)n_header >> 8 * i);
    memcpy(bytes + 8, header, n_header);
    for (size_t i = 0; i < n_data; i++) bytes[8 + n_header + i] = (unsigned char)i;
    return bytes;
}

static inline void write_safetensors(const char *dir, const char *name, const char *header,
                                     size_t n_data)
{
    size_t n;
    unsigned char *bytes = safetensors_bytes(header, strlen(header), n_data, &n);
    write_bytes(dir, name, bytes, n);
    free(bytes);
}

/* status, and a sentence that contains every part of wanted that "|" separates */
static inline void expect_message(tern_status status, tern_status wanted_status, const char *wanted,
                                  const char *why)
{
    char parts[1024];
    if (status != wanted_status)
        fail_msg("%s: %s instead of %s: %s", why, tern_status_name(status),
                 tern_status_name(wanted_status), tern_ctx_error(&message));
    snprintf(parts, sizeof parts, "%s", wanted ? wanted : "");
    for (char *part = strtok(parts, "|"); part; part = strtok(NULL, "|")) {
        if (!strstr(tern_ctx_error(&message), part))
            fail_msg("%s: \"%s\" is not in: %s", why, part, tern_ctx_error(&message));
    }
}

#endif
