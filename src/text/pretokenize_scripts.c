/* The pre-tokenizer UnicodeScripts. */
#include "base/ctx.h"
#include "text/pretokenize.h"

tern_status pretokenize_scripts(pretokenizing *p, component *c)
{
    (void)c;
    return tern_fail(p->ctx, TERN_ERR_UNSUPPORTED, "the pre-tokenizer \"UnicodeScripts\" is unknown");
}
