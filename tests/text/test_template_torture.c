/* Every allocation of parsing and rendering a chat template fails once: the call returns
 * TERN_ERR_MEMORY with a message, and nothing stays behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <tern/template.h>

#include "base/ctx.h"
#include "torture.h"

static tern_ctx message;

static const char text[] =
    "{% macro m(a, b='x') %}<{{ a ~ b }}>{% endmacro %}{% set ns = namespace(s='', l=[]) %}{% for u in messages if "
    "u.content %}{% set ns.s = ns.s + u.content %}{% set ns.l = ns.l + [loop.index] %}{{ m(u.role) }}{% endfor %}{{ "
    "ns.s * 5000 }}{% for x in [[1, [2]], 3] recursive %}{{ x if x is number else loop(x) }}{% endfor %}{% block b "
    "%}{{ self }}{% endblock %}{{ self.b() }}{{ 'http://ab.cd (me@x.org)'|urlize }}{{ '<b>x</b> &amp;'|striptags }}{{ "
    "'ab'.translate({97: 'c'}) }}{% if false %}{{ 1|nope }}{% endif %}{{ ns.l|map('string')|join(',') }}{{ "
    "tools|tojson(indent=2) }}{{ '%s {}' % ns.s|upper }}{{ messages|sort(attribute='content')|length }}";
static const char chat[] = "{\"messages\":[{\"role\":\"user\",\"content\":\"hello "
                           "\\u00e9\"},{\"role\":\"assistant\",\"content\":\"b\"}],\"tools\":[{\"a\":{\"b\":[1,2.5]}}],"
                           "\"special_tokens\":{\"eos_token\":\"x\"}}";

static tern_status once(void)
{
    tern_template *t = NULL;
    tern_rendered r = { 0 };
    tern_status st = tern_template_parse(&message, "t", text, sizeof text - 1, &t);
    if (!st) st = tern_template_render(t, chat, sizeof chat - 1, NULL, &r);
    if (!st) assert_true(r.n_bytes > 5000);
    tern_rendered_free(&r);
    tern_template_free(t);
    return st;
}

static void every_allocation_may_fail(void **state)
{
    size_t k = 1, before = n_live;
    (void)state;
    for (; k < 1000; k++) {
        message.error[0] = 0;
        countdown = k;
        tern_status st = once();
        countdown = 0;
        assert_int_equal(n_live, before);
        if (!st) break;
        if (st != TERN_ERR_MEMORY || !message.error[0])
            fail_msg("allocation %zu: %s: %s", k, tern_status_name(st), message.error);
    }
    assert_true(k > 10 && k < 1000);
}

int main(void)
{
    torture_jansson();
    const struct CMUnitTest tests[] = { cmocka_unit_test(every_allocation_may_fail) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
