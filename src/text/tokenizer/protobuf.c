/* Reading protocol buffers: see protobuf.h. Called by sentencepiece.c. */
#include "text/tokenizer/protobuf.h"

static bool read_varint(protobuf *p, uint64_t *out)
{
    *out = 0;
    for (int shift = 0; shift < 64 && p->at < p->end; shift += 7) {
        unsigned char byte = *p->at++;
        *out |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80)) return true;
    }
    p->broken = true;
    return false;
}

static bool read_fixed(protobuf *p, size_t n, uint64_t *out)
{
    *out = 0;
    if ((size_t)(p->end - p->at) < n) {
        p->broken = true;
        return false;
    }
    for (size_t i = 0; i < n; i++) *out |= (uint64_t)*p->at++ << 8 * i;
    return true;
}

bool protobuf_next(protobuf *p, protobuf_field *field)
{
    uint64_t tag;
    if (p->broken || p->at == p->end || !read_varint(p, &tag)) return false;
    *field = (protobuf_field){ .number = tag >> 3, .wire = (int)(tag & 7) };
    switch (field->wire) {
    case 0: return read_varint(p, &field->value);
    case 1: return read_fixed(p, 8, &field->value);
    case 5: return read_fixed(p, 4, &field->value);
    case 2:
        if (!read_varint(p, &field->value)) return false;
        if (field->value > (uint64_t)(p->end - p->at)) break;
        field->data = p->at;
        field->n_bytes = (size_t)field->value;
        p->at += field->n_bytes;
        return true;
    default: break;
    }
    p->broken = true;
    return false;
}
