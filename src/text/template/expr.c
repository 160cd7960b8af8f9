/* Builds the tree of a template's expressions, with Jinja's precedence. Called by parse.c.
 *
 *     a if b else c | or | and | not | == != < > <= >= in, not in | + - | ~ | * / // % | ** | unary
 *     + - | . [] () | filters, tests
 * from loosest to tightest. As in Jinja, "~" binds tighter than "+", "**" goes from left to right,
 * and a filter behind a unary minus takes the negated value. */
#include <string.h>

#include "base/ctx.h"
#include "text/template/parse.h"

enum { MAX_DEPTH = 200 };

static tpl_node *pair(tpl_parser *p, tpl_node_kind kind, int op, tpl_node *a, tpl_node *b, uint32_t at)
{
    tpl_node *node = a && b ? tpl_node_new(p, kind, at) : NULL;
    if (!node) return NULL;
    node->op = op;
    node->a = a;
    node->b = b;
    return node;
}

/* ---- what stands by itself ---- */

static tpl_node *constant(tpl_parser *p, tpl_value value, uint32_t at)
{
    tpl_node *node = tpl_node_new(p, N_CONST, at);
    if (node) node->value = value;
    return node;
}

static tpl_node *strings(tpl_parser *p)
{
    uint32_t at = tpl_token_at(p)->at;
    tpl_value value = tpl_token_at(p)->value;
    p->at++;
    while (tpl_token_at(p)->kind == TOK_STRING) {      /* 'a' 'b' is 'ab' */
        if (!tpl_concat(p->pool, value, tpl_token_at(p)->value, &value)) {
            p->status = p->pool->status;
            return NULL;
        }
        p->at++;
    }
    value.text->cap = 0;
    return constant(p, value, at);
}

/* Items up to ']' or, in pairs with ':' between, '}'. */
static tpl_node *items(tpl_parser *p, tpl_node_kind kind, int closer)
{
    tpl_node *node = tpl_node_new(p, kind, tpl_token_at(p)->at);
    p->at++;
    while (node && !tpl_at_op(p, closer)) {
        if (node->list.n && !tpl_expect_op(p, ',')) return NULL;
        if (tpl_at_op(p, closer)) break;
        if (!tpl_nodes_add(p, &node->list, tpl_parse_expression(p, true))) return NULL;
        if (kind == N_DICT && (!tpl_expect_op(p, ':') || !tpl_nodes_add(p, &node->list, tpl_parse_expression(p, true))))
            return NULL;
    }
    return node && tpl_expect_op(p, closer) ? node : NULL;
}

static tpl_node *name_or_constant(tpl_parser *p, bool target, bool with_namespace)
{
    uint32_t at = tpl_token_at(p)->at;
    const char *name;
    if (!tpl_expect_name(p, &name)) return NULL;
    if (strcmp(name, "true") == 0 || strcmp(name, "True") == 0) return constant(p, tpl_bool(true), at);
    if (strcmp(name, "false") == 0 || strcmp(name, "False") == 0) return constant(p, tpl_bool(false), at);
    if (strcmp(name, "none") == 0 || strcmp(name, "None") == 0) return constant(p, tpl_none(), at);
    if (!with_namespace || !tpl_at_op(p, '.')) return tpl_name_node(p, name, at, target);
    p->at++;
    tpl_node *node = tpl_name_node(p, name, at, false);
    if (!node || !tpl_expect_name(p, &node->field)) return NULL;
    node->kind = N_NSREF;
    return node;
}

static tpl_node *primary(tpl_parser *p, bool target, bool with_namespace)
{
    const tpl_token *t = tpl_token_at(p);
    char message[64];
    switch (t->kind) {
    case TOK_NAME: return name_or_constant(p, target, with_namespace);
    case TOK_STRING: return strings(p);
    case TOK_INT:
    case TOK_FLOAT: p->at++; return constant(p, t->value, t->at);
    case TOK_OP:
        if (t->op == '[') return items(p, N_LIST, ']');
        if (t->op == '{') return items(p, N_DICT, '}');
        if (t->op != '(') break;
        p->at++;
        tpl_node *node = tpl_parse_tuple(p, target, true, true, NULL);
        return node && tpl_expect_op(p, ')') ? node : NULL;
    default: break;
    }
    return tpl_syntax(p, t->at, "unexpected '%s'", tpl_describe(p, t, message, sizeof message)), NULL;
}

static bool tuple_ends(const tpl_parser *p, const char *end_name)
{
    const tpl_token *t = tpl_token_at(p);
    return t->kind == TOK_PRINT_END || t->kind == TOK_BLOCK_END || tpl_at_op(p, ')') ||
           (end_name && tpl_at_name(p, end_name));
}

tpl_node *tpl_parse_tuple(tpl_parser *p, bool targets, bool with_condition, bool parenthesised, const char *end_name)
{
    uint32_t at = tpl_token_at(p)->at;
    tpl_nodes list = { 0 };
    bool is_tuple = false;
    char message[64];
    for (;;) {
        if (list.n && !tpl_expect_op(p, ',')) return NULL;
        if (tuple_ends(p, end_name)) break;
        if (!tpl_nodes_add(p, &list,
                           targets ? primary(p, true, !parenthesised) : tpl_parse_expression(p, with_condition)))
            return NULL;
        if (!tpl_at_op(p, ',')) break;
        is_tuple = true;
    }
    if (!is_tuple && list.n) return list.items[0];
    if (!is_tuple && !parenthesised)
        return tpl_syntax(p, tpl_token_at(p)->at, "Expected an expression, got '%s'",
                          tpl_describe(p, tpl_token_at(p), message, sizeof message)), NULL;
    tpl_node *node = tpl_node_new(p, N_TUPLE, at);
    if (node) node->list = list;
    return node;
}

static bool assignable(tpl_parser *p, const tpl_node *node)
{
    static const char *const names[] = { [N_CONST] = "const", [N_LIST] = "list", [N_DICT] = "dict" };
    if (node->kind == N_NAME || node->kind == N_NSREF) return true;
    for (uint32_t i = 0; node->kind == N_TUPLE && i < node->list.n; i++)
        if (!assignable(p, node->list.items[i])) return false;
    if (node->kind == N_TUPLE) return true;
    return tpl_syntax(p, node->at, "can't assign to '%s'",
                      node->kind <= N_DICT && names[node->kind] ? names[node->kind] : "expression");
}

static bool without_namespaces(tpl_parser *p, const tpl_node *node)
{
    if (node->kind == N_NSREF) return tpl_syntax(p, node->at, "can't assign to an attribute here");
    for (uint32_t i = 0; node->kind == N_TUPLE && i < node->list.n; i++)
        if (!without_namespaces(p, node->list.items[i])) return false;
    return true;
}

tpl_node *tpl_parse_target(tpl_parser *p, const char *end_name, bool with_namespace)
{
    tpl_node *node = tpl_parse_tuple(p, true, false, false, end_name);
    return node && assignable(p, node) && (with_namespace || without_namespaces(p, node)) ? node : NULL;
}

/* ---- calls, filters, tests ---- */

static bool argument(tpl_parser *p, tpl_arguments *args, uint32_t at)
{
    bool in_order;
    const tpl_token *t = tpl_token_at(p);
    if (tpl_skip_op(p, '*')) {
        in_order = !args->star && !args->double_star;
        return in_order ? (args->star = tpl_parse_expression(p, true)) != NULL
                        : tpl_syntax(p, at, "invalid syntax for function call expression");
    }
    if (tpl_skip_op(p, '*' << 8 | '*')) {
        if (args->double_star) return tpl_syntax(p, at, "invalid syntax for function call expression");
        return (args->double_star = tpl_parse_expression(p, true)) != NULL;
    }
    if (t->kind == TOK_NAME && t[1].kind == TOK_OP && t[1].op == '=') {
        const char *key;
        if (args->double_star) return tpl_syntax(p, at, "invalid syntax for function call expression");
        if (!tpl_expect_name(p, &key)) return false;
        for (uint32_t i = 0; i < args->keyword.n; i++)
            if (strcmp(args->keys[i], key) == 0) return tpl_syntax(p, t->at, "keyword argument repeated: %s", key);
        p->at++;
        const char **keys = tpl_get(p->pool, args->keyword.n + 1, sizeof *keys);
        if (!keys) return tpl_nodes_add(p, &args->keyword, NULL);
        if (args->keyword.n) memcpy(keys, args->keys, args->keyword.n * sizeof *keys);
        keys[args->keyword.n] = key;
        args->keys = keys;
        return tpl_nodes_add(p, &args->keyword, tpl_parse_expression(p, true));
    }
    if (args->star || args->double_star || args->keyword.n)
        return tpl_syntax(p, at, "invalid syntax for function call expression");
    return tpl_nodes_add(p, &args->positional, tpl_parse_expression(p, true));
}

static tpl_arguments *arguments(tpl_parser *p)
{
    tpl_arguments *args = tpl_get(p->pool, 1, sizeof *args);
    uint32_t at = tpl_token_at(p)->at;
    if (!args) return p->status = p->pool->status, NULL;
    p->at++;
    for (bool more = false; !tpl_at_op(p, ')'); more = true) {
        if (more && !tpl_expect_op(p, ',')) return NULL;
        if (more && tpl_at_op(p, ')')) break;
        if (!argument(p, args, at)) return NULL;
    }
    return tpl_expect_op(p, ')') ? args : NULL;
}

static tpl_node *call(tpl_parser *p, tpl_node *callee)
{
    tpl_node *node = tpl_node_new(p, N_CALL, tpl_token_at(p)->at);
    if (!node || !(node->args = arguments(p))) return NULL;
    node->a = callee;
    return node;
}

static tpl_node *subscribed(tpl_parser *p)
{
    uint32_t at = tpl_token_at(p)->at;
    tpl_node *parts[3] = { 0 };
    if (!tpl_at_op(p, ':')) {
        parts[0] = tpl_parse_expression(p, true);
        if (!parts[0] || !tpl_at_op(p, ':')) return parts[0];
    }
    for (int i = 1; i < 3 && tpl_skip_op(p, ':'); i++) {
        if (tpl_at_op(p, ':') || tpl_at_op(p, ']') || tpl_at_op(p, ',')) continue;
        if (!(parts[i] = tpl_parse_expression(p, true))) return NULL;
    }
    tpl_node *node = tpl_node_new(p, N_SLICE, at);
    if (!node) return NULL;
    node->a = parts[0];
    node->b = parts[1];
    node->c = parts[2];
    return node;
}

static tpl_node *subscript(tpl_parser *p, tpl_node *object)
{
    uint32_t at = tpl_token_at(p)->at;
    tpl_nodes list = { 0 };
    if (tpl_skip_op(p, '.')) {
        const tpl_token *t = tpl_token_at(p);
        tpl_node *node = tpl_node_new(p, N_GETATTR, at);
        if (!node) return NULL;
        node->a = object;
        if (t->kind == TOK_NAME) return tpl_expect_name(p, &node->name) ? node : NULL;
        if (t->kind != TOK_INT) return tpl_syntax(p, t->at, "expected name or number"), NULL;
        p->at++;
        node->kind = N_GETITEM;
        return (node->b = constant(p, t->value, t->at)) ? node : NULL;
    }
    p->at++;
    while (!tpl_at_op(p, ']')) {
        if (list.n && !tpl_expect_op(p, ',')) return NULL;
        if (!tpl_nodes_add(p, &list, subscribed(p))) return NULL;
    }
    if (!tpl_expect_op(p, ']')) return NULL;
    tpl_node *key = list.n ? list.items[0] : NULL;
    if (list.n != 1) {
        for (uint32_t i = 0; i < list.n; i++)
            if (list.items[i]->kind == N_SLICE) return tpl_unsupported(p, at, "a subscript of several slices"), NULL;
        if (!(key = tpl_node_new(p, N_TUPLE, at))) return NULL;
        key->list = list;
    }
    return pair(p, N_GETITEM, 0, object, key, at);
}

static tpl_node *postfix(tpl_parser *p, tpl_node *node)
{
    for (uint32_t n = 0; node; n++) {
        if (n > MAX_DEPTH)
            return tpl_syntax(p, tpl_token_at(p)->at, "more than %d subscripts and calls in a row", MAX_DEPTH), NULL;
        if (tpl_at_op(p, '.') || tpl_at_op(p, '[')) node = subscript(p, node);
        else if (tpl_at_op(p, '(')) node = call(p, node);
        else break;
    }
    return node;
}

static bool dotted_name(tpl_parser *p, const char **name)
{
    const tpl_token *first = tpl_token_at(p), *last = first;
    if (!tpl_expect_name(p, name)) return false;
    while (tpl_skip_op(p, '.')) {
        last = tpl_token_at(p);
        if (!tpl_expect_name(p, name)) return false;
    }
    *name = tpl_intern(p, p->v->source + first->at, last->at + last->n - first->at);
    return *name != NULL;
}

tpl_node *tpl_parse_filters(tpl_parser *p, tpl_node *node, bool inline_start)
{
    for (uint32_t n = 0; inline_start || tpl_at_op(p, '|'); n++, inline_start = false) {
        const char *name;
        if (n > MAX_DEPTH) return tpl_syntax(p, tpl_token_at(p)->at, "more than %d filters in a row", MAX_DEPTH), NULL;
        if (!inline_start) p->at++;
        uint32_t at = tpl_token_at(p)->at;
        tpl_node *filter = tpl_node_new(p, N_FILTER, at);
        if (!filter || !dotted_name(p, &name)) return NULL;
        filter->a = node;
        filter->filter = tpl_find_filter(name);
        filter->name = name;
        if (!filter->filter && !tpl_note_unknown(p, "filter", name, at)) return NULL;
        if (tpl_at_op(p, '(') && !(filter->args = arguments(p))) return NULL;
        node = filter;
    }
    return node;
}

static tpl_node *test(tpl_parser *p, tpl_node *subject)
{
    uint32_t at = tpl_token_at(p)->at;
    tpl_node *node = tpl_node_new(p, N_TEST, at);
    const char *name;
    p->at++;
    bool negated = tpl_skip_name(p, "not");
    if (!node || !dotted_name(p, &name)) return NULL;
    node->a = subject;
    node->test = tpl_find_test(name);
    node->name = name;
    if (!node->test && !tpl_note_unknown(p, "test", name, at)) return NULL;
    const tpl_token *t = tpl_token_at(p);
    if (tpl_at_op(p, '(')) {
        if (!(node->args = arguments(p))) return NULL;
    } else if ((t->kind == TOK_NAME && !tpl_at_name(p, "else") && !tpl_at_name(p, "or") && !tpl_at_name(p, "and")) ||
               t->kind == TOK_STRING || t->kind == TOK_INT || t->kind == TOK_FLOAT || tpl_at_op(p, '[') ||
               tpl_at_op(p, '{')) {
        if (tpl_at_name(p, "is")) return tpl_syntax(p, t->at, "You cannot chain multiple tests with is"), NULL;
        tpl_node *arg = primary(p, false, false);
        node->args = tpl_get(p->pool, 1, sizeof *node->args);
        if (!node->args) return p->status = p->pool->status, NULL;
        if (!arg || !tpl_nodes_add(p, &node->args->positional, postfix(p, arg))) return NULL;
    }
    if (!negated) return node;
    tpl_node *inverse = tpl_node_new(p, N_NOT, at);
    if (inverse) inverse->a = node;
    return inverse;
}

static tpl_node *filters_and_tests(tpl_parser *p, tpl_node *node)
{
    for (uint32_t n = 0; node; n++) {
        if (n > MAX_DEPTH)
            return tpl_syntax(p, tpl_token_at(p)->at, "more than %d filters and tests in a row", MAX_DEPTH), NULL;
        if (tpl_at_op(p, '|')) node = tpl_parse_filters(p, node, false);
        else if (tpl_at_name(p, "is")) node = test(p, node);
        else if (tpl_at_op(p, '(')) node = call(p, node);
        else break;
    }
    return node;
}

/* ---- operators ---- */

static tpl_node *unary(tpl_parser *p, bool with_filter)
{
    uint32_t at = tpl_token_at(p)->at;
    tpl_node *node;
    if (++p->depth > MAX_DEPTH) return tpl_syntax(p, at, "an expression nested more than %d deep", MAX_DEPTH), NULL;
    if (tpl_at_op(p, '-') || tpl_at_op(p, '+')) {
        bool minus = tpl_at_op(p, '-');
        p->at++;
        tpl_node *inner = unary(p, false);
        if (inner) node = tpl_node_new(p, minus ? N_NEG : N_POS, at);
        else node = NULL;
        if (node) node->a = inner;
    } else {
        node = primary(p, false, false);
    }
    p->depth--;
    node = postfix(p, node);
    return with_filter ? filters_and_tests(p, node) : node;
}

static tpl_node *power(tpl_parser *p)
{
    uint32_t at = tpl_token_at(p)->at;
    tpl_node *left = unary(p, true);
    while (left && tpl_skip_op(p, '*' << 8 | '*')) left = pair(p, N_BINARY, OP_POW, left, unary(p, true), at);
    return left;
}

static tpl_node *product(tpl_parser *p)
{
    uint32_t at = tpl_token_at(p)->at;
    tpl_node *left = power(p);
    while (left && tpl_token_at(p)->kind == TOK_OP) {
        int op = tpl_token_at(p)->op;
        if (op != '*' && op != '/' && op != '%' && op != ('/' << 8 | '/')) break;
        p->at++;
        left = pair(p, N_BINARY, op > 255 ? OP_FLOOR : op, left, power(p), at);
    }
    return left;
}

static tpl_node *concatenation(tpl_parser *p)
{
    uint32_t at = tpl_token_at(p)->at;
    tpl_node *first = product(p);
    if (!first || !tpl_at_op(p, '~')) return first;
    tpl_node *node = tpl_node_new(p, N_CONCAT, at);
    if (!node || !tpl_nodes_add(p, &node->list, first)) return NULL;
    while (tpl_skip_op(p, '~'))
        if (!tpl_nodes_add(p, &node->list, product(p))) return NULL;
    return node;
}

static tpl_node *sum(tpl_parser *p)
{
    uint32_t at = tpl_token_at(p)->at;
    tpl_node *left = concatenation(p);
    while (left && (tpl_at_op(p, '+') || tpl_at_op(p, '-'))) {
        int op = tpl_token_at(p)->op;
        p->at++;
        left = pair(p, N_BINARY, op, left, concatenation(p), at);
    }
    return left;
}

/* The comparison at the current token, 0 if there is none; moves behind it. */
static int comparison(tpl_parser *p)
{
    static const struct { int token, op; } table[] = { { '=' << 8 | '=', OP_EQ }, { '!' << 8 | '=', OP_NE },
                                                       { '<', OP_LT },
                                                       { '<' << 8 | '=', OP_LE }, { '>', OP_GT },
                                                       { '>' << 8 | '=', OP_GE } };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (tpl_skip_op(p, table[i].token)) return table[i].op;
    if (tpl_skip_name(p, "in")) return OP_IN;
    if (!tpl_skip_name(p, "not")) return 0;
    if (tpl_skip_name(p, "in")) return OP_NOT_IN;
    p->at--;
    return 0;
}

static tpl_node *compare(tpl_parser *p)
{
    uint32_t at = tpl_token_at(p)->at;
    tpl_node *first = sum(p), *node = NULL;
    unsigned char *ops = NULL;
    for (int op; first && (op = comparison(p));) {
        if (!node && !(node = tpl_node_new(p, N_COMPARE, at))) return NULL;
        unsigned char *more = tpl_get(p->pool, node->list.n + 1, 1);
        if (!more) return p->status = p->pool->status, NULL;
        if (ops) memcpy(more, ops, node->list.n);
        ops = more;
        ops[node->list.n] = (unsigned char)op;
        if (!tpl_nodes_add(p, &node->list, sum(p))) return NULL;
        node->a = first;
        node->ops = ops;
    }
    return node ? node : first;
}

static tpl_node *inverse(tpl_parser *p)
{
    uint32_t at = tpl_token_at(p)->at, n = 0;
    while (tpl_skip_name(p, "not")) n++;
    tpl_node *node = compare(p);
    if (n > MAX_DEPTH) return tpl_syntax(p, at, "more than %d times not in a row", MAX_DEPTH), NULL;
    for (; node && n; n--) {
        tpl_node *outer = tpl_node_new(p, N_NOT, at);
        if (outer) outer->a = node;
        node = outer;
    }
    return node;
}

static tpl_node *both(tpl_parser *p)
{
    uint32_t at = tpl_token_at(p)->at;
    tpl_node *left = inverse(p);
    while (left && tpl_skip_name(p, "and")) left = pair(p, N_AND, 0, left, inverse(p), at);
    return left;
}

static tpl_node *either(tpl_parser *p)
{
    uint32_t at = tpl_token_at(p)->at;
    tpl_node *left = both(p);
    while (left && tpl_skip_name(p, "or")) left = pair(p, N_OR, 0, left, both(p), at);
    return left;
}

tpl_node *tpl_parse_expression(tpl_parser *p, bool with_condition)
{
    uint32_t at = tpl_token_at(p)->at, unknown = p->n_unknown;
    if (++p->depth > MAX_DEPTH) return tpl_syntax(p, at, "an expression nested more than %d deep", MAX_DEPTH), NULL;
    tpl_node *node = either(p);
    while (node && with_condition && tpl_skip_name(p, "if")) {
        tpl_node *condition = either(p), *otherwise = NULL;
        if (condition && tpl_skip_name(p, "else") && !(otherwise = tpl_parse_expression(p, true))) return NULL;
        node = pair(p, N_COND, 0, node, condition, at);
        if (node) node->c = otherwise;
        tpl_soften(p, unknown);
    }
    p->depth--;
    return node;
}
