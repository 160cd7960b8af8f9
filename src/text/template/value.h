/* The values of a chat template while it runs: Python's, as far as Jinja shows them, in an arena
 * that dies with the rendering.
 *
 * A string is a view of a text; a text is bytes that only grow at its end, with runs that say which
 * bytes the template itself wrote (trusted) and which came from a message, a tool or a document
 * (untrusted):
 *
 *     text   "<|user|>\nhi <|im_end|> there\n"      used 30
 *     runs    [0, 9) trusted  [9, 29) untrusted  [29, 30) trusted
 *   string  { text, at 9, n 20 }  slices share the text; appending to the last view extends it in
 *           place
 *
 * Lists are views of arrays in the same way. Strings, lists, tuples and dicts never change (the
 * sandbox that chat templates run in refuses it); namespaces, cyclers, joiners and iterators do. */
#ifndef TERN_TEXT_TEMPLATE_VALUE_H
#define TERN_TEXT_TEMPLATE_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <tern/context.h>

typedef enum tpl_kind {
    TPL_MISSING = 0,   /* no value at all: an argument left out */
    TPL_UNDEFINED, TPL_NONE, TPL_BOOL, TPL_INT, TPL_FLOAT, TPL_STR, TPL_LIST, TPL_TUPLE, TPL_DICT,
    TPL_VIEW,          /* dict.keys(), values(), items() */
    TPL_RANGE, TPL_ITER, TPL_NAMESPACE, TPL_LOOP, TPL_MACRO, TPL_FUNCTION, TPL_METHOD, TPL_CYCLER,
    TPL_JOINER,
    TPL_SELF, TPL_BLOCK      /* the template, whose attributes are its blocks; one of them */
} tpl_kind;

/* sub of a string: HTML that is already escaped */
enum { TPL_MARKUP = 1 };
enum { TPL_KEYS = 0, TPL_VALUES = 1, TPL_ITEMS = 2 };         /* sub of a view */
/* sub of a tuple: groupby's (grouper, list) */
enum { TPL_GROUP = 1 };

typedef struct tpl_run {
    uint32_t end;      /* the run reaches from the end of the one before to here */
    bool trusted;
} tpl_run;

typedef struct tpl_text {
    char *data;
    uint32_t used, cap;      /* cap 0: borrowed bytes, which nothing is appended to */
    uint32_t n_runs, cap_runs;
    tpl_run *runs;
    bool ascii;              /* no byte above 127: a character is a byte */
} tpl_text;

typedef struct tpl_value {
    uint8_t kind, sub;
    uint32_t at, n;          /* a string's bytes of its text, a list's items of its array */
    union {
        bool b;
        int64_t i;
        double f;
        tpl_text *text;
        struct tpl_array *array;
        struct tpl_dict *dict;          /* TPL_DICT, TPL_VIEW, TPL_NAMESPACE */
        struct tpl_range *range;
        struct tpl_iter *iter;
        struct tpl_loop *loop;
        struct tpl_macro *macro;
        struct tpl_undefined *undefined;
        struct tpl_method *method;
        struct tpl_cycler *cycler;
        const struct tpl_function *function;
        const struct tpl_node *block;
    };
} tpl_value;

typedef struct tpl_array {
    tpl_value *items;
    uint32_t used, cap;
    uint32_t depth;          /* of the nesting below */
} tpl_array;

typedef struct tpl_pair {
    tpl_value key, value;
} tpl_pair;

/* In order of insertion, with an index of slots (position + 1, 0 free) once there are more than a
 * few. */
typedef struct tpl_dict {
    tpl_pair *pairs;
    uint32_t n, cap;
    uint32_t *slots, n_slots;
    uint32_t depth;
} tpl_dict;

typedef struct tpl_range {
    int64_t start, stop, step, n;
} tpl_range;

/* joiner: items[0] is the separator, at tells whether it was used */
typedef struct tpl_cycler {
    tpl_value items;
    uint32_t at;
} tpl_cycler;

/* What an undefined value says when it is used: 'name' is undefined, 'dict object' has no attribute
 * 'name', or the hint. */
typedef struct tpl_undefined {
    tpl_value object, name;     /* object MISSING: a variable */
    const char *hint;           /* null: made of object and name */
    bool security;              /* using it is a SecurityError */
} tpl_undefined;

/* Memory of one rendering (or one parsed template), with its limits. */
typedef struct tpl_pool {
    tern_ctx *ctx;
    struct tpl_chunk *chunks;
    size_t used_bytes, max_bytes;
    uint64_t work, max_work;        /* steps and, in proportion, bytes looked at */
    size_t max_text_bytes;
    tern_status status;             /* of the first failure */
} tpl_pool;

/* zeroed, 16-byte aligned; null: the pool has failed */
void *tpl_get(tpl_pool *pool, size_t count, size_t size);
void tpl_pool_free(tpl_pool *pool);
/* counts; false: the limit is reached, pool has failed */
bool tpl_work(tpl_pool *pool, size_t units);

/* Texts and strings. All bytes are UTF-8. */
tpl_text *tpl_text_new(tpl_pool *pool, size_t cap);
tpl_text *tpl_text_borrow(tpl_pool *pool, const char *data, size_t n_bytes, bool trusted);
bool tpl_put(tpl_pool *pool, tpl_text *text, const char *data, size_t n_bytes, bool trusted);
bool tpl_puts(tpl_pool *pool, tpl_text *text, const char *chars);               /* trusted */
bool tpl_put_char(tpl_pool *pool, tpl_text *text, int32_t code, bool trusted);
bool tpl_put_str(tpl_pool *pool, tpl_text *text, tpl_value s);                  /* with its runs */
/* all its bytes become untrusted */
void tpl_distrust(tpl_text *text);
/* every byte of the string is */
bool tpl_trusted(tpl_value s);
tpl_value tpl_text_value(tpl_text *text);
/* a copy, trusted */
bool tpl_str(tpl_pool *pool, const char *chars, tpl_value *out);
bool tpl_strn(tpl_pool *pool, const char *data, size_t n_bytes, bool trusted, tpl_value *out);
bool tpl_concat(tpl_pool *pool, tpl_value a, tpl_value b, tpl_value *out);

static inline const char *tpl_data(tpl_value s)
{
    return s.text->data + s.at;
}
tpl_value tpl_cut(tpl_value s, size_t from, size_t to);         /* bytes [from, to) of a string */
size_t tpl_chars(tpl_value s);                                  /* characters               */
size_t tpl_byte_of(tpl_value s, size_t character);              /* where a character begins */
bool tpl_is(tpl_value s, const char *chars);                    /* a string equal to chars  */
/* the character at *at, which moves on */
int32_t tpl_decode(const char *data, size_t n_bytes, size_t *at);

/* Lists, tuples, dicts. */
tpl_array *tpl_array_new(tpl_pool *pool, size_t cap);
bool tpl_append(tpl_pool *pool, tpl_array *array, tpl_value item);
tpl_value tpl_list_of(tpl_array *array, tpl_kind kind);
/* the tuple (a, b) */
bool tpl_pair_of(tpl_pool *pool, tpl_value a, tpl_value b, tpl_value *out);
static inline tpl_value *tpl_items(tpl_value list)
{
    return list.array->items + list.at;
}
tpl_dict *tpl_dict_new(tpl_pool *pool);
/* null: not there */
tpl_value *tpl_dict_find(tpl_pool *pool, const tpl_dict *dict, tpl_value key);
tpl_value *tpl_dict_get(const tpl_dict *dict, const char *key);
bool tpl_dict_set(tpl_pool *pool, tpl_dict *dict, tpl_value key, tpl_value value);
uint64_t tpl_hash(tpl_pool *pool, tpl_value v);
/* *type: the list or dict that is not */
bool tpl_hashable(tpl_pool *pool, tpl_value v, const char **type);

static inline tpl_value tpl_none(void)
{
    return (tpl_value){ .kind = TPL_NONE };
}
static inline tpl_value tpl_bool(bool b)
{
    return (tpl_value){ .kind = TPL_BOOL, .b = b };
}
static inline tpl_value tpl_int(int64_t i)
{
    return (tpl_value){ .kind = TPL_INT, .i = i };
}
static inline tpl_value tpl_float(double f)
{
    return (tpl_value){ .kind = TPL_FLOAT, .f = f };
}
static inline bool tpl_is_number(tpl_value v)
{
    return v.kind == TPL_BOOL || v.kind == TPL_INT || v.kind == TPL_FLOAT;
}
static inline bool tpl_is_whole(tpl_value v)       /* int or bool, which is an int */
{
    return v.kind == TPL_BOOL || v.kind == TPL_INT;
}
static inline int64_t tpl_whole(tpl_value v)
{
    return v.kind == TPL_BOOL ? v.b : v.i;
}
static inline double tpl_real(tpl_value v)
{
    return v.kind == TPL_FLOAT ? v.f : (double)tpl_whole(v);
}

/* Equality as Python's ==. Nesting is bounded where lists and dicts are built; the work is counted
 * in pool (null: not), and false is the answer once its limit is reached, at which the next step
 * fails. */
bool tpl_equal(tpl_pool *pool, tpl_value a, tpl_value b);

/* Unicode as Python's str sees it. */
bool tpl_is_space(int32_t c);
bool tpl_is_name_start(int32_t c);
bool tpl_is_name_part(int32_t c);

#endif
