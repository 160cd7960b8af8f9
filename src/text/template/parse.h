/* What the files that build a template's tree share: tokens and the parser. */
#ifndef TERN_TEXT_TEMPLATE_PARSE_H
#define TERN_TEXT_TEMPLATE_PARSE_H

#include "text/template/template.h"

/* ---- tokens ---- */

typedef enum tpl_token_kind {
    TOK_END = 0, TOK_DATA, TOK_BLOCK_BEGIN, TOK_BLOCK_END, TOK_PRINT_BEGIN, TOK_PRINT_END, TOK_NAME,
    TOK_STRING, TOK_INT, TOK_FLOAT,
    TOK_OP           /* op: one character, or two packed as in '*' << 8 | '*' */
} tpl_token_kind;

typedef struct tpl_token {
    tpl_token_kind kind;
    uint32_t at, n;           /* its bytes of the source; of TOK_DATA what is left of them */
    int op;
    tpl_value value;          /* of a string (unescaped) or a number */
} tpl_token;


/* Jinja refuses an unknown filter or test while it compiles, except where it is read in the scope
 * of an if or an inline if: there it is an error when it is reached. Source: jinja2 3.1,
 * compiler.py, Frame.soft. Which of the two it is turns out later ("a|f if b"): loose ones are
 * softened by the if around them, and made firm by the end of a scope. */
typedef struct tpl_unknown {
    const char *kind, *name;
    uint32_t at;
    bool firm;
} tpl_unknown;

typedef struct tpl_parser {
    tern_ctx *ctx;
    tpl_pool *pool;
    tpl_variant *v;
    tpl_token *tokens;
    uint32_t n_tokens, at;          /* at: the current one */
    uint32_t cap_names;
    uint32_t depth;
    uint32_t loops;                 /* for-loops around, within the present macro */
    uint32_t any_loops;             /* for-loops around at all */
    struct tpl_uses *uses;          /* of caller, varargs, kwargs, innermost macro first */
    tpl_unknown *unknown;           /* filters and tests that do not exist */
    uint32_t n_unknown, cap_unknown;
    uint32_t scopes;                /* scopes around, of loops, macros, blocks, ... */
    uint32_t branches;              /* ifs around */
    const char *block;              /* the {% block %} around, null: none */
    tern_status status;
} tpl_parser;

typedef struct tpl_uses {
    struct tpl_uses *outer;
    bool caller, varargs, kwargs;
} tpl_uses;

bool tpl_note_unknown(tpl_parser *p, const char *kind, const char *name, uint32_t at);
/* the loose ones from this one on are no errors of parsing */
void tpl_soften(tpl_parser *p, uint32_t from);
/* the loose ones from this one on are */
void tpl_make_firm(tpl_parser *p, uint32_t from);

bool tpl_lex(tpl_parser *p);                                        /* fills p->tokens */
tpl_node *tpl_parse_expression(tpl_parser *p, bool with_condition);  /* null: p has failed */
tpl_node *tpl_parse_tuple(tpl_parser *p, bool targets, bool with_condition, bool parenthesised,
                          const char *end_name);
tpl_node *tpl_parse_filters(tpl_parser *p, tpl_node *node, bool inline_start);
tpl_node *tpl_parse_target(tpl_parser *p, const char *end_name, bool with_namespace);
tpl_node *tpl_node_new(tpl_parser *p, tpl_node_kind kind, uint32_t at);
tpl_node *tpl_name_node(tpl_parser *p, const char *name, uint32_t at, bool store);
bool tpl_nodes_add(tpl_parser *p, tpl_nodes *nodes, tpl_node *node);
/* the present scope gives target's names a value */
void tpl_note_set(tpl_parser *p, const tpl_node *target);
bool tpl_slot_of(tpl_parser *p, const char *name, uint32_t *slot);
/* the pool has failed: returns false */
bool tpl_no_memory(tpl_parser *p);
const char *tpl_intern(tpl_parser *p, const char *data, size_t n);
/* the current token is this name */
bool tpl_at_name(const tpl_parser *p, const char *name);
bool tpl_at_op(const tpl_parser *p, int op);
/* fails: another token is here */
bool tpl_expected(tpl_parser *p, const char *what);
bool tpl_expect_word(tpl_parser *p, const char *word);
/* "%}", statements up to "{%" and one of the words in ends ("endfor else"), which becomes the
 * current token; opened: for the error. */
bool tpl_parse_body(tpl_parser *p, const char *ends, tpl_nodes *body, uint32_t opened);
tpl_node *tpl_parse_statement(tpl_parser *p);                        /* behind "{%" */
bool tpl_skip_name(tpl_parser *p, const char *name);
bool tpl_skip_op(tpl_parser *p, int op);
bool tpl_expect_op(tpl_parser *p, int op);
bool tpl_expect_name(tpl_parser *p, const char **name);              /* any name */
const char *tpl_describe(const tpl_parser *p, const tpl_token *token, char *buffer, size_t size);
static inline const tpl_token *tpl_token_at(const tpl_parser *p)
{
    return &p->tokens[p->at];
}
/* "NAME: line 3, column 7: TemplateSyntaxError: message"; returns false. */
bool tpl_syntax(tpl_parser *p, uint32_t at, const char *format, ...) TERN_PRINTF(3, 4);
/* The same, called TemplateAssertionError: what Jinja finds while it compiles. */
bool tpl_assertion(tpl_parser *p, uint32_t at, const char *format, ...) TERN_PRINTF(3, 4);
bool tpl_unsupported(tpl_parser *p, uint32_t at, const char *format, ...) TERN_PRINTF(3, 4);

#endif
