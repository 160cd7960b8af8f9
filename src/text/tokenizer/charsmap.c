/* SentencePiece's table of replacements: see charsmap.h. Called by normalize.c and
 * sentencepiece.c. */
#include "text/tokenizer/charsmap.h"

#include <stdint.h>
#include <string.h>

#include "base/ctx.h"
#include "base/memory.h"
#include "text/utf8.h"

struct charsmap {
    uint32_t *units;
    size_t n_units;
    char *texts;           /* NUL behind the last */
    size_t n_texts;
};

void charsmap_free(charsmap *map)
{
    if (!map) return;
    tern_free(map->units);
    tern_free(map->texts);
    tern_free(map);
}

tern_status charsmap_from_bytes(tern_ctx *ctx, const unsigned char *blob, size_t n_bytes, charsmap **out)
{
    uint32_t trie_bytes = 0;
    if (n_bytes >= 4)
        trie_bytes = (uint32_t)blob[0] | (uint32_t)blob[1] << 8 | (uint32_t)blob[2] << 16 | (uint32_t)blob[3] << 24;
    if (n_bytes < 8 || trie_bytes > n_bytes - 4 || trie_bytes % 4 || !trie_bytes)
        return tern_fail(ctx, TERN_ERR_FORMAT, "Precompiled: a table of %zu bytes cannot hold a trie of %u", n_bytes,
                         trie_bytes);
    charsmap *map = tern_alloc(ctx, 1, sizeof *map, "a table of replacements");
    if (!map) return TERN_ERR_MEMORY;
    map->n_units = trie_bytes / 4;
    map->n_texts = n_bytes - 4 - trie_bytes;
    map->units = tern_alloc(ctx, map->n_units, sizeof *map->units, "a table of replacements");
    map->texts = tern_strndup(ctx, (const char *)blob + 4 + trie_bytes, map->n_texts);
    if (!map->units || !map->texts) {
        charsmap_free(map);
        return TERN_ERR_MEMORY;
    }
    for (size_t i = 0; i < map->n_units; i++) {
        const unsigned char *p = blob + 4 + 4 * i;
        map->units[i] = (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
    }
    if (utf8_valid_prefix(map->texts, map->n_texts) != map->n_texts) {
        charsmap_free(map);
        return tern_fail(ctx, TERN_ERR_FORMAT, "Precompiled: a replacement is not UTF-8");
    }
    *out = map;
    return TERN_OK;
}

static int digit(char c)
{
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    if (c == '+') return 62;
    if (c == '/') return 63;
    return -1;
}

tern_status charsmap_from_base64(tern_ctx *ctx, const char *text, size_t n_bytes, charsmap **out)
{
    tern_status st = TERN_OK;
    unsigned char *blob = tern_alloc(ctx, n_bytes / 4 * 3 + 3, 1, "a table of replacements");
    size_t n = 0;
    uint32_t bits = 0;
    int n_bits = 0;
    if (!blob) return TERN_ERR_MEMORY;
    while (n_bytes && text[n_bytes - 1] == '=') n_bytes--;
    for (size_t i = 0; i < n_bytes; i++) {
        int d = digit(text[i]);
        if (d < 0) {
            st = tern_fail(ctx, TERN_ERR_FORMAT, "Precompiled: character %zu of the table is not base64", i);
            goto done;
        }
        bits = bits << 6 | (uint32_t)d;
        n_bits += 6;
        if (n_bits < 8) continue;
        n_bits -= 8;
        blob[n++] = (unsigned char)(bits >> n_bits);
    }
    TERN_TRY(charsmap_from_bytes(ctx, blob, n, out));
done:
    tern_free(blob);
    return st;
}

/* darts-clone's units: bit 8 a value hangs below, bits 10..30 the offset to the children (times 256
 * if bit 9), bits 0..7 the label and bit 31 of a child; a value unit has the value in bits
 * 0..30. */
static size_t offset_of(uint32_t unit)
{
    return (size_t)(unit >> 10) << ((unit & (1u << 9)) >> 6);
}

const char *charsmap_find(const charsmap *map, const char *text, size_t n_bytes, bool longest, size_t *used,
                          size_t *n_out)
{
    size_t at = offset_of(map->units[0]), value = SIZE_MAX;
    for (size_t i = 0; i < n_bytes && text[i]; i++) {
        at ^= (unsigned char)text[i];
        if (at >= map->n_units || (map->units[at] & 0x800000ffu) != (unsigned char)text[i]) break;
        uint32_t unit = map->units[at];
        at ^= offset_of(unit);
        if (!(unit >> 8 & 1) || at >= map->n_units) continue;
        value = map->units[at] & 0x7fffffffu;
        *used = i + 1;
        if (!longest) break;
    }
    if (value >= map->n_texts) return NULL;
    *n_out = strlen(map->texts + value);
    return map->texts + value;
}
