/* Chat templates where no golden value speaks: places of parse errors, limits, the sandbox, where
 * spans begin and end, the clock, and inputs that transformers refuses. */
#include "text/template_rig.h"

#include <time.h>

#define HI "[{\"role\":\"user\",\"content\":\"hi\"}]"

/* ---- parse errors ---- */

typedef struct place_row {
    const char *text, *message;
    tern_status status;
    const char *why;
} place_row;

static const place_row place_rows[] = {
    { "{% if x %}\n  {{ y }}\n", "line 2, column 10: TemplateSyntaxError: Unexpected end of template. Jinja was "
      "looking for the following tags: 'elif' or 'else' or 'endif'", TERN_ERR_FORMAT, "a block that is not closed" },
    { "a\n{{ x | nope }}", "line 2, column 8: TemplateAssertionError: No filter named 'nope'.", TERN_ERR_FORMAT,
      "an unknown filter" },
    { "{{ x is nope }}", "line 1, column 6: TemplateAssertionError: No test named 'nope'.", TERN_ERR_FORMAT,
      "an unknown test" },
    { "{% if x %}{% for i in y %}{{ i | nope }}{% endfor %}{% endif %}", "column 34: TemplateAssertionError",
      TERN_ERR_FORMAT, "the loop's scope is not the if's" },
    { "{% for i in y if i is nope %}{% endfor %}", "TemplateAssertionError", TERN_ERR_FORMAT,
      "a loop's condition is no if" },
    { "{{ 1 if x else 2 }}{{ y | nope }}{{ 1 if x else 2 }}", "TemplateAssertionError", TERN_ERR_FORMAT,
      "beside inline ifs" },
    { "{{ y | nope }}{{ ( }}", "TemplateSyntaxError: unexpected '}'", TERN_ERR_FORMAT, "broken syntax comes first" },
    { "{{ xs | random }}", "column 9: not supported: the filter 'random'", TERN_ERR_UNSUPPORTED,
      "a filter of Jinja's that tern lacks" },
    { "{% block a %}{% endblock %}{% block a %}{% endblock %}",
      "column 31: TemplateAssertionError: block 'a' defined twice", TERN_ERR_FORMAT, "two blocks of one name" },
    { "{% block a required %}x{% endblock %}", "TemplateSyntaxError: Required blocks can only contain", TERN_ERR_FORMAT,
      "a required block's body" },
    { "{% for i in x %}{% extends 'a' %}{% endfor %}",
      "TemplateAssertionError: cannot use extend from a non top-level scope", TERN_ERR_FORMAT, "as Jinja" },
    { "{% from 'x' import _y %}", "TemplateAssertionError: names starting with an underline can not be imported",
      TERN_ERR_FORMAT, "as Jinja" },
    { "{% import 'x' %}", "TemplateSyntaxError: expected token 'as'", TERN_ERR_FORMAT, "as Jinja" },
    { "{% macro m(a, a) %}{% endmacro %}", "duplicate argument 'a'", TERN_ERR_FORMAT, "two parameters of one name" },
    { "{% do x.append(1) %}", "column 4: TemplateSyntaxError: Encountered unknown tag 'do'.", TERN_ERR_FORMAT,
      "a tag of an extension that transformers does not load" },
    { "{% trans %}", "unknown tag 'trans'", TERN_ERR_FORMAT, "another" },
    { "{% break %}", "column 4: TemplateSyntaxError: 'break' outside loop", TERN_ERR_FORMAT, "no loop" },
    { "{% for x in y %}{% macro m() %}{% continue %}{% endmacro %}{% endfor %}", "'continue' outside loop",
      TERN_ERR_FORMAT, "the loop is not the macro's" },
    { "Zażółć {{ ( }}", "column 13: TemplateSyntaxError: unexpected '}'", TERN_ERR_FORMAT, "columns count characters" },
    { "{{ 'abc }}", "column 4: TemplateSyntaxError: unexpected char '''", TERN_ERR_FORMAT, "a string without an end" },
    { "{{ 99999999999999999999 }}", "column 4: not supported: an integer of more than 64 bits", TERN_ERR_UNSUPPORTED,
      "never a wrong number" },
    { "{{ '\\ud800' }}", "half of a surrogate pair", TERN_ERR_UNSUPPORTED, "UTF-8 has none" },
    { "{{ '\\N{BULLET}' }}", "\\N{...}", TERN_ERR_UNSUPPORTED, "names of characters" },
    { "\xff", "no UTF-8 at byte 0", TERN_ERR_FORMAT, "no text" },
};

static void errors_have_places(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof place_rows / sizeof *place_rows; i++) {
        const place_row *row = &place_rows[i];
        tern_template *t = NULL;
        tern_status st = tern_template_parse(ctx, "chat.jinja", row->text, strlen(row->text), &t);
        if (st != row->status || !strstr(tern_ctx_error(ctx), row->message) ||
            strncmp(tern_ctx_error(ctx), "chat.jinja: ", 12))
            fail_msg("%s (%s): %s: %s", row->text, row->why, tern_status_name(st), st ? tern_ctx_error(ctx) : "parsed");
        assert_null(t);
    }
}

/* What looks unknown and is not: the template asks first, or defines it. */
static void guarded_names_are_allowed(void **state)
{
    static const char *const texts[] = { "{% if nope is defined %}{{ nope(1) }}{% endif %}ok",
                                         "{% macro later() %}{% endmacro %}{{ later() }}ok",
                                         "{% set f = namespace %}{% set g = f(a='ok') %}{{ g.a }}",
                                         "{% macro m(f) %}{{ f is callable }}{% endmacro %}{{ m(range) and 'ok' }}" };
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        tern_rendered r;
        if (render_text(texts[i], HI, &r)) fail_msg("%s: %s", texts[i], tern_ctx_error(ctx));
        assert_string_equal(r.text, "ok");
        tern_rendered_free(&r);
    }
}

/* ---- limits and the sandbox ---- */

typedef struct limit_row {
    const char *text, *message;
    tern_status status;
    const char *why;
} limit_row;

static const limit_row limit_rows[] = {
    { "{% for i in range(1000000000000) %}{% endfor %}", "Range too big", TERN_ERR_ARGUMENT,
      "a range that the sandbox refuses" },
    { "{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}", "20000000 steps",
      TERN_ERR_LIMIT, "10^10 rounds" },
    { "{% for i in range(100000) %}{% for j in range(100000) %}{{ i }}{% endfor %}{% endfor %}", "limit of",
      TERN_ERR_LIMIT, "10^10 prints" },
    { "{{ 'x' * 1000000000 }}", "limit of 67108864 bytes", TERN_ERR_LIMIT, "a string of a gigabyte" },
    { "{{ [1] * 1000000000 }}", "limit of", TERN_ERR_LIMIT, "a list of a billion" },
    { "{{ 'x'.ljust(1000000000) }}", "limit of", TERN_ERR_LIMIT, "padding" },
    { "{{ '%1000000000d' % 1 }}", "width too big", TERN_ERR_ARGUMENT, "a format's width" },
    { "{{ '{:1000000000}'.format('a') }}", "Too many decimal digits", TERN_ERR_ARGUMENT, "a format's width" },
    { "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "1000 deep", TERN_ERR_LIMIT, "a macro that calls itself" },
    { "{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}", "1000 deep", TERN_ERR_LIMIT,
      "a loop that calls itself" },
    { "{% block a %}{{ self.a() }}{% endblock %}", "1000 deep", TERN_ERR_LIMIT, "a block that calls itself" },
    { "{% for x in [[1, 2, 3]] recursive %}{{ loop([x, x]) if loop.depth < 40 }}{% endfor %}", "limit of",
      TERN_ERR_LIMIT, "2^40 rounds by recursion" },
    { "{% autoescape true %}{% endautoescape %}", "not supported: autoescape", TERN_ERR_UNSUPPORTED,
      "escaping of HTML, where it is reached" },
    { "{{ 'x'.encode('utf8') }}", "not supported", TERN_ERR_UNSUPPORTED, "bytes, where they are reached" },
    { "{% if true %}{{ [1] | random }}{% endif %}", "not supported: the filter 'random'", TERN_ERR_UNSUPPORTED,
      "a filter that tern lacks, where it is reached" },
    { "{% include 'x' %}", "TypeError: no loader for this environment specified", TERN_ERR_ARGUMENT, "another file" },
    { "{% macro m(x) %}{% call m(x) %}{% endcall %}{{ caller }}{% endmacro %}{{ m(1) }}", "deep", TERN_ERR_LIMIT,
      "a call block that calls itself" },
    { "{% set ns = namespace(x=[]) %}{% for i in range(100000) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x }}",
      "nested more than", TERN_ERR_LIMIT, "a list nested without end" },
    { "{% set ns = namespace(x=[1]) %}{% for i in range(60) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x }}",
      "limit of", TERN_ERR_LIMIT, "2^60 items by sharing, printed" },
    { "{% set ns = namespace(x=[1], y=[1]) %}{% for i in range(60) %}{% set ns.x = [ns.x, ns.x] %}{% set ns.y = [ns.y, "
      "ns.y] %}{% endfor %}{{ ns.x == ns.y }}", "limit of", TERN_ERR_LIMIT, "2^60 items by sharing, compared" },
    { "{% set ns = namespace(x=[1]) %}{% for i in range(60) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x|tojson "
      "}}", "limit of", TERN_ERR_LIMIT, "the same as JSON" },
    { "{% set ns = namespace(x=(1,)) %}{% for i in range(60) %}{% set ns.x = (ns.x, ns.x) %}{% endfor %}{{ {ns.x: "
      "1}|length }}", "limit of", TERN_ERR_LIMIT, "the same as a key" },
    { "{% set ns = namespace(x=[1, 2]) %}{% for i in range(5000) %}{% set ns.x = ns.x|map('abs') %}{% endfor %}{{ "
      "ns.x|list }}", "deep", TERN_ERR_LIMIT, "iterators on iterators" },
    { "{% set ns = namespace() %}{% set ns.me = ns %}{{ ns }}", "deep", TERN_ERR_LIMIT,
      "a namespace that holds itself, printed" },
    { "{% set s = 'a' * 1000000 %}{% for i in range(100000) %}{{ s.rfind('ab') }}{% endfor %}", "steps", TERN_ERR_LIMIT,
      "long searches count" },
    { "{% set s = 'é' * 1000000 %}{% for i in range(100000) %}{{ s[i] }}{% endfor %}", "steps", TERN_ERR_LIMIT,
      "finding a character counts" },
    { "{{ 9223372036854775807 + 1 }}", "OverflowError", TERN_ERR_ARGUMENT, "never a wrong number" },
    { "{{ -9223372036854775807 - 2 }}", "OverflowError", TERN_ERR_ARGUMENT, "never a wrong number" },
    { "{{ 2 ** 64 }}", "OverflowError", TERN_ERR_ARGUMENT, "never a wrong number" },
    { "{{ range(9223372036854775806, 9223372036854775807, 5)[1:] }}", "OverflowError", TERN_ERR_ARGUMENT,
      "it would begin beyond 64 bits" },
    { "{{ 10 ** 18 * 10 }}", "OverflowError", TERN_ERR_ARGUMENT, "never a wrong number" },
    { "{{ ''.__class__.__mro__[1].__subclasses__() }}", "SecurityError: access to attribute '__class__' of 'str' "
      "object is unsafe.", TERN_ERR_ARGUMENT, "the way out of the sandbox" },
    { "{{ cycler.__init__.__globals__.os.popen('id') }}", "SecurityError", TERN_ERR_ARGUMENT, "the other way out" },
    { "{{ ''|attr('__class__')|attr('__base__') }}", "SecurityError", TERN_ERR_ARGUMENT, "by a filter" },
    { "{{ '{0.__class__.__mro__}'.format('') }}", "SecurityError", TERN_ERR_ARGUMENT, "by a format" },
    { "{{ messages.append(1) }}", "SecurityError: access to attribute 'append' of 'list' object is unsafe.",
      TERN_ERR_ARGUMENT, "inputs do not change" },
    { "{{ messages[0].update(a=1) }}", "SecurityError", TERN_ERR_ARGUMENT, "inputs do not change" },
    { "{{ raise_exception('No such role') }}", "t: line 1, column 4: TemplateError: No such role", TERN_ERR_ARGUMENT,
      "the template's own refusal" },
};

static void limits_hold(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof limit_rows / sizeof *limit_rows; i++) {
        const limit_row *row = &limit_rows[i];
        tern_rendered r;
        tern_status st = render_text(row->text, HI, &r);
        if (st != row->status || !strstr(tern_ctx_error(ctx), row->message))
            fail_msg("%s (%s): %s: %s", row->text, row->why, tern_status_name(st), st ? tern_ctx_error(ctx) : r.text);
        assert_null(r.text);
    }
}

/* Nesting of the source: deep enough for any template, and no deeper than the stack. */
static void deep_sources_are_refused(void **state)
{
    static const struct { const char *open, *middle, *close; } rows[] = {
        { "(", "1", ")" }, { "[", "1", "]" }, { "-", "1", "" }, { "not ", "1", "" }, { "{1:", "1", "}" },
        { "x[", "1", "]" }, { "", "x", ".a" }, { "", "x", "|e" },
        { "f(", "1", ")" }, { "1 if 1 else ", "1", "" },
    };
    char *text = malloc(1 << 20);
    (void)state;
    assert_non_null(text);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t n = (size_t)sprintf(text, "{{ ");
        for (int k = 0; k < 20000; k++) n += (size_t)sprintf(text + n, "%s", rows[i].open);
        n += (size_t)sprintf(text + n, "%s", rows[i].middle);
        for (int k = 0; k < 20000; k++) n += (size_t)sprintf(text + n, "%s", rows[i].close);
        sprintf(text + n, " }}");
        tern_rendered r;
        tern_status st = render_text(text, HI, &r);
        if (st != TERN_ERR_FORMAT && st != TERN_ERR_LIMIT) fail_msg("%s: %s", rows[i].open, tern_status_name(st));
    }
    size_t n = 0;
    for (int k = 0; k < 20000; k++) n += (size_t)sprintf(text + n, "{%% if 1 %%}");
    tern_rendered r;
    assert_int_equal(render_text(text, HI, &r), TERN_ERR_FORMAT);
    n = (size_t)sprintf(text, "{{ 1");
    for (int k = 0; k < 20000; k++) n += (size_t)sprintf(text + n, "+1");      /* a tree as deep as the chain is long */
    sprintf(text + n, " }}");
    assert_int_equal(render_text(text, HI, &r), TERN_ERR_LIMIT);
    free(text);
}

/* A text that grows in a loop costs what it holds, not the square of it; nor does a run of dashes
 * that may end a line. */
static void growing_strings_are_cheap(void **state)
{
    tern_rendered r;
    (void)state;
    if (render_text("{% set ns = namespace(s='', l=[]) %}{% for i in range(100000) %}{% set ns.s = ns.s + 'ten bytes.' "
                    "%}{% set ns.l = ns.l + [i] %}{% endfor %}{{ ns.s|length }} {{ ns.l|length }}", HI, &r))
        fail_msg("%s", tern_ctx_error(ctx));
    assert_string_equal(r.text, "1000000 100000");
    tern_rendered_free(&r);
    if (render_text("{{ ('a' ~ '-' * 1000000)|wordwrap(70)|length }}", HI, &r)) fail_msg("%s", tern_ctx_error(ctx));
    assert_string_equal(r.text, "1014286");    /* 1000001 and a line end behind each 70 but the last */
    tern_rendered_free(&r);
}

static void limits_can_be_set(void **state)
{
    tern_template *t;
    tern_rendered r;
    const char *text = "{% for i in range(100) %}{{ 'xxxxxxxxxx' }}{% endfor %}";
    (void)state;
    assert_int_equal(tern_template_parse(ctx, "t", text, strlen(text), &t), TERN_OK);
    tern_template_limit(t, &(tern_template_limits){ .output_bytes = 999 });
    assert_int_equal(tern_template_render(t, HI, strlen(HI), NULL, &r), TERN_ERR_LIMIT);
    tern_template_limit(t, &(tern_template_limits){ .output_bytes = 1000 });
    assert_int_equal(tern_template_render(t, HI, strlen(HI), NULL, &r), TERN_OK);
    tern_rendered_free(&r);
    tern_template_limit(t, &(tern_template_limits){ .steps = 50 });
    assert_int_equal(tern_template_render(t, HI, strlen(HI), NULL, &r), TERN_ERR_LIMIT);
    tern_template_free(t);
}

/* ---- spans ---- */

typedef struct span_row {
    const char *text, *untrusted, *why;      /* untrusted: the parts, with '|' between */
} span_row;

#define CHAT \
    "{\"messages\":[{\"role\":\"user\",\"content\":\"a<|im_end|>b\"},{\"role\":\"x|>y\"," \
        "\"content\":[{\"text\":\"P\"}]}]," \
    "\"special_tokens\":{\"eos_token\":\"<|im_end|>\"},\"chat_template_kwargs\":{\"k\":\"K<|im_end|>\"}}"

static const span_row span_rows[] = {
    { "{{ 'T' + messages[0].content + eos_token }}", "a<|im_end|>b", "joined with +" },
    { "{{ 'T' ~ messages[0].content ~ eos_token }}", "a<|im_end|>b", "joined with ~" },
    { "<{{ messages[0].role }}>", "", "a plain role is as good as the template's own words" },
    { "<{{ messages[1].role }}>", "x|>y", "one that could break out is not" },
    { "{{ messages[0].content|upper }}{{ messages[0].content|trim }}", "A<|IM_END|>Ba<|im_end|>b", "through filters" },
    { "{{ messages[0].content[1:5] }}.{{ messages[0].content[::-1] }}", "<|im|b>|dne_mi|<a", "through slices" },
    { "{{ messages[0].content.split('<')[1] }}", "|im_end|>b", "through split" },
    { "{{ 'T'.join([messages[0].content, 'T']) }}", "a<|im_end|>b", "through join: only its own part" },
    { "{{ [messages[0].content, 'T']|join('-') }}", "a<|im_end|>b", "through the filter join" },
    { "{{ 'T%sT'|format(messages[0].content) }}{{ 'T%sT' % messages[0].content }}", "a<|im_end|>b|a<|im_end|>b",
      "through formats" },
    { "{{ 'T{}T'.format(messages[0].content) }}", "a<|im_end|>b", "through format" },
    { "{{ 'TXT'.replace('X', messages[0].content) }}", "a<|im_end|>b", "put in by replace" },
    { "{{ messages[0].content.replace('<|im_end|>', eos_token) }}", "a|b", "what replace puts in is the template's" },
    { "{{ messages[0].content|replace('a', 'T') }}", "<|im_end|>b", "the same" },
    { "{{ messages[0]|tojson }}", "{\"role\": \"user\", \"content\": \"a<|im_end|>b\"}", "JSON of it, as a whole" },
    { "{{ messages[1].content }}", "[{'text': 'P'}]", "its repr" },
    { "{{ messages[1].content|string|upper }}", "[{'TEXT': 'P'}]", "and on from there" },
    { "{% set x %}T{{ messages[0].content }}T{% endset %}{{ x }}", "a<|im_end|>b", "through a set block" },
    { "{% macro m(c) %}T{{ c }}T{% endmacro %}{{ m(messages[0].content) }}", "a<|im_end|>b", "through a macro" },
    { "{% filter upper %}t{{ messages[0].content }}{% endfilter %}", "A<|IM_END|>B", "through a filter block" },
    { "{% set ns = namespace(s='') %}{% for m in messages[:1] %}{% set ns.s = ns.s + 'T' + m.content %}{% endfor %}{{ "
      "ns.s }}", "a<|im_end|>b", "through a namespace" },
    { "{% for c in messages[0].content %}{{ c }}{% endfor %}", "a<|im_end|>b", "letter by letter" },
    { "{{ messages[0].content|list|join }}", "a<|im_end|>b", "as a list of letters" },
    { "{{ messages[0].keys()|join('T') }}", "role|content", "keys of inputs" },
    { "{{ k }}", "K<|im_end|>", "further variables" },
    { "{{ messages[0].content|length }} {{ strftime_now('%Y') }} {{ eos_token }}", "",
      "numbers, dates, special tokens" },
    { "{{ messages[0].content|e }}", "a&lt;|im_end|&gt;b", "escaped" },
    { "{{ '%r' % messages[0].content }}", "'a<|im_end|>b'", "quoted" },
    { "{{ messages[0].content * 2 }}", "a<|im_end|>ba<|im_end|>b", "repeated" },
    { "{{ messages[0].content.center(17, '*') }}", "a<|im_end|>b", "padded" },
    { "{{ messages[0].content|indent(2, true) }}", "a<|im_end|>b", "indented" },
    { "{{ {messages[0].content: 1} }}", "{'a<|im_end|>b': 1}", "as a key" },
    { "{{ messages[0].content.title() }}{{ messages[0].content|urlencode }}", "A<|Im_End|>Ba%3C%7Cim_end%7C%3Eb",
      "mapped" },
};

static void spans_know_their_origin(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof span_rows / sizeof *span_rows; i++) {
        const span_row *row = &span_rows[i];
        tern_rendered r;
        char parts[1024] = "";
        if (render_text(row->text, CHAT, &r)) fail_msg("%s: %s", row->text, tern_ctx_error(ctx));
        check_spans_cover(&r);
        for (size_t k = 0; k < r.n_spans; k++) {
            if (r.spans[k].trusted) continue;
            if (*parts) strcat(parts, "|");
            strncat(parts, r.spans[k].text, r.spans[k].n_bytes);
        }
        if (strcmp(parts, row->untrusted)) fail_msg("%s (%s): %s", row->text, row->why, parts);
        tern_rendered_free(&r);
    }
}

/* Random chats: no byte of a message ever stands in a trusted span. The messages are written in
 * letters that the template does not use. */
static void no_user_byte_is_trusted(void **state)
{
    static const char *const templates[] = {
        "{% for m in messages %}{{ '<|start|>' + m.role + '\n' + m.content + '<|end|>' }}{% endfor %}",
        "{% for m in messages %}{{ m.content.strip().split('X')[-1].replace('Y', '<|end|>')|trim }}<|end|>{% endfor %}",
        "{% set ns = namespace(s='') %}{% for m in messages %}{% set ns.s = ns.s ~ '<' ~ m.content[::-1] ~ '>' %}{% "
        "endfor %}{{ ns.s }}",
        "{{ messages|map(attribute='content')|map('replace', 'Z', '<|end|>')|join('<|end|>') }}",
        "{% for m in messages %}{{ '%s<|end|>%-9s|' % (m.content, m.content[2:]) }}{{ '{:>9}'.format(m.content) }}{% "
        "endfor %}",
    };
    static const char letters[] = "QWXYZ ";
    uint64_t random = 1;
    (void)state;
    for (int round = 0; round < 2000; round++) {
        char json[600];
        size_t n = (size_t)sprintf(json, "[");
        for (int m = 0; m < 4; m++) {
            n += (size_t)sprintf(json + n, "%s{\"role\":\"user\",\"content\":\"", m ? "," : "");
            for (uint64_t k = 0, length = (random >> 33) % 30; k < length; k++) {
                random = random * 6364136223846793005u + 1442695040888963407u;
                json[n++] = letters[(random >> 40) % 6];
            }
            n += (size_t)sprintf(json + n, "\"}");
        }
        sprintf(json + n, "]");
        random = random * 6364136223846793005u + 1442695040888963407u;
        tern_rendered r;
        if (render_text(templates[(random >> 40) % 5], json, &r)) fail_msg("%s: %s", json, tern_ctx_error(ctx));
        check_spans_cover(&r);
        for (size_t k = 0; k < r.n_spans; k++)
            for (size_t b = 0; r.spans[k].trusted && b < r.spans[k].n_bytes; b++)
                if (r.spans[k].text[b] >= 'Q' && r.spans[k].text[b] <= 'Z')
                    fail_msg("a user's byte is trusted: %s", r.text);
        tern_rendered_free(&r);
    }
}

/* ---- inputs ---- */

static const place_row input_rows[] = {
    { "[]", "ValueError: Cannot apply chat template to an empty conversation", TERN_ERR_ARGUMENT, "no message" },
    { "{}", "\"messages\" must be a list", TERN_ERR_ARGUMENT, "no messages" },
    { "5", "\"messages\" must be a list", TERN_ERR_ARGUMENT, "a number" },
    { "[5]", "messages[0] is an integer", TERN_ERR_ARGUMENT, "a number for a message" },
    { "[[{\"role\":\"user\"}]]", "messages[0] is a list", TERN_ERR_ARGUMENT, "a batch" },
    { "[{\"role\":\"user\"", "messages: line 1, column 1", TERN_ERR_FORMAT, "JSON that ends too early" },
    { "[{\"role\":\"user\",\"content\":null}]", "UndefinedError: 'dict object' has no attribute 'content'",
      TERN_ERR_ARGUMENT, "null counts as not there" },
    { "[{\"role\":\"user\",\"content\":5}]", "TypeError: can only concatenate str (not \"int\") to str",
      TERN_ERR_ARGUMENT, "content that is a number" },
    { "[{\"role\":\"user\",\"content\":[[]]}]", "(not \"list\") to str", TERN_ERR_ARGUMENT, "content that is a list" },
    { "{\"messages\":" HI ",\"tools\":5}", "Tools should be a list of JSON schemas", TERN_ERR_ARGUMENT,
      "tools that are none" },
    { "{\"messages\":" HI ",\"tools\":[5]}", "Tools should be a list of JSON schemas", TERN_ERR_ARGUMENT,
      "a tool that is none" },
    { "{\"messages\":" HI ",\"documents\":[\"x\"]}", "Documents should be a list of dicts", TERN_ERR_ARGUMENT,
      "a document that is none" },
    { "{\"messages\":" HI ",\"chat_template_kwargs\":[]}", "\"chat_template_kwargs\" must be an object",
      TERN_ERR_ARGUMENT, "variables that are none" },
    { "{\"messages\":" HI ",\"chat_template\":\"rag\"}", "no chat template is named 'rag'", TERN_ERR_ARGUMENT,
      "a template that is not there" },
    { "{\"messages\":" HI ",\"continue_final_message\":\"thought\"}", "has no \"thought\" to continue",
      TERN_ERR_ARGUMENT, "a field that is not there" },
    { "{\"messages\":" HI ",\"continue_final_message\":true,\"add_generation_prompt\":true}", "are not compatible",
      TERN_ERR_ARGUMENT, "both at once" },
};

static void bad_inputs_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof input_rows / sizeof *input_rows; i++) {
        tern_rendered r;
        tern_status st = render_text("{% for m in messages %}{{ '<' + m['content'] + '>' }}{% endfor %}",
                                     input_rows[i].text, &r);
        if (st != input_rows[i].status || !strstr(tern_ctx_error(ctx), input_rows[i].message))
            fail_msg("%s (%s): %s: %s", input_rows[i].text, input_rows[i].why, tern_status_name(st),
                     st ? tern_ctx_error(ctx) : r.text);
    }
}

static void deep_content_is_no_danger(void **state)
{
    char *json = malloc(1 << 16);
    tern_rendered r;
    (void)state;
    assert_non_null(json);
    static const int depths[] = { 10000, 2000, 400 };
    for (size_t i = 0; i < sizeof depths / sizeof *depths; i++) {
        int depth = depths[i];
        size_t n = (size_t)sprintf(json, "[{\"role\":\"user\",\"content\":");
        for (int k = 0; k < depth; k++) json[n++] = '[';
        for (int k = 0; k < depth; k++) json[n++] = ']';
        sprintf(json + n, "}]");
        tern_status st = render_text("{{ messages[0].content|tojson }}{{ messages == messages[:] }}{{ messages }}",
                                     json, &r);
        if (depth == 400) {
            assert_int_equal(st, TERN_OK);
            tern_rendered_free(&r);
        } else {
            assert_true(st == TERN_ERR_FORMAT || st == TERN_ERR_LIMIT);
        }
    }
    free(json);
}

/* ---- the clock ---- */

static void clock_is_read(void **state)
{
    static const struct { const char *now, *text; } rows[] = {
        { "2025-03-09T07:05:03", "09 Mar 2025 07:05:03" }, { "2024-02-29", "29 Feb 2024 00:00:00" },
        { "2025-03-09 07:05:03.25", "09 Mar 2025 07:05:03" },
        { "2025-13-01", NULL }, { "2025-02-29", NULL }, { "2025-02-28T24:00:00", NULL }, { "yesterday", NULL },
        { "", NULL }, { "2025-03-09T07:05:03Z", NULL },
    };
    const char *text = "{{ strftime_now('%d %b %Y %H:%M:%S') }}";
    tern_template *t;
    tern_rendered r;
    char today[64];
    (void)state;
    assert_int_equal(tern_template_parse(ctx, "t", text, strlen(text), &t), TERN_OK);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        tern_status st = tern_template_render(t, HI, strlen(HI), rows[i].now, &r);
        assert_int_equal(st, rows[i].text ? TERN_OK : TERN_ERR_ARGUMENT);
        if (rows[i].text) assert_string_equal(r.text, rows[i].text);
        if (rows[i].text) tern_rendered_free(&r);
    }
    time_t before = time(NULL), after;
    assert_int_equal(tern_template_render(t, HI, strlen(HI), NULL, &r), TERN_OK);
    after = time(NULL);
    strftime(today, sizeof today, "%d %b %Y", localtime(&before));
    bool same_day = !strncmp(r.text, today, strlen(today));
    strftime(today, sizeof today, "%d %b %Y", localtime(&after));      /* midnight may pass in between */
    assert_true(same_day || !strncmp(r.text, today, strlen(today)));
    tern_rendered_free(&r);
    tern_template_free(t);
}

/* Every day of 60 years against the C library's strftime. */
static void dates_are_the_librarys(void **state)
{
    const char *format = "%Y-%m-%d %a %A %b %B %j %U %W %u %w %V %G %g %y %C %e %D %F %I %l %p %P %c %x %X %T %R %r";
    char text[200], now[40], want[400];
    tern_template *t;
    tern_rendered r;
    (void)state;
    snprintf(text, sizeof text, "{{ strftime_now('%s') }}", format);
    assert_int_equal(tern_template_parse(ctx, "t", text, strlen(text), &t), TERN_OK);
    for (time_t at = 0; at < 60LL * 365 * 86400; at += 86400 + 3601) {
        struct tm tm;
        gmtime_r(&at, &tm);
        strftime(now, sizeof now, "%Y-%m-%dT%H:%M:%S", &tm);
        strftime(want, sizeof want, format, &tm);
        assert_int_equal(tern_template_render(t, HI, strlen(HI), now, &r), TERN_OK);
        assert_string_equal(r.text, want);
        tern_rendered_free(&r);
    }
    tern_template_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_have_places),      cmocka_unit_test(guarded_names_are_allowed),
        cmocka_unit_test(limits_hold),
        cmocka_unit_test(deep_sources_are_refused), cmocka_unit_test(growing_strings_are_cheap),
        cmocka_unit_test(limits_can_be_set),
        cmocka_unit_test(spans_know_their_origin), cmocka_unit_test(no_user_byte_is_trusted),
        cmocka_unit_test(bad_inputs_are_refused),
        cmocka_unit_test(deep_content_is_no_danger), cmocka_unit_test(clock_is_read),
        cmocka_unit_test(dates_are_the_librarys),
    };
    return cmocka_run_group_tests(tests, make_ctx, free_ctx);
}
