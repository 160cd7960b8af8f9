/* What the shared library shows: everything marked TERN_API, and nothing else (the build hides the
 * rest). */
#ifndef TERN_EXPORT_H
#define TERN_EXPORT_H

#ifdef __cplusplus
#define TERN_API extern "C" __attribute__((visibility("default")))
#else
#define TERN_API __attribute__((visibility("default")))
#endif

/* printf-like functions: the compiler checks their arguments. */
#define TERN_PRINTF(format_index, first_arg) \
    __attribute__((format(printf, format_index, first_arg)))

#endif
