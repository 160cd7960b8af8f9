/* Reading protocol buffers (the wire format of protobuf.dev/programming-guides/encoding): one field
 * after the other, nothing allocated. */
#ifndef TERN_TEXT_PROTOBUF_H
#define TERN_TEXT_PROTOBUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct protobuf {
    const unsigned char *at, *end;
    bool broken;               /* the bytes are no message */
} protobuf;

typedef struct protobuf_field {
    uint64_t number;           /* of the field  */
    int wire;                  /* 0 varint, 1 eight bytes, 2 bytes, 5 four bytes */
    uint64_t value;            /* of wire types 0, 1, 5 */
    const unsigned char *data; /* of wire type 2 */
    size_t n_bytes;
} protobuf_field;

/* The next field; false at the end, or with p->broken set. */
bool protobuf_next(protobuf *p, protobuf_field *field);

#endif
