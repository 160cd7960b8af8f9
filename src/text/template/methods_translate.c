/* str.maketrans and str.translate. Called through the table of methods. */
#include "base/ctx.h"
#include "text/template/template.h"

static bool set_code(tpl_render *r, tpl_dict *dict, int32_t from, tpl_value to)
{
    return tpl_work(&r->pool, 1) && tpl_dict_set(&r->pool, dict, tpl_int(from), to);
}

/* maketrans({"a": "x", 98: None}): keys of one character become their codes. */
static bool from_dict(tpl_render *r, tpl_value of, tpl_dict *dict)
{
    if (of.kind != TPL_DICT)
        return tpl_raise(r, "TypeError", "if you give only one argument to maketrans it must be a dict");
    for (uint32_t i = 0; i < of.dict->n; i++) {
        const tpl_pair *pair = &of.dict->pairs[i];
        size_t at = 0;
        if (tpl_is_whole(pair->key)) {
            if (!tpl_dict_set(&r->pool, dict, pair->key, pair->value)) return false;
            continue;
        }
        if (pair->key.kind != TPL_STR)
            return tpl_raise(r, "TypeError", "keys in translate table must be strings or integers");
        if (tpl_chars(pair->key) != 1)
            return tpl_raise(r, "ValueError", "string keys in translate table must be of length 1");
        if (!set_code(r, dict, tpl_decode(tpl_data(pair->key), pair->key.n, &at), pair->value)) return false;
    }
    return true;
}

/* maketrans("abc", "xyz", "what goes"). */
static bool from_texts(tpl_render *r, const tpl_args *args, tpl_dict *dict)
{
    const tpl_value *text = args->positional;
    if (text[0].kind != TPL_STR)
        return tpl_raise(r, "TypeError", "first maketrans argument must be a string if there is a second argument");
    for (uint32_t i = 1; i < args->n; i++)
        if (text[i].kind != TPL_STR)
            return tpl_raise(r, "TypeError", "maketrans() argument %u must be str, not %s", i + 1,
                             tpl_type_name(text[i]));
    if (tpl_chars(text[0]) != tpl_chars(text[1]))
        return tpl_raise(r, "ValueError", "the first two maketrans arguments must have equal length");
    for (size_t at = 0, other = 0; at < text[0].n;) {
        int32_t from = tpl_decode(tpl_data(text[0]), text[0].n, &at),
            to = tpl_decode(tpl_data(text[1]), text[1].n, &other);
        if (!set_code(r, dict, from, tpl_int(to))) return false;
    }
    for (size_t at = 0; args->n == 3 && at < text[2].n;)
        if (!set_code(r, dict, tpl_decode(tpl_data(text[2]), text[2].n, &at), tpl_none())) return false;
    return true;
}

static bool maketrans(tpl_render *r, tpl_value self, const tpl_args *args, tpl_value *out)
{
    tpl_dict *dict = tpl_dict_new(&r->pool);
    (void)self;
    if (!dict) return false;
    if (args->n_keys) return tpl_raise(r, "TypeError", "str.maketrans() takes no keyword arguments");
    if (!args->n) return tpl_raise(r, "TypeError", "maketrans expected at least 1 argument, got 0");
    if (args->n > 3) return tpl_raise(r, "TypeError", "maketrans expected at most 3 arguments, got %u", args->n);
    *out = (tpl_value){ .kind = TPL_DICT, .dict = dict };
    return args->n == 1 ? from_dict(r, args->positional[0], dict) : from_texts(r, args, dict);
}

/* Writes what the table has for a character: a text, a code, nothing; the character itself where it
 * has none. */
static bool put_translated(tpl_render *r, tpl_text *text, tpl_value character, const tpl_value *to)
{
    if (!to) return tpl_put_str(&r->pool, text, character);
    if (to->kind == TPL_NONE) return true;
    if (to->kind == TPL_STR) return tpl_put_str(&r->pool, text, *to);
    if (!tpl_is_whole(*to)) return tpl_raise(r, "TypeError", "character mapping must return integer, None or str");
    int64_t code = tpl_whole(*to);
    if (code < 0 || code > 0x10FFFF) return tpl_raise(r, "TypeError", "character mapping must be in range(0x110000)");
    if (code >= 0xD800 && code < 0xE000) return tpl_refuse(r, "a string with half of a surrogate pair");
    return tpl_put_char(&r->pool, text, (int32_t)code, tpl_trusted(character));
}

static bool translate(tpl_render *r, tpl_value self, const tpl_args *args, tpl_value *out)
{
    tpl_text *text = tpl_text_new(&r->pool, self.n);
    if (args->n_keys) return tpl_raise(r, "TypeError", "str.translate() takes no keyword arguments");
    if (args->n != 1)
        return tpl_raise(r, "TypeError", "str.translate() takes exactly one argument (%u given)", args->n);
    tpl_value table = args->positional[0];
    if (table.kind == TPL_STR || table.kind == TPL_LIST || table.kind == TPL_TUPLE || table.kind == TPL_RANGE)
        return tpl_refuse(r, "translate by a %s", tpl_type_name(table));
    if (table.kind != TPL_DICT && self.n)
        return tpl_raise(r, "TypeError", "'%s' object is not subscriptable", tpl_type_name(table));
    for (size_t at = 0, from = 0; text && at < self.n; from = at) {
        int32_t c = tpl_decode(tpl_data(self), self.n, &at);
        const tpl_value *to = tpl_dict_find(&r->pool, table.dict, tpl_int(c));
        if (!tpl_work(&r->pool, 1) || !put_translated(r, text, tpl_cut(self, from, at), to)) return false;
    }
    if (!text) return false;
    *out = tpl_text_value(text);
    out->sub = self.sub;
    return true;
}

const tpl_function tpl_methods_translate[] = { { "maketrans", maketrans }, { "translate", translate }, { NULL, NULL } };
