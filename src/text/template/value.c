/* Strings with their origin, lists and dicts of a running template: see value.h. Called by every
 * template_*.c. */
#include "text/template/value.h"

#include <math.h>
#include <string.h>
#include <utf8proc.h>

#include "base/ctx.h"
#include "base/memory.h"

enum { CHUNK_BYTES = 1 << 16, FEW_PAIRS = 8, BYTES_PER_STEP = 32, MAX_NESTING = 2100 };

typedef struct tpl_chunk {
    struct tpl_chunk *next;
    size_t size_bytes, used_bytes;
    _Alignas(16) unsigned char data[];
} tpl_chunk;

static bool pool_fail(tpl_pool *pool, tern_status status)
{
    if (!pool->status) pool->status = status;
    return false;
}

void *tpl_get(tpl_pool *pool, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes) || bytes > pool->max_bytes ||
        pool->used_bytes > pool->max_bytes - bytes) {
        pool_fail(pool, tern_fail(pool->ctx, TERN_ERR_LIMIT, "the template needs more than its limit of %zu bytes",
                                  pool->max_bytes));
        return NULL;
    }
    bytes = (bytes + 15) / 16 * 16;
    tpl_chunk *c = pool->chunks;
    if (!c || c->size_bytes - c->used_bytes < bytes) {
        size_t grow = c ? c->size_bytes * 2 : CHUNK_BYTES;
        if (grow > 1 << 22) grow = 1 << 22;
        if (grow < bytes) grow = bytes;
        c = tern_alloc(pool->ctx, 1, sizeof *c + grow, "a chat template");
        if (!c) {
            pool_fail(pool, TERN_ERR_MEMORY);
            return NULL;
        }
        *c = (tpl_chunk){ .next = pool->chunks, .size_bytes = grow };
        pool->chunks = c;
    }
    void *p = c->data + c->used_bytes;
    c->used_bytes += bytes;
    pool->used_bytes += bytes;
    return p;
}

void tpl_pool_free(tpl_pool *pool)
{
    for (tpl_chunk *c = pool->chunks, *next; c; c = next) {
        next = c->next;
        tern_free(c);
    }
    pool->chunks = NULL;
}

bool tpl_work(tpl_pool *pool, size_t units)
{
    pool->work += units;
    if (pool->work <= pool->max_work) return true;
    return pool_fail(pool, tern_fail(pool->ctx, TERN_ERR_LIMIT, "the template takes more than its limit of %llu steps",
                                     (unsigned long long)pool->max_work));
}

/* ---- texts ---- */

tpl_text *tpl_text_new(tpl_pool *pool, size_t cap)
{
    tpl_text *text = tpl_get(pool, 1, sizeof *text);
    if (!text) return NULL;
    if (cap < 24) cap = 24;
    if (cap > 1 << 20) cap = 1 << 20;
    *text = (tpl_text){ .cap = (uint32_t)cap, .ascii = true };
    text->data = tpl_get(pool, text->cap, 1);
    return text->data ? text : NULL;
}

static bool all_ascii(const char *data, size_t n)
{
    unsigned char any = 0;
    for (size_t i = 0; i < n; i++) any |= (unsigned char)data[i];
    return any < 128;
}

tpl_text *tpl_text_borrow(tpl_pool *pool, const char *data, size_t n_bytes, bool trusted)
{
    tpl_text *text = tpl_get(pool, 1, sizeof *text);
    tpl_run *run = tpl_get(pool, 1, sizeof *run);
    if (!text || !run) return NULL;
    if (n_bytes > pool->max_text_bytes) {
        pool_fail(pool, tern_fail(pool->ctx, TERN_ERR_LIMIT, "a string of %zu bytes, where the limit is %zu", n_bytes,
                                  pool->max_text_bytes));
        return NULL;
    }
    *run = (tpl_run){ (uint32_t)n_bytes, trusted };
    *text = (tpl_text){ .data = (char *)(uintptr_t)data, .used = (uint32_t)n_bytes, .n_runs = 1, .cap_runs = 1,
                        .runs = run };
    text->ascii = all_ascii(data, n_bytes);
    return text;
}

static bool grow_text(tpl_pool *pool, tpl_text *text, size_t need)
{
    if (need > pool->max_text_bytes)
        return pool_fail(pool, tern_fail(pool->ctx, TERN_ERR_LIMIT,
                                         "the template writes more than its limit of %zu bytes", pool->max_text_bytes));
    if (need <= text->cap) return true;
    size_t cap = need + need / 2 + 16;
    if (cap > pool->max_text_bytes) cap = pool->max_text_bytes;
    char *data = tpl_get(pool, cap, 1);
    if (!data) return false;
    memcpy(data, text->data, text->used);
    text->data = data;
    text->cap = (uint32_t)cap;
    return true;
}

static bool put_run(tpl_pool *pool, tpl_text *text, bool trusted)
{
    if (text->n_runs && text->runs[text->n_runs - 1].trusted == trusted) {
        text->runs[text->n_runs - 1].end = text->used;
        return true;
    }
    if (text->n_runs == text->cap_runs) {
        uint32_t cap = text->cap_runs ? text->cap_runs * 2 : 1;
        tpl_run *runs = tpl_get(pool, cap, sizeof *runs);
        if (!runs) return false;
        if (text->n_runs) memcpy(runs, text->runs, text->n_runs * sizeof *runs);
        text->runs = runs;
        text->cap_runs = cap;
    }
    text->runs[text->n_runs++] = (tpl_run){ text->used, trusted };
    return true;
}

bool tpl_put(tpl_pool *pool, tpl_text *text, const char *data, size_t n_bytes, bool trusted)
{
    if (!n_bytes) return true;
    if (!tpl_work(pool, n_bytes / BYTES_PER_STEP) || !grow_text(pool, text, text->used + n_bytes)) return false;
    memmove(text->data + text->used, data, n_bytes);
    text->used += (uint32_t)n_bytes;
    text->ascii = text->ascii && all_ascii(text->data + text->used - n_bytes, n_bytes);
    return put_run(pool, text, trusted);
}

bool tpl_puts(tpl_pool *pool, tpl_text *text, const char *chars)
{
    return tpl_put(pool, text, chars, strlen(chars), true);
}

bool tpl_put_char(tpl_pool *pool, tpl_text *text, int32_t code, bool trusted)
{
    char bytes[4];
    utf8proc_ssize_t n = utf8proc_encode_char(code, (utf8proc_uint8_t *)bytes);
    return tpl_put(pool, text, bytes, (size_t)n, trusted);
}

/* The first run that ends behind a byte. */
static uint32_t run_of(const tpl_text *text, uint32_t at)
{
    uint32_t lo = 0, hi = text->n_runs;
    while (lo < hi) {
        uint32_t mid = (lo + hi) / 2;
        if (text->runs[mid].end <= at) lo = mid + 1;
        else hi = mid;
    }
    return lo;
}

bool tpl_put_str(tpl_pool *pool, tpl_text *text, tpl_value s)
{
    uint32_t at = s.at, end = s.at + s.n;
    for (uint32_t i = run_of(s.text, at); at < end; i++) {
        uint32_t stop = s.text->runs[i].end < end ? s.text->runs[i].end : end;
        if (!tpl_put(pool, text, s.text->data + at, stop - at, s.text->runs[i].trusted)) return false;
        at = stop;
    }
    return true;
}

void tpl_distrust(tpl_text *text)
{
    if (!text->n_runs) return;
    text->runs[0] = (tpl_run){ text->used, false };
    text->n_runs = 1;
}

bool tpl_trusted(tpl_value s)
{
    for (uint32_t i = run_of(s.text, s.at), at = s.at; at < s.at + s.n; at = s.text->runs[i++].end)
        if (!s.text->runs[i].trusted) return false;
    return true;
}

tpl_value tpl_text_value(tpl_text *text)
{
    return (tpl_value){ .kind = TPL_STR, .n = text->used, .text = text };
}

bool tpl_strn(tpl_pool *pool, const char *data, size_t n_bytes, bool trusted, tpl_value *out)
{
    tpl_text *text = tpl_text_new(pool, n_bytes);
    if (!text || !tpl_put(pool, text, data, n_bytes, trusted)) return false;
    *out = tpl_text_value(text);
    return true;
}

bool tpl_str(tpl_pool *pool, const char *chars, tpl_value *out)
{
    return tpl_strn(pool, chars, strlen(chars), true, out);
}

bool tpl_concat(tpl_pool *pool, tpl_value a, tpl_value b, tpl_value *out)
{
    tpl_text *text = a.text;
    if (!text->cap || a.at + a.n != text->used) {
        text = tpl_text_new(pool, (size_t)a.n + b.n);
        if (!text || !tpl_put_str(pool, text, a)) return false;
        a.at = 0;
    }
    if (!tpl_put_str(pool, text, b)) return false;
    *out = (tpl_value){ .kind = TPL_STR, .at = a.at, .n = a.n + b.n, .text = text };
    return true;
}

tpl_value tpl_cut(tpl_value s, size_t from, size_t to)
{
    s.at += (uint32_t)from;
    s.n = to > from ? (uint32_t)(to - from) : 0;
    return s;
}

size_t tpl_chars(tpl_value s)
{
    if (s.text->ascii) return s.n;
    size_t n = 0;
    for (const char *p = tpl_data(s), *end = p + s.n; p < end; p++) n += ((unsigned char)*p & 0xC0) != 0x80;
    return n;
}

size_t tpl_byte_of(tpl_value s, size_t character)
{
    if (s.text->ascii) return character < s.n ? character : s.n;
    const char *data = tpl_data(s);
    size_t i = 0;
    for (; i < s.n; i++)
        if (((unsigned char)data[i] & 0xC0) != 0x80 && character-- == 0) break;
    return i;
}

bool tpl_is(tpl_value s, const char *chars)
{
    return s.kind == TPL_STR && s.n == strlen(chars) && memcmp(tpl_data(s), chars, s.n) == 0;
}

int32_t tpl_decode(const char *data, size_t n_bytes, size_t *at)
{
    utf8proc_int32_t code;
    utf8proc_ssize_t n = utf8proc_iterate((const utf8proc_uint8_t *)data + *at, (utf8proc_ssize_t)(n_bytes - *at),
                                          &code);
    if (n <= 0) {
        (*at)++;
        return 0xFFFD;
    }
    *at += (size_t)n;
    return code;
}

/* ---- lists and dicts ---- */

tpl_array *tpl_array_new(tpl_pool *pool, size_t cap)
{
    tpl_array *array = tpl_get(pool, 1, sizeof *array);
    if (!array) return NULL;
    array->cap = cap < 4 ? 4 : (uint32_t)cap;
    array->items = tpl_get(pool, array->cap, sizeof *array->items);
    return array->items ? array : NULL;
}

/* How deep lists, tuples and dicts are nested in a value; printing and comparing recurse that
 * deep. */
static uint32_t depth_of(tpl_value v)
{
    if (v.kind == TPL_LIST || v.kind == TPL_TUPLE) return v.array->depth;
    return v.kind == TPL_DICT ? v.dict->depth : 0;
}

static bool deepen(tpl_pool *pool, uint32_t *depth, tpl_value item)
{
    uint32_t d = depth_of(item) + 1;
    if (d > *depth) *depth = d;
    if (d <= MAX_NESTING) return true;
    return pool_fail(pool, tern_fail(pool->ctx, TERN_ERR_LIMIT, "values nested more than %d deep", MAX_NESTING));
}

bool tpl_append(tpl_pool *pool, tpl_array *array, tpl_value item)
{
    if (!deepen(pool, &array->depth, item)) return false;
    if (array->used == array->cap) {
        if (array->cap > UINT32_MAX / 4)
            return pool_fail(pool, tern_fail(pool->ctx, TERN_ERR_LIMIT, "a list of more than %u items", array->used));
        tpl_value *items = tpl_get(pool, (size_t)array->cap * 2, sizeof *items);
        if (!items) return false;
        memcpy(items, array->items, array->used * sizeof *items);
        array->items = items;
        array->cap *= 2;
    }
    array->items[array->used++] = item;
    return true;
}

tpl_value tpl_list_of(tpl_array *array, tpl_kind kind)
{
    return (tpl_value){ .kind = (uint8_t)kind, .n = array->used, .array = array };
}

bool tpl_pair_of(tpl_pool *pool, tpl_value a, tpl_value b, tpl_value *out)
{
    tpl_array *array = tpl_array_new(pool, 2);
    if (!array || !tpl_append(pool, array, a) || !tpl_append(pool, array, b)) return false;
    *out = tpl_list_of(array, TPL_TUPLE);
    return true;
}

tpl_dict *tpl_dict_new(tpl_pool *pool)
{
    return tpl_get(pool, 1, sizeof(tpl_dict));
}

static uint64_t mix(uint64_t h)
{
    h ^= h >> 32;
    h *= 0x9E3779B97F4A7C15u;
    return h ^ h >> 29;
}

/* Nested values may share parts, so that looking at all of one takes longer than its size says:
 * every look counts as work. */
static bool spent(tpl_pool *pool)
{
    return pool && ++pool->work > pool->max_work;
}

uint64_t tpl_hash(tpl_pool *pool, tpl_value v)
{
    uint64_t h = v.kind;
    if (v.kind == TPL_STR) {
        h = 0xCBF29CE484222325u;
        for (uint32_t i = 0; i < v.n; i++) h = (h ^ (unsigned char)tpl_data(v)[i]) * 0x100000001B3u;
    } else if (tpl_is_number(v)) {      /* 1, 1.0 and True are one key */
        double f = tpl_real(v);
        h = fabs(f) < 9e18 ? (uint64_t)(int64_t)f : 0;
    } else if (v.kind == TPL_TUPLE) {
        for (uint32_t i = 0; i < v.n && !spent(pool); i++) h = mix(h) + tpl_hash(pool, tpl_items(v)[i]);
    }
    return mix(h);
}

bool tpl_hashable(tpl_pool *pool, tpl_value v, const char **type)
{
    if (v.kind == TPL_LIST) *type = "list";
    else if (v.kind == TPL_DICT) *type = "dict";
    else if (v.sub == TPL_KEYS) *type = "dict_keys";
    else *type = "dict_items";
    if (v.kind == TPL_LIST || v.kind == TPL_DICT || (v.kind == TPL_VIEW && v.sub != TPL_VALUES)) return false;
    for (uint32_t i = 0; v.kind == TPL_TUPLE && i < v.n && !spent(pool); i++)
        if (!tpl_hashable(pool, tpl_items(v)[i], type)) return false;
    return true;
}

tpl_value *tpl_dict_find(tpl_pool *pool, const tpl_dict *dict, tpl_value key)
{
    if (!dict->n_slots) {
        for (uint32_t i = 0; i < dict->n; i++)
            if (tpl_equal(pool, dict->pairs[i].key, key)) return &dict->pairs[i].value;
        return NULL;
    }
    for (uint32_t i = (uint32_t)tpl_hash(pool, key) & (dict->n_slots - 1);; i = (i + 1) & (dict->n_slots - 1)) {
        if (!dict->slots[i]) return NULL;
        tpl_pair *pair = &dict->pairs[dict->slots[i] - 1];
        if (tpl_equal(pool, pair->key, key)) return &pair->value;
    }
}

tpl_value *tpl_dict_get(const tpl_dict *dict, const char *key)
{
    tpl_text text = { .data = (char *)(uintptr_t)key, .used = (uint32_t)strlen(key) };
    return tpl_dict_find(NULL, dict, (tpl_value){ .kind = TPL_STR, .n = text.used, .text = &text });
}

static void index_pair(tpl_pool *pool, tpl_dict *dict, uint32_t position)
{
    uint32_t i = (uint32_t)tpl_hash(pool, dict->pairs[position].key) & (dict->n_slots - 1);
    while (dict->slots[i]) i = (i + 1) & (dict->n_slots - 1);
    dict->slots[i] = position + 1;
}

static bool grow_dict(tpl_pool *pool, tpl_dict *dict)
{
    uint32_t cap = dict->cap ? dict->cap * 2 : 4;
    tpl_pair *pairs = tpl_get(pool, cap, sizeof *pairs);
    uint32_t *slots = cap > FEW_PAIRS ? tpl_get(pool, (size_t)cap * 2, sizeof *slots) : NULL;
    if (!pairs || (cap > FEW_PAIRS && !slots)) return false;
    if (dict->n) memcpy(pairs, dict->pairs, dict->n * sizeof *pairs);
    *dict = (tpl_dict){ .pairs = pairs, .n = dict->n, .cap = cap, .slots = slots, .n_slots = slots ? cap * 2 : 0,
                        .depth = dict->depth };
    for (uint32_t i = 0; slots && i < dict->n; i++) index_pair(pool, dict, i);
    return true;
}

bool tpl_dict_set(tpl_pool *pool, tpl_dict *dict, tpl_value key, tpl_value value)
{
    if (!deepen(pool, &dict->depth, key) || !deepen(pool, &dict->depth, value)) return false;
    tpl_value *old = tpl_dict_find(pool, dict, key);
    if (old) {
        *old = value;
        return true;
    }
    if (dict->n == dict->cap && !grow_dict(pool, dict)) return false;
    dict->pairs[dict->n++] = (tpl_pair){ key, value };
    if (dict->n_slots) index_pair(pool, dict, dict->n - 1);
    return true;
}

static bool equal_dicts(tpl_pool *pool, const tpl_dict *a, const tpl_dict *b)
{
    if (a->n != b->n) return false;
    for (uint32_t i = 0; i < a->n; i++) {
        tpl_value *other = tpl_dict_find(pool, b, a->pairs[i].key);
        if (!other || !tpl_equal(pool, a->pairs[i].value, *other)) return false;
    }
    return true;
}

/* As sets, whatever the order. */
static bool equal_views(tpl_pool *pool, tpl_value a, tpl_value b)
{
    if (a.sub == TPL_ITEMS) return equal_dicts(pool, a.dict, b.dict);
    bool same = a.sub == TPL_KEYS && a.dict->n == b.dict->n;
    for (uint32_t i = 0; same && i < a.dict->n; i++) same = tpl_dict_find(pool, b.dict, a.dict->pairs[i].key) != NULL;
    return same;
}

bool tpl_equal(tpl_pool *pool, tpl_value a, tpl_value b)
{
    if (spent(pool)) return false;
    if (tpl_is_number(a) && tpl_is_number(b)) {
        if (tpl_is_whole(a) && tpl_is_whole(b)) return tpl_whole(a) == tpl_whole(b);
        return tpl_real(a) == tpl_real(b);
    }
    if (a.kind != b.kind) return false;
    switch (a.kind) {
    case TPL_UNDEFINED:
    case TPL_NONE: return true;
    case TPL_STR: return a.n == b.n && memcmp(tpl_data(a), tpl_data(b), a.n) == 0;
    case TPL_LIST:
    case TPL_TUPLE:
        if (a.n != b.n) return false;
        if (a.array == b.array && a.at == b.at) return true;
        for (uint32_t i = 0; i < a.n; i++)
            if (!tpl_equal(pool, tpl_items(a)[i], tpl_items(b)[i])) return false;
        return true;
    case TPL_DICT: return a.dict == b.dict || equal_dicts(pool, a.dict, b.dict);
    case TPL_RANGE:
        return a.range->n == b.range->n && (!a.range->n || (a.range->start == b.range->start &&
                                                            (a.range->n == 1 || a.range->step == b.range->step)));
    case TPL_VIEW: return a.sub == b.sub && (a.dict == b.dict || equal_views(pool, a, b));
    default: return a.dict == b.dict && a.sub == b.sub;
    }
}

/* ---- characters ---- */

/* Source of the set: Python's str.isspace (bidirectional type WS, B or S, or category Zs). */
bool tpl_is_space(int32_t c)
{
    if (c < 128) return (c >= 9 && c <= 13) || (c >= 28 && c <= 32);
    return c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 ||
           c == 0x202F || c == 0x205F || c == 0x3000;
}

bool tpl_is_name_start(int32_t c)
{
    if (c < 128) return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
    utf8proc_category_t k = utf8proc_category(c);
    return (k >= UTF8PROC_CATEGORY_LU && k <= UTF8PROC_CATEGORY_LO) || k == UTF8PROC_CATEGORY_NL;
}

bool tpl_is_name_part(int32_t c)
{
    if (c < 128) return tpl_is_name_start(c) || (c >= '0' && c <= '9');
    utf8proc_category_t k = utf8proc_category(c);
    return tpl_is_name_start(c) || k == UTF8PROC_CATEGORY_MN || k == UTF8PROC_CATEGORY_MC ||
           k == UTF8PROC_CATEGORY_ND || k == UTF8PROC_CATEGORY_PC;
}
