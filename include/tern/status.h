/* Outcomes of every call that can fail.
 *
 * A function that returns tern_status either did all it promises (TERN_OK) or changed nothing that
 * the caller can see; the context then holds one sentence with the file, the name and the numbers:
 * tern_ctx_error(). The values never change. */
#ifndef TERN_STATUS_H
#define TERN_STATUS_H

#include <tern/export.h>

typedef enum tern_status {
    TERN_OK = 0,
    TERN_ERR_ARGUMENT = 1,    /* a null pointer, an unknown name, a value outside its range   */
    TERN_ERR_SHAPE = 2,       /* tensors whose dimensions do not fit each other                   */
    TERN_ERR_DTYPE = 3,       /* a dtype that this argument cannot have                           */
    TERN_ERR_UNSUPPORTED = 4, /* well-formed, and tern has no such op, family, option or type     */
    TERN_ERR_FORMAT = 5,      /* a file that breaks its format's promises                         */
    TERN_ERR_IO = 6,          /* the operating system said no; the sentence has its reason        */
    TERN_ERR_MEMORY = 7,      /* not enough memory; the sentence has needed and available bytes   */
    TERN_ERR_LIMIT = 8,       /* longer or larger than a stated limit; the sentence has both      */
    TERN_ERR_STATE = 9,       /* a call out of order: an object not ready, or already released    */
    TERN_ERR_CANCELLED = 10,  /* a callback asked to stop                                         */
    TERN_ERR_NUMERIC = 11     /* NaN or infinity where a finite number must be                    */
} tern_status;

/* The status as a word, "TERN_ERR_SHAPE"; "TERN_ERR_?" for a value that is none. Never null, static
 * storage. */
TERN_API const char *tern_status_name(tern_status status);

#endif
