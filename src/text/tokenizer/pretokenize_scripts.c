/* The pre-tokenizer UnicodeScripts: a piece ends where the script changes. Characters of any script
 * go with what stands before them; those that a text begins with are dropped, as the tokenizers
 * library drops them. Called through pretokenize.c. */
#include "base/ctx.h"
#include "text/tokenizer/pretokenize.h"
#include "text/unicode.h"
#include "text/utf8.h"

static tern_status scripts_piece(pretokenizing *p, component *c, size_t begin, size_t end)
{
    tern_status st = TERN_OK;
    size_t from = end, length;
    uint32_t last = UINT32_MAX;
    (void)c;
    for (size_t at = begin; at < end; at += length) {
        uint32_t script = unicode_script_of(utf8_get(p->text->data + at, &length));
        if (script == UINT32_MAX || script == last) continue;
        if (from < at) TERN_TRY(pieces_push(p->ctx, p->next, from, at, -1));
        from = at;
        last = script;
    }
    if (from < end) TERN_TRY(pieces_push(p->ctx, p->next, from, end, -1));
done:
    return st;
}

tern_status pretokenize_scripts(pretokenizing *p, component *c)
{
    return pretokenize_each(p, c, false, scripts_piece);
}
