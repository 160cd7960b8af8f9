/* The types that widen to f32 as they are loaded. Each is a constant where it is used, so the
 * choice is made by the compiler. */
#ifndef TERN_KERNELS_VECTOR_STORED_H
#define TERN_KERNELS_VECTOR_STORED_H

#include <stddef.h>

typedef enum stored { STORED_F32, STORED_BF16, STORED_F16 } stored;

static inline size_t stored_bytes(stored type)
{
    return type == STORED_F32 ? 4 : 2;
}

#endif
