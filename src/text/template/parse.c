/* Builds a template's tree: statements here, expressions in expr.c. Called by chat.c, once per template.
 *
 * What Jinja has and tern has not (include, import, extends, recursive loops, ...) is refused here, with its place; so are unknown
 * filters, tests and functions, which Jinja may notice only when it gets there. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/ctx.h"
#include "text/template/template.h"

enum { MAX_DEPTH = 200 };

void tpl_place(const tpl_variant *v, uint32_t at, uint32_t *line, uint32_t *column)
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
    char words[512];
    uint32_t line, column;
    vsnprintf(words, sizeof words, format, args);
    tpl_place(p->v, at, &line, &column);
    p->status = tern_fail(p->ctx, status, "%s: line %u, column %u: %s: %s", p->v->label, line, column, kind, words);
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

bool tpl_unsupported(tpl_parser *p, uint32_t at, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fail_at(p, at, TERN_ERR_UNSUPPORTED, "not supported", format, args);
    va_end(args);
    return false;
}

/* ---- nodes and names ---- */

static bool no_memory(tpl_parser *p)
{
    return p->status = p->pool->status, false;
}

tpl_node *tpl_node_new(tpl_parser *p, tpl_node_kind kind, uint32_t at)
{
    tpl_node *node = tpl_get(p->pool, 1, sizeof *node);
    if (!node) return no_memory(p), NULL;
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
        if (!items) return no_memory(p);
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
    if (!copy) return no_memory(p), NULL;
    memcpy(copy, data, n);
    return copy;
}

static bool slot_of(tpl_parser *p, const char *name, uint32_t *slot)
{
    tpl_variant *v = p->v;
    for (*slot = 0; *slot < v->n_names; ++*slot)
        if (strcmp(v->names[*slot], name) == 0) return true;
    if (v->n_names == p->cap_names) {
        uint32_t cap = p->cap_names ? p->cap_names * 2 : 32;
        const char **names = tpl_get(p->pool, cap, sizeof *names);
        unsigned char *flags = tpl_get(p->pool, cap, 1);
        if (!names || !flags) return no_memory(p);
        if (v->n_names) memcpy(names, v->names, v->n_names * sizeof *names);
        if (v->n_names) memcpy(flags, p->name_flags, v->n_names);
        v->names = names;
        p->name_flags = flags;
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

tpl_node *tpl_name_node(tpl_parser *p, const char *name, uint32_t at, bool store)
{
    tpl_node *node = tpl_node_new(p, N_NAME, at);
    if (!node || !slot_of(p, name, &node->slot)) return NULL;
    node->name = name;
    if (store) p->name_flags[node->slot] |= NAME_STORED;
    else note_use(p, name);
    if (!store && (strcmp(name, "self") == 0 || strcmp(name, "super") == 0)) return tpl_unsupported(p, at, "'%s', of template inheritance", name), NULL;
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
    static const char *const words[] = {
        [TOK_END] = "end of template", [TOK_DATA] = "template data / text", [TOK_BLOCK_BEGIN] = "begin of statement block",
        [TOK_BLOCK_END] = "end of statement block", [TOK_PRINT_BEGIN] = "begin of print statement", [TOK_PRINT_END] = "end of print statement",
        [TOK_STRING] = "string", [TOK_INT] = "integer", [TOK_FLOAT] = "float"
    };
    if (t->kind == TOK_NAME || t->kind == TOK_OP) snprintf(buffer, size, "%.*s", (int)(t->n > 60 ? 60 : t->n), p->v->source + t->at);
    else snprintf(buffer, size, "%s", words[t->kind]);
    return buffer;
}

static bool expected(tpl_parser *p, const char *what)
{
    char got[64];
    const tpl_token *t = tpl_token_at(p);
    if (t->kind == TOK_END) return tpl_syntax(p, t->at, "unexpected end of template, expected '%s'.", what);
    return tpl_syntax(p, t->at, "expected token '%s', got '%s'", what, tpl_describe(p, t, got, sizeof got));
}

bool tpl_expect_op(tpl_parser *p, int op)
{
    char what[3] = { (char)op, 0, 0 };
    return tpl_skip_op(p, op) || expected(p, what);
}

bool tpl_expect_name(tpl_parser *p, const char **name)
{
    const tpl_token *t = tpl_token_at(p);
    if (t->kind != TOK_NAME) return expected(p, "name");
    *name = tpl_intern(p, p->v->source + t->at, t->n);
    p->at++;
    return *name != NULL;
}

static bool expect_word(tpl_parser *p, const char *word)
{
    return tpl_skip_name(p, word) || expected(p, word);
}

static bool block_end(tpl_parser *p)
{
    if (tpl_token_at(p)->kind != TOK_BLOCK_END) return expected(p, "end of statement block");
    p->at++;
    return true;
}

/* ---- statements ---- */

static tpl_node *statement(tpl_parser *p);

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
    tpl_place(p->v, opened, &line, &column);
    return tpl_syntax(p, at, "Unexpected end of template. Jinja was looking for the following tags: %s, of the block that line %u, column %u opens.", tags, line, column);
}

/* Statements up to one of the words in ends, which becomes the current token (behind "{%"); ends null: up to the end. */
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
            if (!text) return node ? no_memory(p) : false;
            node->value = tpl_text_value(text);
            ok = tpl_nodes_add(p, body, node);
        } else if (t->kind == TOK_PRINT_BEGIN) {
            node = tpl_node_new(p, N_PRINT, t->at);
            ok = node && (node->a = tpl_parse_tuple(p, false, true, false, NULL)) != NULL;
            if (ok && tpl_token_at(p)->kind != TOK_PRINT_END) ok = expected(p, "end of print statement");
            p->at += ok;
            ok = ok && tpl_nodes_add(p, body, node);
        } else {
            if (ends_body(p, ends)) return true;
            node = statement(p);
            ok = node && tpl_nodes_add(p, body, node) && block_end(p);
        }
    }
    return false;
}

/* "%}", a body, "{% word": what is behind the word stays. */
static bool body_of(tpl_parser *p, const char *ends, tpl_nodes *body, uint32_t opened)
{
    tpl_skip_op(p, ':');
    if (++p->depth > MAX_DEPTH) return tpl_syntax(p, opened, "blocks are nested more than %d deep", MAX_DEPTH);
    bool ok = block_end(p) && body_until(p, ends, body, opened);
    p->depth--;
    return ok;
}

static tpl_node *parse_for(tpl_parser *p, uint32_t at)
{
    tpl_node *node = tpl_node_new(p, N_FOR, at);
    p->any_loops++;
    bool ok = node && (node->a = tpl_parse_target(p, "in", false)) && expect_word(p, "in") && (node->b = tpl_parse_tuple(p, false, false, false, "recursive"));
    p->any_loops--;
    if (!ok) return NULL;
    if (tpl_skip_name(p, "if") && !(node->c = tpl_parse_expression(p, true))) return NULL;
    if (tpl_at_name(p, "recursive")) return tpl_unsupported(p, tpl_token_at(p)->at, "a recursive loop"), NULL;
    p->loops++;
    p->any_loops++;
    ok = body_of(p, "endfor else", &node->list, at);
    p->loops--;
    p->any_loops--;
    if (!ok) return NULL;
    if (tpl_skip_name(p, "else") && !body_of(p, "endfor", &node->orelse, at)) return NULL;
    return expect_word(p, "endfor") ? node : NULL;
}

static tpl_node *parse_if(tpl_parser *p, uint32_t at)
{
    tpl_node *first = tpl_node_new(p, N_IF, at), *node = first;
    while (node) {
        if (!(node->a = tpl_parse_tuple(p, false, false, false, NULL)) || !body_of(p, "elif else endif", &node->list, at)) return NULL;
        uint32_t next_at = tpl_token_at(p)->at;
        if (tpl_skip_name(p, "elif")) {
            tpl_node *next = tpl_node_new(p, N_IF, next_at);
            if (!next || !tpl_nodes_add(p, &node->orelse, next)) return NULL;
            node = next;
            continue;
        }
        if (tpl_skip_name(p, "else") && !body_of(p, "endif", &node->orelse, at)) return NULL;
        return expect_word(p, "endif") ? first : NULL;
    }
    return NULL;
}

static tpl_node *parse_set(tpl_parser *p, uint32_t at)
{
    tpl_node *node = tpl_node_new(p, N_SET, at);
    if (!node || !(node->a = tpl_parse_target(p, NULL, true))) return NULL;
    if (tpl_skip_op(p, '=')) return (node->b = tpl_parse_tuple(p, false, true, false, NULL)) ? node : NULL;
    node->kind = N_SET_BLOCK;
    if (tpl_at_op(p, '|') && !(node->b = tpl_parse_filters(p, NULL, false))) return NULL;
    return body_of(p, "endset", &node->list, at) && expect_word(p, "endset") ? node : NULL;
}

static bool parse_signature(tpl_parser *p, tpl_macro_def *def)
{
    if (!tpl_expect_op(p, '(')) return false;
    while (!tpl_at_op(p, ')')) {
        const char *name = NULL;
        if (def->params.n && !tpl_expect_op(p, ',')) return false;
        uint32_t at = tpl_token_at(p)->at;
        if (!tpl_expect_name(p, &name) || !tpl_nodes_add(p, &def->params, tpl_name_node(p, name, at, true))) return false;
        def->names_caller |= strcmp(name, "caller") == 0;
        if (tpl_skip_op(p, '=')) {
            if (!tpl_nodes_add(p, &def->defaults, tpl_parse_expression(p, true))) return false;
        } else if (def->defaults.n) {
            return tpl_syntax(p, at, "non-default argument follows default argument");
        }
    }
    return tpl_expect_op(p, ')');
}

static bool has_param(const tpl_macro_def *def, const char *name)
{
    for (uint32_t i = 0; i < def->params.n; i++)
        if (strcmp(def->params.items[i]->name, name) == 0) return true;
    return false;
}

/* The body of a macro or call block: loops around it are not its own. */
static bool macro_body(tpl_parser *p, tpl_macro_def *def, const char *end, uint32_t at)
{
    tpl_uses uses = { .outer = p->uses };
    uint32_t loops = p->loops;
    p->uses = &uses;
    p->loops = 0;
    bool ok = body_of(p, end, &def->body, at) && expect_word(p, end);
    p->uses = uses.outer;
    p->loops = loops;
    def->takes_caller = uses.caller && !has_param(def, "caller");
    def->takes_varargs = uses.varargs && !has_param(def, "varargs");
    def->takes_kwargs = uses.kwargs && !has_param(def, "kwargs");
    if (ok && uses.caller && has_param(def, "caller")) {
        bool has_default = false;
        for (uint32_t i = 0; i < def->params.n; i++)
            if (strcmp(def->params.items[i]->name, "caller") == 0) has_default = i + def->defaults.n >= def->params.n;
        if (!has_default)
            return tpl_syntax(p, at, "When defining macros or call blocks the special \"caller\" argument must be omitted or be given a default.");
    }
    return ok && slot_of(p, "caller", &def->caller_slot) && slot_of(p, "varargs", &def->varargs_slot) && slot_of(p, "kwargs", &def->kwargs_slot);
}

static tpl_node *parse_macro(tpl_parser *p, uint32_t at)
{
    tpl_node *node = tpl_node_new(p, N_MACRO, at);
    const char *name = NULL;
    uint32_t name_at = tpl_token_at(p)->at;
    if (!node || !(node->macro = tpl_get(p->pool, 1, sizeof *node->macro))) return no_memory(p), NULL;
    if (!tpl_expect_name(p, &name) || !(node->a = tpl_name_node(p, name, name_at, true))) return NULL;
    node->macro->name = name;
    return parse_signature(p, node->macro) && macro_body(p, node->macro, "endmacro", at) ? node : NULL;
}

static tpl_node *parse_call_block(tpl_parser *p, uint32_t at)
{
    tpl_node *node = tpl_node_new(p, N_CALL_BLOCK, at);
    if (!node || !(node->macro = tpl_get(p->pool, 1, sizeof *node->macro))) return no_memory(p), NULL;
    if (tpl_at_op(p, '(') && !parse_signature(p, node->macro)) return NULL;
    if (!(node->a = tpl_parse_expression(p, true))) return NULL;
    if (node->a->kind != N_CALL) return tpl_syntax(p, at, "expected call"), NULL;
    return macro_body(p, node->macro, "endcall", at) ? node : NULL;
}

static tpl_node *parse_filter_block(tpl_parser *p, uint32_t at)
{
    tpl_node *node = tpl_node_new(p, N_FILTER_BLOCK, at);
    if (!node || !(node->a = tpl_parse_filters(p, NULL, true))) return NULL;
    return body_of(p, "endfilter", &node->list, at) && expect_word(p, "endfilter") ? node : NULL;
}

static tpl_node *parse_with(tpl_parser *p, uint32_t at)
{
    tpl_node *node = tpl_node_new(p, N_WITH, at);
    if (!node) return NULL;
    while (tpl_token_at(p)->kind != TOK_BLOCK_END) {
        if (node->pairs.n && !tpl_expect_op(p, ',')) return NULL;
        if (!tpl_nodes_add(p, &node->pairs, tpl_parse_target(p, NULL, false)) || !tpl_expect_op(p, '=') ||
            !tpl_nodes_add(p, &node->pairs, tpl_parse_expression(p, true)))
            return NULL;
    }
    return body_of(p, "endwith", &node->list, at) && expect_word(p, "endwith") ? node : NULL;
}

/* {% generation %} marks what the assistant says; {% block %} without inheritance is its body; {% autoescape false %} changes nothing. */
static tpl_node *parse_scope(tpl_parser *p, uint32_t at, const char *word)
{
    tpl_node *node = tpl_node_new(p, N_SCOPE, at);
    uint32_t loops = p->loops;
    const char *name = NULL;
    if (!node) return NULL;
    const char *end = word[0] == 'g' ? "endgeneration" : word[0] == 'b' ? "endblock" : "endautoescape";
    if (word[0] == 'a') {
        if (!tpl_skip_name(p, "false") && !tpl_skip_name(p, "False"))
            return tpl_unsupported(p, at, "autoescape other than {%% autoescape false %%}"), NULL;
    } else {
        p->loops = 0;      /* both are functions of their own: no break leads out */
    }
    if (word[0] == 'b') {
        if (!tpl_expect_name(p, &name)) return NULL;
        if (tpl_token_at(p)->kind == TOK_NAME) return tpl_unsupported(p, tpl_token_at(p)->at, "a scoped or required block"), NULL;
        node->fresh = true;
    }
    bool ok = body_of(p, end, &node->list, at) && expect_word(p, end);
    p->loops = loops;
    if (ok && name) tpl_skip_name(p, name);
    return ok ? node : NULL;
}

static tpl_node *parse_print(tpl_parser *p, uint32_t at)
{
    tpl_node *node = tpl_node_new(p, N_SCOPE, at);      /* expressions assign nothing: a scope of prints is as good as prints */
    while (node && tpl_token_at(p)->kind != TOK_BLOCK_END) {
        if (node->list.n && !tpl_expect_op(p, ',')) return NULL;
        tpl_node *print = tpl_node_new(p, N_PRINT, tpl_token_at(p)->at);
        if (!print || !(print->a = tpl_parse_expression(p, true)) || !tpl_nodes_add(p, &node->list, print)) return NULL;
    }
    return node;
}

static tpl_node *parse_jump(tpl_parser *p, uint32_t at, tpl_node_kind kind)
{
    if (!p->loops) return tpl_syntax(p, at, "'%s' outside loop", kind == N_BREAK ? "break" : "continue"), NULL;
    return tpl_node_new(p, kind, at);
}

static tpl_node *statement(tpl_parser *p)
{
    static const char *const refused[] = { "include", "import", "from", "extends" };
    const tpl_token *t = tpl_token_at(p);
    if (t->kind != TOK_NAME) return tpl_syntax(p, t->at, "tag name expected"), NULL;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (tpl_at_name(p, refused[i])) return tpl_unsupported(p, t->at, "the tag '%s': a chat template stands alone", refused[i]), NULL;
    if (tpl_skip_name(p, "for")) return parse_for(p, t->at);
    if (tpl_skip_name(p, "if")) return parse_if(p, t->at);
    if (tpl_skip_name(p, "set")) return parse_set(p, t->at);
    if (tpl_skip_name(p, "macro")) return parse_macro(p, t->at);
    if (tpl_skip_name(p, "call")) return parse_call_block(p, t->at);
    if (tpl_skip_name(p, "filter")) return parse_filter_block(p, t->at);
    if (tpl_skip_name(p, "with")) return parse_with(p, t->at);
    if (tpl_skip_name(p, "generation")) return parse_scope(p, t->at, "generation");
    if (tpl_skip_name(p, "block")) return parse_scope(p, t->at, "block");
    if (tpl_skip_name(p, "autoescape")) return parse_scope(p, t->at, "autoescape");
    if (tpl_skip_name(p, "print")) return parse_print(p, t->at);
    if (tpl_skip_name(p, "break")) return parse_jump(p, t->at, N_BREAK);
    if (tpl_skip_name(p, "continue")) return parse_jump(p, t->at, N_CONTINUE);
    return tpl_syntax(p, t->at, "Encountered unknown tag '%.*s'.", (int)(t->n > 60 ? 60 : t->n), p->v->source + t->at), NULL;
}

/* A name that is called but that nothing can define: no function of Jinja's or transformers', never assigned, never asked about. */
static bool check_calls(tpl_parser *p)
{
    for (uint32_t i = 0; i < p->calls.n; i++) {
        const tpl_node *name = p->calls.items[i];
        bool special = strcmp(name->name, "caller") == 0 || strcmp(name->name, "loop") == 0;
        if (!special && !p->name_flags[name->slot] && !tpl_find_global(name->name)) return tpl_unsupported(p, name->at, "the function '%s'", name->name);
    }
    return true;
}

bool tpl_parse_variant(tern_ctx *ctx, tpl_pool *pool, tpl_variant *v, tern_status *status)
{
    tpl_parser p = { .ctx = ctx, .pool = pool, .v = v };
    bool ok = tpl_lex(&p) && body_until(&p, NULL, &v->body, 0) && check_calls(&p);
    *status = ok ? TERN_OK : p.status ? p.status : pool->status;
    return ok;
}
