/* Builds the tree of a template's statements: {% for %}, {% if %}, {% set %} and the like. Called
 * by parse.c for each tag; expressions are expr.c's. */
#include <string.h>

#include "base/ctx.h"
#include "text/template/parse.h"

/* A body with a scope of its own: an unknown filter in it is an error of parsing, though there be
 * an if around. */
static bool inner_body(tpl_parser *p, const char *ends, tpl_nodes *body, uint32_t opened)
{
    uint32_t from = p->n_unknown;
    p->scopes++;
    bool ok = tpl_parse_body(p, ends, body, opened);
    p->scopes--;
    tpl_make_firm(p, from);
    return ok;
}

static tpl_node *parse_for(tpl_parser *p, uint32_t at)
{
    tpl_node *node = tpl_node_new(p, N_FOR, at);
    p->any_loops++;
    bool ok = node && (node->a = tpl_parse_target(p, "in", false)) && tpl_expect_word(p, "in") &&
              (node->b = tpl_parse_tuple(p, false, false, false, "recursive"));
    p->any_loops--;
    if (!ok) return NULL;
    uint32_t from = p->n_unknown, loops = p->loops;
    p->scopes++;
    ok = !tpl_skip_name(p, "if") || (node->c = tpl_parse_expression(p, true));
    p->scopes--;
    if (!ok) return NULL;
    tpl_make_firm(p, from);
    node->recursive = tpl_skip_name(p, "recursive");
    p->loops++;
    p->any_loops++;
    ok = inner_body(p, "endfor else", &node->list, at);
    p->loops = node->recursive ? 0 : loops;      /* a recursive loop is a function: no break in its else leads out */
    p->any_loops--;
    ok = ok && (!tpl_skip_name(p, "else") || inner_body(p, "endfor", &node->orelse, at));
    p->loops = loops;
    if (!ok) return NULL;
    return tpl_expect_word(p, "endfor") ? node : NULL;
}

static tpl_node *parse_branches(tpl_parser *p, uint32_t at)
{
    tpl_node *first = tpl_node_new(p, N_IF, at), *node = first;
    while (node) {
        if (!(node->a = tpl_parse_tuple(p, false, false, false, NULL)) ||
            !tpl_parse_body(p, "elif else endif", &node->list, at))
            return NULL;
        uint32_t next_at = tpl_token_at(p)->at;
        if (tpl_skip_name(p, "elif")) {
            tpl_node *next = tpl_node_new(p, N_IF, next_at);
            if (!next || !tpl_nodes_add(p, &node->orelse, next)) return NULL;
            node = next;
            continue;
        }
        if (tpl_skip_name(p, "else") && !tpl_parse_body(p, "endif", &node->orelse, at)) return NULL;
        return tpl_expect_word(p, "endif") ? first : NULL;
    }
    return NULL;
}

static tpl_node *parse_if(tpl_parser *p, uint32_t at)
{
    uint32_t from = p->n_unknown;
    p->branches++;
    tpl_node *node = parse_branches(p, at);
    p->branches--;
    tpl_soften(p, from);
    return node;
}

static tpl_node *parse_set(tpl_parser *p, uint32_t at)
{
    tpl_node *node = tpl_node_new(p, N_SET, at);
    if (!node || !(node->a = tpl_parse_target(p, NULL, true))) return NULL;
    if (tpl_skip_op(p, '=')) {
        if (!(node->b = tpl_parse_tuple(p, false, true, false, NULL))) return NULL;
        tpl_note_set(p, node->a);
        return node;
    }
    node->kind = N_SET_BLOCK;
    uint32_t from = p->n_unknown;
    tpl_note_set(p, node->a);
    p->scopes++;
    bool ok = !tpl_at_op(p, '|') || (node->b = tpl_parse_filters(p, NULL, false));
    p->scopes--;
    if (!ok) return NULL;
    tpl_make_firm(p, from);
    return inner_body(p, "endset", &node->list, at) && tpl_expect_word(p, "endset") ? node : NULL;
}

static bool has_param(const tpl_macro_def *def, const char *name)
{
    for (uint32_t i = 0; i < def->params.n; i++)
        if (strcmp(def->params.items[i]->name, name) == 0) return true;
    return false;
}

static bool parameters(tpl_parser *p, tpl_macro_def *def)
{
    uint32_t from = p->n_unknown;
    if (!tpl_expect_op(p, '(')) return false;
    while (!tpl_at_op(p, ')')) {
        const char *name = NULL;
        if (def->params.n && !tpl_expect_op(p, ',')) return false;
        uint32_t at = tpl_token_at(p)->at;
        if (!tpl_expect_name(p, &name)) return false;
        if (has_param(def, name)) return tpl_syntax(p, at, "duplicate argument '%s' in a macro's definition", name);
        if (!tpl_nodes_add(p, &def->params, tpl_name_node(p, name, at, true))) return false;
        def->names_caller |= strcmp(name, "caller") == 0;
        if (tpl_skip_op(p, '=')) {
            if (!tpl_nodes_add(p, &def->defaults, tpl_parse_expression(p, true))) return false;
        } else if (def->defaults.n) {
            return tpl_syntax(p, at, "non-default argument follows default argument");
        }
    }
    tpl_make_firm(p, from);
    return tpl_expect_op(p, ')');
}

/* Defaults are read in the macro's own scope. */
static bool parse_signature(tpl_parser *p, tpl_macro_def *def)
{
    p->scopes++;
    bool ok = parameters(p, def);
    p->scopes--;
    return ok;
}

/* The body of a macro or call block: loops around it are not its own. */
static bool macro_body(tpl_parser *p, tpl_macro_def *def, const char *end, uint32_t at)
{
    tpl_uses uses = { .outer = p->uses };
    uint32_t loops = p->loops;
    p->uses = &uses;
    p->loops = 0;
    bool ok = inner_body(p, end, &def->body, at) && tpl_expect_word(p, end);
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
            return tpl_syntax(p, at, "When defining macros or call blocks the special \"caller\" argument must be "
                              "omitted or be given a default.");
    }
    return ok && tpl_slot_of(p, "caller", &def->caller_slot) && tpl_slot_of(p, "varargs", &def->varargs_slot) &&
           tpl_slot_of(p, "kwargs", &def->kwargs_slot);
}

static tpl_node *parse_macro(tpl_parser *p, uint32_t at)
{
    tpl_node *node = tpl_node_new(p, N_MACRO, at);
    const char *name = NULL;
    uint32_t name_at = tpl_token_at(p)->at;
    if (!node || !(node->macro = tpl_get(p->pool, 1, sizeof *node->macro))) return tpl_no_memory(p), NULL;
    if (!tpl_expect_name(p, &name) || !(node->a = tpl_name_node(p, name, name_at, true))) return NULL;
    node->macro->name = name;
    tpl_note_set(p, node->a);
    return parse_signature(p, node->macro) && macro_body(p, node->macro, "endmacro", at) ? node : NULL;
}

static tpl_node *parse_call_block(tpl_parser *p, uint32_t at)
{
    tpl_node *node = tpl_node_new(p, N_CALL_BLOCK, at);
    if (!node || !(node->macro = tpl_get(p->pool, 1, sizeof *node->macro))) return tpl_no_memory(p), NULL;
    if (tpl_at_op(p, '(') && !parse_signature(p, node->macro)) return NULL;
    if (!(node->a = tpl_parse_expression(p, true))) return NULL;
    if (node->a->kind != N_CALL) return tpl_syntax(p, at, "expected call"), NULL;
    return macro_body(p, node->macro, "endcall", at) ? node : NULL;
}

static tpl_node *parse_filter_block(tpl_parser *p, uint32_t at)
{
    tpl_node *node = tpl_node_new(p, N_FILTER_BLOCK, at);
    uint32_t from = p->n_unknown;
    if (!node || !(node->a = tpl_parse_filters(p, NULL, true))) return NULL;
    tpl_make_firm(p, from);
    return inner_body(p, "endfilter", &node->list, at) && tpl_expect_word(p, "endfilter") ? node : NULL;
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
    return inner_body(p, "endwith", &node->list, at) && tpl_expect_word(p, "endwith") ? node : NULL;
}

/* {% generation %} marks what the assistant says: a function of its own in Jinja, so no break leads
 * out. */
static tpl_node *parse_generation(tpl_parser *p, uint32_t at)
{
    tpl_node *node = tpl_node_new(p, N_SCOPE, at);
    uint32_t loops = p->loops;
    p->loops = 0;
    bool ok = node && inner_body(p, "endgeneration", &node->list, at) && tpl_expect_word(p, "endgeneration");
    p->loops = loops;
    return ok ? node : NULL;
}

static tpl_node *parse_autoescape(tpl_parser *p, uint32_t at)
{
    uint32_t from = p->n_unknown;
    tpl_node *node = tpl_node_new(p, N_AUTOESCAPE, at);
    if (!node || !(node->a = tpl_parse_expression(p, true))) return NULL;
    tpl_make_firm(p, from);
    return inner_body(p, "endautoescape", &node->list, at) && tpl_expect_word(p, "endautoescape") ? node : NULL;
}

static bool is_blank(const tpl_nodes *body)
{
    for (uint32_t i = 0; i < body->n; i++) {
        if (body->items[i]->kind != N_DATA) return false;
        tpl_value text = body->items[i]->value;
        for (size_t at = 0; at < text.n;)
            if (!tpl_is_space(tpl_decode(tpl_data(text), text.n, &at))) return false;
    }
    return true;
}

/* The body of a block: what surrounds it, loops and macros, is not its own. */
static bool block_body(tpl_parser *p, tpl_node *node, uint32_t at)
{
    uint32_t loops = p->loops;
    tpl_uses *uses = p->uses;
    const char *around = p->block;
    p->loops = 0;
    p->uses = NULL;
    p->block = node->name;
    bool ok = inner_body(p, "endblock", &node->list, at) && tpl_expect_word(p, "endblock");
    p->loops = loops;
    p->uses = uses;
    p->block = around;
    return ok;
}

static tpl_node *parse_block(tpl_parser *p, uint32_t at)
{
    tpl_node *node = tpl_node_new(p, N_BLOCK, at);
    tpl_variant *v = p->v;
    if (!node || !tpl_expect_name(p, &node->name)) return NULL;
    node->scoped = tpl_skip_name(p, "scoped");
    node->required = tpl_skip_name(p, "required");
    if (tpl_at_op(p, '-'))
        return tpl_syntax(p, tpl_token_at(p)->at, "Block names in Jinja have to be valid Python identifiers and may "
                          "not contain hyphens, use an underscore instead."), NULL;
    if (tpl_find_block(v, node->name, strlen(node->name)))
        return tpl_assertion(p, at, "block '%s' defined twice", node->name), NULL;
    if (!tpl_nodes_add(p, &v->blocks, node) || !block_body(p, node, at)) return NULL;
    if (node->required && !is_blank(&node->list))
        return tpl_syntax(p, at, "Required blocks can only contain comments or whitespace"), NULL;
    tpl_skip_name(p, node->name);
    return node;
}

/* ---- other files, which a chat template's environment has no loader for: an error where it is
 * reached ---- */

static bool skip_two(tpl_parser *p, const char *first, const char *second)
{
    if (!tpl_at_name(p, first)) return false;
    p->at++;
    if (tpl_skip_name(p, second)) return true;
    p->at--;
    return false;
}

static bool skip_context(tpl_parser *p)
{
    return skip_two(p, "with", "context") || skip_two(p, "without", "context");
}

/* A name that an import would give a value. */
static bool imported_name(tpl_parser *p)
{
    const char *name = NULL;
    uint32_t at = tpl_token_at(p)->at;
    tpl_node *node = tpl_expect_name(p, &name) ? tpl_name_node(p, name, at, true) : NULL;
    if (node) tpl_note_set(p, node);
    return node != NULL;
}

static bool imported_names(tpl_parser *p)
{
    for (bool more = false;; more = true) {
        const tpl_token *t = tpl_token_at(p);
        if (more && !tpl_expect_op(p, ',')) return false;
        t = tpl_token_at(p);
        if (t->kind == TOK_NAME && skip_context(p)) return true;
        if (t->kind == TOK_NAME && p->v->source[t->at] == '_')
            return tpl_assertion(p, t->at, "names starting with an underline can not be imported");
        if (!imported_name(p) || (tpl_skip_name(p, "as") && !imported_name(p))) return false;
        if (skip_context(p) || !tpl_at_op(p, ',')) return true;
    }
}

static tpl_node *parse_load(tpl_parser *p, uint32_t at, const char *tag)
{
    tpl_node *node = tpl_node_new(p, N_LOAD, at);
    if (!node || !(node->a = tpl_parse_expression(p, true))) return NULL;
    node->name = tag;
    if (tag[0] == 'e' && p->scopes) return tpl_assertion(p, at, "cannot use extend from a non top-level scope"), NULL;
    if (strcmp(tag, "include") == 0) skip_two(p, "ignore", "missing");
    if (strcmp(tag, "import") == 0 && (!tpl_expect_word(p, "as") || !imported_name(p))) return NULL;
    if (tag[0] == 'i') skip_context(p);
    if (tag[0] == 'f' && (!tpl_expect_word(p, "import") || !imported_names(p))) return NULL;
    return node;
}

static tpl_node *parse_print(tpl_parser *p, uint32_t at)
{
    /* expressions assign nothing: a scope of prints is as good as prints */
    tpl_node *node = tpl_node_new(p, N_SCOPE, at);
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

tpl_node *tpl_parse_statement(tpl_parser *p)
{
    static const char *const loads[] = { "include", "import", "from", "extends" };
    const tpl_token *t = tpl_token_at(p);
    if (t->kind != TOK_NAME) return tpl_syntax(p, t->at, "tag name expected"), NULL;
    for (size_t i = 0; i < sizeof loads / sizeof *loads; i++)
        if (tpl_skip_name(p, loads[i])) return parse_load(p, t->at, loads[i]);
    if (tpl_skip_name(p, "for")) return parse_for(p, t->at);
    if (tpl_skip_name(p, "if")) return parse_if(p, t->at);
    if (tpl_skip_name(p, "set")) return parse_set(p, t->at);
    if (tpl_skip_name(p, "macro")) return parse_macro(p, t->at);
    if (tpl_skip_name(p, "call")) return parse_call_block(p, t->at);
    if (tpl_skip_name(p, "filter")) return parse_filter_block(p, t->at);
    if (tpl_skip_name(p, "with")) return parse_with(p, t->at);
    if (tpl_skip_name(p, "generation")) return parse_generation(p, t->at);
    if (tpl_skip_name(p, "block")) return parse_block(p, t->at);
    if (tpl_skip_name(p, "autoescape")) return parse_autoescape(p, t->at);
    if (tpl_skip_name(p, "print")) return parse_print(p, t->at);
    if (tpl_skip_name(p, "break")) return parse_jump(p, t->at, N_BREAK);
    if (tpl_skip_name(p, "continue")) return parse_jump(p, t->at, N_CONTINUE);
    return tpl_syntax(p, t->at, "Encountered unknown tag '%.*s'.", (int)(t->n > 60 ? 60 : t->n), p->v->source + t->at),
        NULL;
}
