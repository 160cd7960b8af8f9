/* The JSON header of a safetensors file, read straight into its list of tensors: values of a
 * general JSON library take 5 s and 1 GB for a million tensors, this takes 0.5 s and memory in
 * proportion.
 * Called by safetensors.c only. */
#ifndef TERN_FORMATS_ST_HEADER_H
#define TERN_FORMATS_ST_HEADER_H

#include "formats/safetensors.h"

/* Scans n_header bytes of JSON, which lie at byte 8 of the file that file->path names, and fills
 * tensors, metadata and text. The bytes of the tensors are [data, data + n_data). What is checked
 * here: the form, the dtypes, that shapes, offsets and sizes agree and lie inside the data. What is
 * not: names that come twice, overlaps and holes. On failure file holds what was filled so far. */
tern_status tern_st_header_scan(tern_ctx *ctx, const unsigned char *header, size_t n_header,
                                const unsigned char *data, size_t n_data, tern_safetensors *file);

#endif
