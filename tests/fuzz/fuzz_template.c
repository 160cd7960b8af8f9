/* libFuzzer: any bytes as a chat template, rendered with a conversation. The input is the template,
 * or the template, a NUL, and the JSON of the messages. Whatever happens is a status with a
 * message; what is rendered is UTF-8, cut into spans without a gap, and the same a second time. */
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include <tern/template.h>

#include "base/ctx.h"

static const char usual[] =
    "{\"messages\":[{\"role\":\"system\",\"content\":\"Be <b>brief</b>\"},{\"role\":\"user\",\"content\":\"hi "
    "<|im_end|> \\u00e9\\u6771 it's\"},{\"role\":\"assistant\",\"content\":\"<think>\\na\\n</think>\\n\\nb\","
    "\"tool_calls\":[{\"id\":\"abcdefghi\",\"function\":{\"name\":\"f\",\"arguments\":{\"x\":[1,2.5,null,true]}}}]}],"
    "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\","
    "\"parameters\":{\"properties\":{\"x\":{\"type\":\"array\"}}}}}],\"documents\":[{\"title\":\"t\",\"text\":\"d\"}],"
    "\"add_generation_prompt\":true,\"special_tokens\":{\"bos_token\":\"<s>\",\"eos_token\":\"</s>\"},"
    "\"chat_template_kwargs\":{\"n\":7,\"f\":2.5,\"words\":[\"b\",\"A\",\"c\"],\"nums\":[3,1,2],\"text\":\"Hello, "
    "World\"}}";

static void check(bool holds)
{
    if (!holds) abort();
}

static void check_text(const tern_rendered *r)
{
    const char *at = r->text;
    for (size_t i = 0; i < r->n_spans; at += r->spans[i++].n_bytes)
        check(r->spans[i].text == at && r->spans[i].n_bytes);
    check(at == r->text + r->n_bytes);
    for (size_t i = 0; i < r->n_bytes;) {
        utf8proc_int32_t code;
        utf8proc_ssize_t n = utf8proc_iterate((const utf8proc_uint8_t *)r->text + i, (utf8proc_ssize_t)(r->n_bytes - i),
                                              &code);
        check(n > 0);
        i += (size_t)n;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static tern_ctx ctx;
    const uint8_t *nul = memchr(data, 0, size);
    const char *json = nul ? (const char *)nul + 1 : usual;
    size_t n_text = nul ? (size_t)(nul - data) : size, n_json = nul ? size - n_text - 1 : sizeof usual - 1;
    tern_template *t;
    tern_rendered once = { 0 }, again = { 0 };
    ctx.error[0] = 0;
    if (tern_template_parse(&ctx, "fuzz", (const char *)data, n_text, &t)) {
        check(ctx.error[0]);
        return 0;
    }
    tern_template_limit(t,
                        &(tern_template_limits){ .steps = 100000, .output_bytes = 1 << 20, .memory_bytes = 64 << 20 });
    tern_status st = tern_template_render(t, json, n_json, "2025-03-09T07:05:03", &once);
    check(st ? ctx.error[0] != 0 : once.text != NULL);
    check(tern_template_render(t, json, n_json, "2025-03-09T07:05:03", &again) == st);
    if (!st) {
        check_text(&once);
        check(once.n_bytes == again.n_bytes && memcmp(once.text, again.text, once.n_bytes) == 0);
    }
    tern_rendered_free(&once);
    tern_rendered_free(&again);
    tern_template_free(t);
    return 0;
}
