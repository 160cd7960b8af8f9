/* A chat template inside: source -> tokens (lex.c) -> tree (parse.c, statements.c, expr.c) -> text
 * (exec.c, loops.c, macros.c, eval.c), with the filters, tests, methods and functions as tables.
 * The semantics are those of jinja2 3.1 under transformers' settings
 * (ImmutableSandboxedEnvironment, trim_blocks, lstrip_blocks, loop controls, the generation
 * tag). */
#ifndef TERN_TEXT_TEMPLATE_H
#define TERN_TEXT_TEMPLATE_H

#include <tern/template.h>

#include "text/template/value.h"

/* ---- the tree ---- */

typedef enum tpl_node_kind {
    /* expressions */
    N_CONST, N_NAME, N_LIST, N_TUPLE, N_DICT, N_GETATTR, N_GETITEM, N_SLICE, N_CALL, N_FILTER,
    N_TEST, N_NOT, N_NEG, N_POS, N_BINARY, N_CONCAT,
    N_COMPARE, N_AND, N_OR, N_COND,
    /* targets: N_NAME, N_TUPLE and */
    N_NSREF,
    /* statements */
    N_DATA, N_PRINT, N_IF, N_FOR, N_SET, N_SET_BLOCK, N_MACRO, N_CALL_BLOCK, N_FILTER_BLOCK, N_WITH,
    N_SCOPE, N_BLOCK,
    N_AUTOESCAPE, N_LOAD, N_BREAK, N_CONTINUE
} tpl_node_kind;

enum { OP_EQ = '=', OP_NE = '!', OP_LT = '<', OP_GT = '>', OP_LE = 'l', OP_GE = 'g', OP_IN = 'i',
       OP_NOT_IN = 'n', OP_POW = '^', OP_FLOOR = 'f' };

typedef struct tpl_node tpl_node;

typedef struct tpl_nodes {
    tpl_node **items;
    uint32_t n, cap;
} tpl_nodes;

typedef struct tpl_arguments {      /* of a call, filter or test as written */
    tpl_nodes positional, keyword;
    const char **keys;              /* of the keyword ones */
    tpl_node *star, *double_star;
} tpl_arguments;

/* What the fields mean, by kind (— : unused):
 *   CONST value | NAME name, slot, scoped (in a block) | LIST, TUPLE list | DICT list: key, value,
 *   key, ... | GETATTR a, name | GETITEM a, b | SLICE a, b, c (null: left out)
 *   CALL a, args | FILTER a (null: the block's text), name, filter (null: there is
 *   none of that name), args | TEST a, name, test (the same), args | NOT, NEG, POS a | BINARY op,
 *   a, b
 *   CONCAT list | COMPARE a, list, ops in value.text's place: ops | AND, OR a, b | COND a if b else
 *   c (null: undefined) | NSREF name, slot, field
 *   DATA value | PRINT a | IF a, list, orelse | FOR a target, b iterable, c condition, list,
 *   orelse, recursive | SET a target, b
 *   SET_BLOCK a target, b filter (null: none), list | MACRO name, slot, macro | CALL_BLOCK a call,
 *   macro | FILTER_BLOCK a, list
 *   WITH pairs: targets and values, list | SCOPE list
 *   BLOCK name, list, scoped, required | AUTOESCAPE a, list | LOAD (include, import, from, extends)
 *   a */
struct tpl_node {
    uint8_t kind;
    bool recursive, scoped, required;
    int op;
    uint32_t at;              /* offset in the source */
    uint32_t slot;            /* of name, among all the names of the template */
    const char *name, *field;
    tpl_node *a, *b, *c;
    tpl_nodes list, orelse, pairs;
    const unsigned char *ops;
    tpl_arguments *args;
    const struct tpl_filter *filter;
    const struct tpl_test *test;
    struct tpl_macro_def *macro;
    tpl_value value;
};

typedef struct tpl_macro_def {
    const char *name;               /* null: a call block's caller */
    tpl_nodes params;               /* N_NAME                      */
    tpl_nodes defaults;             /* of the last params          */
    tpl_nodes body;
    /* the body speaks of them, and they are no parameters */
    bool takes_caller, takes_varargs, takes_kwargs;
    bool names_caller;                                  /* "caller" is a parameter */
    uint32_t caller_slot, varargs_slot, kwargs_slot;
} tpl_macro_def;

/* A name that the top level sets before it reads it is no input any more: where an inner scope
 * reads it earlier, it is undefined. One that it reads first, or sets in an if only, is the input
 * until then. Source: jinja2 3.1, idtracking.py, Symbols.store and branch_update. */
enum { FIRST_NOTHING = 0, FIRST_READ, FIRST_SET };

/* One template of a directory, parsed once it is chosen. */
typedef struct tpl_variant {
    const char *name;               /* "default", "tool_use", ...    */
    const char *label;              /* what errors begin with        */
    const char *source;             /* newlines are \n, the last one is gone */
    uint32_t n_bytes;
    bool parsed;                    /* body, blocks and names are there */
    tern_status broken;             /* of parsing, and its message */
    const char *message;
    tpl_nodes body, blocks;         /* blocks: N_BLOCK, wherever they stand */
    const char **names;             /* slot -> name                  */
    unsigned char *first;           /* slot -> what the top level does with it first: FIRST_... */
    uint32_t n_names;
} tpl_variant;

struct tern_template {
    tern_ctx *ctx;
    tpl_pool pool;                  /* owns everything that the variants point to */
    tpl_variant *variants;
    size_t n_variants;
    bool named;                     /* a list of templates, chosen as transformers does */
    struct json_t *special_tokens;  /* of the directory, null: none */
    tern_template_limits limits;
};

/* ---- parsing (parse.h has the rest) ---- */

bool tpl_parse_variant(tern_ctx *ctx, tpl_pool *pool, tpl_variant *v, tern_status *status);
tern_status tpl_compile(tern_template *t, tpl_variant *v);      /* parses it, unless that is done */
/* 1-based line and column (in characters) of a place in the source. */
void tpl_position(const tpl_variant *v, uint32_t at, uint32_t *line, uint32_t *column);

/* ---- running ---- */

typedef struct tpl_var {
    uint32_t slot;
    tpl_value value;
} tpl_var;

/* Names of one scope. A scope that a macro was defined in stays as it is; others are used again for
 * the next round of their loop. */
typedef struct tpl_frame {
    struct tpl_frame *outer;
    tpl_var *vars;
    uint32_t n, cap;
    bool captured;
} tpl_frame;

typedef struct tpl_macro {
    const tpl_macro_def *def;
    tpl_frame *frame;               /* where it was defined */
} tpl_macro;

typedef struct tpl_args {           /* of a call, evaluated */
    tpl_value *positional;
    uint32_t n;
    const char **keys;
    tpl_value *keyword;
    uint32_t n_keys;
} tpl_args;

typedef struct tpl_render {
    tpl_pool pool;
    const tern_template *t;
    const tpl_variant *v;
    const tpl_node *node;           /* what runs now: errors point at it */
    tpl_text *out;                  /* where prints go now */
    tpl_frame *root;                /* the top level's names */
    tpl_value *inputs;              /* slot -> input or global, MISSING: none */
    uint32_t depth, max_depth;
    struct tern_clock *clock;
} tpl_render;

typedef struct tern_clock {         /* local time without a zone */
    int64_t year;
    int month, day, hour, minute, second, microsecond;
} tern_clock;

/* Keeps "NAME: line L, column C: KIND: message" with TERN_ERR_ARGUMENT; returns false. */
bool tpl_raise(tpl_render *r, const char *kind, const char *format, ...) TERN_PRINTF(3, 4);
/* the message is a string of the template */
bool tpl_raise_value(tpl_render *r, const char *kind, tpl_value text);
/* what tern has not: TERN_ERR_UNSUPPORTED */
bool tpl_refuse(tpl_render *r, const char *format, ...) TERN_PRINTF(2, 3);
/* one level deeper, one step more; tpl_leave undoes */
bool tpl_enter(tpl_render *r);
static inline void tpl_leave(tpl_render *r)
{
    r->depth--;
}

typedef enum tpl_flow { FLOW_ERROR = 0, FLOW_ON, FLOW_BREAK, FLOW_CONTINUE } tpl_flow;

tpl_flow tpl_exec(tpl_render *r, const tpl_nodes *body, tpl_frame *frame);
bool tpl_eval(tpl_render *r, const tpl_node *node, tpl_frame *frame, tpl_value *out);
bool tpl_eval_args(tpl_render *r, const tpl_arguments *written, tpl_frame *frame, tpl_args *out);
bool tpl_apply_filter(tpl_render *r, const tpl_node *filter, tpl_value subject, tpl_frame *frame,
                      tpl_value *out);
bool tpl_assign(tpl_render *r, const tpl_node *target, tpl_frame *frame, tpl_value value);
bool tpl_call(tpl_render *r, tpl_value callee, const tpl_args *args, tpl_value *out);
/* runs a body into a text of its own */
tpl_flow tpl_capture(tpl_render *r, const tpl_nodes *body, tpl_frame *frame, tpl_value *out);
tpl_flow tpl_run_for(tpl_render *r, const tpl_node *node, tpl_frame *frame);
/* the body again, over other items */
bool tpl_call_loop(tpl_render *r, struct tpl_loop *loop, const tpl_args *args, tpl_value *out);
const tpl_node *tpl_find_block(const tpl_variant *v, const char *name, size_t n_bytes);
bool tpl_call_block(tpl_render *r, const tpl_node *block, tpl_value *out);
bool tpl_define_macro(tpl_render *r, const tpl_macro_def *def, tpl_frame *frame, tpl_value *out);
bool tpl_run_call_block(tpl_render *r, const tpl_node *node, tpl_frame *frame);
bool tpl_call_macro(tpl_render *r, tpl_macro *macro, const tpl_args *args, tpl_value *out);
tpl_frame *tpl_frame_new(tpl_render *r, tpl_frame *outer);
bool tpl_frame_set(tpl_render *r, tpl_frame *frame, uint32_t slot, tpl_value value);

/* Operators. */
bool tpl_binary(tpl_render *r, int op, tpl_value a, tpl_value b, tpl_value *out);
bool tpl_negate(tpl_render *r, tpl_value v, bool minus, tpl_value *out);
bool tpl_compare(tpl_render *r, int op, tpl_value a, tpl_value b, bool *out);
bool tpl_less(tpl_render *r, tpl_value a, tpl_value b, const char *op, bool *out);
bool tpl_contains(tpl_render *r, tpl_value container, tpl_value item, bool *out);
bool tpl_truth(tpl_value v);
bool tpl_length(tpl_render *r, tpl_value v, int64_t *out);
bool tpl_getattr(tpl_render *r, tpl_value object, const char *name, tpl_value *out);
bool tpl_getitem(tpl_render *r, tpl_value object, tpl_value key, tpl_value *out);
bool tpl_slice(tpl_render *r, tpl_value object, tpl_value start, tpl_value stop, tpl_value step,
               tpl_value *out);
const char *tpl_type_name(tpl_value v);
/* one that is no method; MISSING: none */
bool tpl_plain_attribute(tpl_render *r, tpl_value v, const char *name, tpl_value *out);
/* one that Python has and the sandbox keeps */
bool tpl_is_hidden(tpl_value v, const char *name);
bool tpl_undefined_of(tpl_render *r, tpl_value object, tpl_value name, tpl_value *out);
bool tpl_undefined_hint(tpl_render *r, const char *hint, tpl_value *out);
/* says its sentence; returns false */
bool tpl_fail_undefined(tpl_render *r, tpl_value undefined);
bool tpl_check_hashable(tpl_render *r, tpl_value key);

/* Text of values: str() and repr(). */
bool tpl_to_str(tpl_render *r, tpl_value v, tpl_value *out);
bool tpl_put_value(tpl_render *r, tpl_text *text, tpl_value v);               /* as str() */
bool tpl_put_repr(tpl_render *r, tpl_text *text, tpl_value v);
/* str() that leaves markup as it is */
bool tpl_soft_str(tpl_render *r, tpl_value v, tpl_value *out);
bool tpl_escape(tpl_render *r, tpl_value v, tpl_value *out);                  /* markup */
/* buffer[40]; its length */
size_t tpl_float_repr(double f, char *buffer);
/* holds an untrusted string somewhere */
bool tpl_tainted(tpl_render *r, tpl_value v);
bool tpl_percent(tpl_render *r, tpl_value format, tpl_value arg, tpl_value *out);
bool tpl_format(tpl_render *r, tpl_value format, const tpl_args *args, tpl_value *out);
bool tpl_tojson(tpl_render *r, tpl_value v, const tpl_args *args, tpl_value *out);
bool tpl_strftime(tpl_render *r, tpl_value format, tpl_value *out);

/* Iteration: 1 an item, 0 the end, -1 failed. */
typedef struct tpl_iter {
    int (*next)(tpl_render *r, struct tpl_iter *it, tpl_value *out);
    const char *type;               /* "generator", "list_reverseiterator" */
    tpl_value source;               /* what is walked: a list, string, dict, ... */
    struct tpl_iter *inner;
    int64_t at;                     /* position in source */
    tpl_value state[3];             /* what the kind needs: attribute, default, seen items */
    tpl_args args;
    const void *function;           /* a tpl_filter or tpl_test */
    const char *name;               /* of function, which may be null: there is none */
    const tpl_node *node;           /* a filtered loop */
    tpl_frame *frame;
    bool negate, started;
} tpl_iter;

tpl_iter *tpl_iterate(tpl_render *r, tpl_value v);                            /* null: failed */
/* a step, and a level: iterators stand on iterators */
int tpl_next(tpl_render *r, tpl_iter *it, tpl_value *out);
bool tpl_iter_value(tpl_render *r, tpl_iter *it, tpl_value *out);
bool tpl_to_array(tpl_render *r, tpl_value v, tpl_array **out);               /* list(v) */

typedef struct tpl_loop {
    tpl_iter *it;
    tpl_value iterable, current, before, after, changed;     /* after: peeked, MISSING: not yet */
    bool ended;
    int64_t index0, length;                                  /* length -1: not known yet */
    /* the statement, and the scope that it stands in */
    const tpl_node *node;
    tpl_frame *frame;
    uint32_t depth0;                                         /* of a recursive loop's calls */
} tpl_loop;

bool tpl_loop_next(tpl_render *r, tpl_loop *loop, bool *more);
/* MISSING: no such attribute */
bool tpl_loop_attr(tpl_render *r, tpl_loop *loop, const char *name, tpl_value *out);

/* Filters, tests, functions and methods all have this shape; self is what stands before the bar or
 * the dot. */
typedef bool tpl_fn(tpl_render *r, tpl_value self, const tpl_args *args, tpl_value *out);

typedef struct tpl_filter {
    const char *name;
    tpl_fn *run;
} tpl_filter;

typedef struct tpl_test {
    const char *name;
    tpl_fn *run;                    /* gives a bool */
} tpl_test;

typedef struct tpl_function {
    const char *name;
    tpl_fn *run;
} tpl_function;

typedef struct tpl_method {
    tpl_value self;
    const tpl_function *function;
} tpl_method;

const tpl_filter *tpl_find_filter(const char *name);
const tpl_test *tpl_find_test(const char *name);
const tpl_function *tpl_find_global(const char *name);
/* one that Python has as a class: namespace, cycler, joiner */
bool tpl_is_class(const tpl_function *global);
const tpl_function *tpl_find_method(tpl_kind kind, const char *name);
bool tpl_known_missing(const char *name);          /* a filter of Jinja's that tern does not have */
/* What an unknown filter or test says where it is reached: what tern lacks, or Jinja's sentence. */
bool tpl_no_such(tpl_render *r, const char *kind, const char *name, const char *end);
/* ended by a null name */
extern const tpl_filter tpl_filters_text[], tpl_filters_list[], tpl_filters_pick[];
extern const tpl_function tpl_methods_text[], tpl_methods_case[], tpl_methods_list[],
    tpl_methods_dict[], tpl_methods_cycler[], tpl_methods_loop[], tpl_methods_whole[],
    tpl_methods_real[], tpl_methods_bytes[], tpl_methods_view[], tpl_methods_translate[];
tpl_fn tpl_dict_fromkeys, tpl_urlize, tpl_striptags, tpl_wordwrap;

/* Puts args into slots by the names of the parameters ("d attribute"), the first n_required of
 * which must be there; what is left out stays MISSING. The function's Python name is for the
 * TypeError. */
bool tpl_bind(tpl_render *r, const char *who, const tpl_args *args, const char *names,
              int n_required, tpl_value *slots);
/* MISSING, None: fallback */
bool tpl_need_int(tpl_render *r, tpl_value v, int64_t fallback, int64_t *out);

/* What a filter's attribute="a.b.0" means. */
bool tpl_attribute(tpl_render *r, tpl_value item, tpl_value path, tpl_value fallback,
                   tpl_value *out);

#endif
