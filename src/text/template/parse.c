/* Builds a template's tree: text, prints and bodies here, statements in statements.c, expressions
 * in expr.c. Called by chat.c, once for each template that is chosen. What Jinja finds while it
 * compiles, it finds here. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/ctx.h"
#include "text/template/parse.h"

enum { MAX_DEPTH = 200 };

void tpl_position(const tpl_variant *v, uint32_t at, uint32_t *line, uint32_t *column)
{
    *line = *column = 1;
    for (uint32_t i = 0; i < at && i < v->n_bytes; i++) {
        if (v->source[i] == '\n') {
            ++*line;
            *column = 1;
        } else if (((unsigned char)v->source[i] & 0xC0) != 0x80) {
            ++*column;
        }
    }
}

static bool fail_at(tpl_parser *p, uint32_t at, tern_status status, const char *kind, const char *format, va_list args)
{
    char message[512];
    uint32_t line, column;
    tern_show_v(message, sizeof message, format, args);
    tpl_position(p->v, at, &line, &column);
    p->status = tern_fail(p->ctx, status, "%s: line %u, column %u: %s: %s", p->v->label, line, column, kind, message);
    return false;
}

bool tpl_syntax(tpl_parser *p, uint32_t at, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fail_at(p, at, TERN_ERR_FORMAT, "TemplateSyntaxError", format, args);
    va_end(args);
    return false;
}

bool tpl_assertion(tpl_parser *p, uint32_t at, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fail_at(p, at, TERN_ERR_FORMAT, "TemplateAssertionError", format, args);
    va_end(args);
    return false;
}

bool tpl_unsupported(tpl_parser *p, uint32_t at, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fail_at(p, at, TERN_ERR_UNSUPPORTED, "not supported", format, args);
    va_end(args);
    return false;
}

/* ---- nodes and names ---- */

bool tpl_no_memory(tpl_parser *p)
{
    return p->status = p->pool->status, false;
}

tpl_node *tpl_node_new(tpl_parser *p, tpl_node_kind kind, uint32_t at)
{
    tpl_node *node = tpl_get(p->pool, 1, sizeof *node);
    if (!node) return tpl_no_memory(p), NULL;
    node->kind = (uint8_t)kind;
    node->at = at;
    return node;
}

bool tpl_nodes_add(tpl_parser *p, tpl_nodes *nodes, tpl_node *node)
{
    if (!node) return false;
    if (nodes->n == nodes->cap) {
        uint32_t cap = nodes->cap ? nodes->cap * 2 : 4;
        tpl_node **items = tpl_get(p->pool, cap, sizeof *items);
        if (!items) return tpl_no_memory(p);
        if (nodes->n) memcpy(items, nodes->items, nodes->n * sizeof *items);
        nodes->items = items;
        nodes->cap = cap;
    }
    nodes->items[nodes->n++] = node;
    return true;
}

const char *tpl_intern(tpl_parser *p, const char *data, size_t n)
{
    char *copy = tpl_get(p->pool, n + 1, 1);
    if (!copy) return tpl_no_memory(p), NULL;
    memcpy(copy, data, n);
    return copy;
}

bool tpl_slot_of(tpl_parser *p, const char *name, uint32_t *slot)
{
    tpl_variant *v = p->v;
    for (*slot = 0; *slot < v->n_names; ++*slot)
        if (strcmp(v->names[*slot], name) == 0) return true;
    if (v->n_names == p->cap_names) {
        uint32_t cap = p->cap_names ? p->cap_names * 2 : 32;
        const char **names = tpl_get(p->pool, cap, sizeof *names);
        unsigned char *first = tpl_get(p->pool, cap, 1);
        if (!names || !first) return tpl_no_memory(p);
        if (v->n_names) memcpy(names, v->names, v->n_names * sizeof *names);
        if (v->n_names) memcpy(first, v->first, v->n_names);
        v->names = names;
        v->first = first;
        p->cap_names = cap;
    }
    v->names[v->n_names++] = name;
    return true;
}

/* Notes who speaks of caller, varargs and kwargs: a macro takes them only then. */
static void note_use(tpl_parser *p, const char *name)
{
    for (tpl_uses *u = p->uses; u; u = u->outer) {
        u->caller |= strcmp(name, "caller") == 0;
        u->varargs |= strcmp(name, "varargs") == 0;
        u->kwargs |= strcmp(name, "kwargs") == 0;
    }
}

void tpl_note_set(tpl_parser *p, const tpl_node *target)
{
    for (uint32_t i = 0; target->kind == N_TUPLE && i < target->list.n; i++) tpl_note_set(p, target->list.items[i]);
    if (target->kind == N_NAME && !p->scopes && !p->v->first[target->slot])
        p->v->first[target->slot] = p->branches ? FIRST_READ : FIRST_SET;
}

tpl_node *tpl_name_node(tpl_parser *p, const char *name, uint32_t at, bool store)
{
    tpl_node *node = tpl_node_new(p, N_NAME, at);
    if (!node || !tpl_slot_of(p, name, &node->slot)) return NULL;
    node->name = name;
    if (!store) note_use(p, name);
    if (!store && !p->scopes && !p->v->first[node->slot]) p->v->first[node->slot] = FIRST_READ;
    node->scoped = p->block != NULL;
    if (!store && strcmp(name, "super") == 0) node->field = p->block;
    if (store && p->any_loops && strcmp(name, "loop") == 0)
        return tpl_syntax(p, at, "Can't assign to special loop variable in for-loop target"), NULL;
    return node;
}

/* ---- tokens ---- */

bool tpl_at_name(const tpl_parser *p, const char *name)
{
    const tpl_token *t = tpl_token_at(p);
    return t->kind == TOK_NAME && t->n == strlen(name) && memcmp(p->v->source + t->at, name, t->n) == 0;
}

bool tpl_at_op(const tpl_parser *p, int op)
{
    return tpl_token_at(p)->kind == TOK_OP && tpl_token_at(p)->op == op;
}

bool tpl_skip_name(tpl_parser *p, const char *name)
{
    bool there = tpl_at_name(p, name);
    p->at += there;
    return there;
}

bool tpl_skip_op(tpl_parser *p, int op)
{
    bool there = tpl_at_op(p, op);
    p->at += there;
    return there;
}

const char *tpl_describe(const tpl_parser *p, const tpl_token *t, char *buffer, size_t size)
{
    static const char *const names[] = {
        [TOK_END] = "end of template", [TOK_DATA] = "template data / text",
        [TOK_BLOCK_BEGIN] = "begin of statement block",
        [TOK_BLOCK_END] = "end of statement block", [TOK_PRINT_BEGIN] = "begin of print statement",
        [TOK_PRINT_END] = "end of print statement",
        [TOK_STRING] = "string", [TOK_INT] = "integer", [TOK_FLOAT] = "float"
    };
    if (t->kind == TOK_NAME || t->kind == TOK_OP)
        snprintf(buffer, size, "%.*s", (int)(t->n > 60 ? 60 : t->n), p->v->source + t->at);
    else snprintf(buffer, size, "%s", names[t->kind]);
    return buffer;
}

bool tpl_expected(tpl_parser *p, const char *what)
{
    char got[64];
    const tpl_token *t = tpl_token_at(p);
    if (t->kind == TOK_END) return tpl_syntax(p, t->at, "unexpected end of template, expected '%s'.", what);
    return tpl_syntax(p, t->at, "expected token '%s', got '%s'", what, tpl_describe(p, t, got, sizeof got));
}

bool tpl_expect_op(tpl_parser *p, int op)
{
    char what[3] = { (char)op, 0, 0 };
    return tpl_skip_op(p, op) || tpl_expected(p, what);
}

bool tpl_expect_name(tpl_parser *p, const char **name)
{
    const tpl_token *t = tpl_token_at(p);
    if (t->kind != TOK_NAME) return tpl_expected(p, "name");
    *name = tpl_intern(p, p->v->source + t->at, t->n);
    p->at++;
    return *name != NULL;
}

bool tpl_expect_word(tpl_parser *p, const char *word)
{
    return tpl_skip_name(p, word) || tpl_expected(p, word);
}

static bool block_end(tpl_parser *p)
{
    if (tpl_token_at(p)->kind != TOK_BLOCK_END) return tpl_expected(p, "end of statement block");
    p->at++;
    return true;
}

/* ---- statements ---- */

/* The words that end a body: " endfor else ", the tag around it first. */
static bool ends_body(const tpl_parser *p, const char *ends)
{
    const tpl_token *t = tpl_token_at(p);
    if (!ends || t->kind != TOK_NAME) return false;
    for (const char *w = ends; *w;) {
        size_t n = strcspn(w, " ");
        if (n == t->n && memcmp(w, p->v->source + t->at, n) == 0) return true;
        w += n + (w[n] == ' ');
    }
    return false;
}

static bool unexpected_end(tpl_parser *p, uint32_t at, const char *ends, uint32_t opened)
{
    char tags[80];
    size_t n = 0;
    uint32_t line, column;
    for (const char *w = ends; *w && n < sizeof tags; w += strcspn(w, " ") + (w[strcspn(w, " ")] == ' '))
        n += (size_t)snprintf(tags + n, sizeof tags - n, "%s'%.*s'", w == ends ? "" : " or ", (int)strcspn(w, " "), w);
    tpl_position(p->v, opened, &line, &column);
    return tpl_syntax(p, at, "Unexpected end of template. Jinja was looking for the following tags: %s, of the block "
                      "that line %u, column %u opens.", tags, line, column);
}

/* Statements up to one of the words in ends, which becomes the current token (behind "{%"); ends
 * null: up to the end. */
static bool body_until(tpl_parser *p, const char *ends, tpl_nodes *body, uint32_t opened)
{
    bool ok = true;
    while (ok) {
        const tpl_token *t = tpl_token_at(p);
        tpl_node *node;
        if (t->kind == TOK_END) {
            if (!ends) return true;
            return unexpected_end(p, t->at, ends, opened);
        }
        p->at++;
        if (t->kind == TOK_DATA) {
            node = tpl_node_new(p, N_DATA, t->at);
            tpl_text *text = node ? tpl_text_borrow(p->pool, p->v->source + t->at, t->n, true) : NULL;
            if (!text) return node ? tpl_no_memory(p) : false;
            node->value = tpl_text_value(text);
            ok = tpl_nodes_add(p, body, node);
        } else if (t->kind == TOK_PRINT_BEGIN) {
            node = tpl_node_new(p, N_PRINT, t->at);
            ok = node && (node->a = tpl_parse_tuple(p, false, true, false, NULL)) != NULL;
            if (ok && tpl_token_at(p)->kind != TOK_PRINT_END) ok = tpl_expected(p, "end of print statement");
            p->at += ok;
            ok = ok && tpl_nodes_add(p, body, node);
        } else {
            if (ends_body(p, ends)) return true;
            node = tpl_parse_statement(p);
            ok = node && tpl_nodes_add(p, body, node) && block_end(p);
        }
    }
    return false;
}

/* "%}", a body, "{% word": what is behind the word stays. */
bool tpl_parse_body(tpl_parser *p, const char *ends, tpl_nodes *body, uint32_t opened)
{
    tpl_skip_op(p, ':');
    if (++p->depth > MAX_DEPTH) return tpl_syntax(p, opened, "blocks are nested more than %d deep", MAX_DEPTH);
    bool ok = block_end(p) && body_until(p, ends, body, opened);
    p->depth--;
    return ok;
}

/* ---- filters and tests that do not exist ---- */

bool tpl_note_unknown(tpl_parser *p, const char *kind, const char *name, uint32_t at)
{
    if (p->n_unknown == p->cap_unknown) {
        uint32_t cap = p->cap_unknown ? p->cap_unknown * 2 : 8;
        tpl_unknown *unknown = tpl_get(p->pool, cap, sizeof *unknown);
        if (!unknown) return tpl_no_memory(p);
        if (p->n_unknown) memcpy(unknown, p->unknown, p->n_unknown * sizeof *unknown);
        p->unknown = unknown;
        p->cap_unknown = cap;
    }
    p->unknown[p->n_unknown++] = (tpl_unknown){ .kind = kind, .name = name, .at = at };
    return true;
}

void tpl_soften(tpl_parser *p, uint32_t from)
{
    uint32_t n = from;
    for (uint32_t i = from; i < p->n_unknown; i++)
        if (p->unknown[i].firm) p->unknown[n++] = p->unknown[i];
    p->n_unknown = n;
}

void tpl_make_firm(tpl_parser *p, uint32_t from)
{
    for (uint32_t i = from; i < p->n_unknown; i++) p->unknown[i].firm = true;
}

static bool refuse_unknown(tpl_parser *p)
{
    const tpl_unknown *first = p->unknown;
    if (!p->n_unknown) return true;
    for (uint32_t i = 1; i < p->n_unknown; i++)
        if (p->unknown[i].at < first->at) first = &p->unknown[i];
    if (tpl_known_missing(first->name)) return tpl_unsupported(p, first->at, "the %s '%s'", first->kind, first->name);
    return tpl_assertion(p, first->at, "No %s named '%s'.", first->kind, first->name);
}

bool tpl_parse_variant(tern_ctx *ctx, tpl_pool *pool, tpl_variant *v, tern_status *status)
{
    tpl_parser p = { .ctx = ctx, .pool = pool, .v = v };
    bool ok = tpl_lex(&p) && body_until(&p, NULL, &v->body, 0) && refuse_unknown(&p);
    v->parsed = ok;
    if (ok) *status = TERN_OK;
    else if (p.status) *status = p.status;
    else *status = pool->status;
    return ok;
}
