/* Chat templates: the Jinja that Hugging Face checkpoints bring, executed as written.
 *
 *     tern_template *t;                                of a checkpoint directory; null: it has none
 *     tern_template_open(ctx, "qwen", &t);
 *     tern_rendered text;
 *     tern_template_render(t, "{\"messages\": [{\"role\": \"user\", \"content\": \"Hi\"}],
 *     \"add_generation_prompt\": true}", n, NULL, &text);
 *   tern_tokenizer_encode_spans(tok, text.spans, text.n_spans, NULL, &enc);  no special token out
 *   of a user's mouth
 *     tern_rendered_free(&text);
 *     tern_template_free(t);
 *
 * The result is byte-identical to jinja2's as transformers' apply_chat_template sets it up. What
 * jinja2 finds while it compiles is an error of open and parse, with line and column; what it finds
 * where it gets there is one of rendering; no other template ever takes the place of one that
 * fails. docs/templates.md lists what is left out. */
#ifndef TERN_TEMPLATE_H
#define TERN_TEMPLATE_H

#include <stddef.h>
#include <stdint.h>
#include <tern/tokenizer.h>

typedef struct tern_template tern_template;

/* Parses one template. name begins the sentences of its errors ("chat_template.jinja: line 3,
 * column 7: TemplateSyntaxError: ...").
 * TERN_ERR_FORMAT broken syntax or no UTF-8 | TERN_ERR_UNSUPPORTED well-formed, but tern has no
 * such construct | TERN_ERR_LIMIT nested
 * too deeply. The caller owns *out: tern_template_free, before its context goes. */
TERN_API tern_status tern_template_parse(tern_ctx *ctx, const char *name, const char *text,
                                         size_t n_bytes, tern_template **out);

/* The template of a checkpoint directory: chat_template.jinja and
 * additional_chat_templates/NAME.jinja where either is there, else tokenizer_config.json's
 * "chat_template" (a string, or a list of {name, template}), else chat_template.json. One alone is
 * parsed here; of several, each is parsed when a rendering first chooses it, so that a broken one
 * is an error of its own chats only. The special tokens are kept for rendering, as
 * tern_template_take_tokens takes them. *out is null where the directory has no template. */
TERN_API tern_status tern_template_open(tern_ctx *ctx, const char *dir, tern_template **out);

/* Gives a template that came from elsewhere the special tokens of a checkpoint directory
 * (bos_token, eos_token, ...), as apply_chat_template(chat_template=...) of transformers has its
 * tokenizer's: those of tokenizer_config.json and special_tokens_map.json, and, where the template
 * names one that they lack, the tokenizer class's. A directory without files that name some gives
 * none. TERN_ERR_FORMAT such a file is broken | TERN_ERR_IO no such directory. */
TERN_API tern_status tern_template_take_tokens(tern_template *t, const char *dir);

TERN_API void tern_template_free(tern_template *t);      /* null is allowed */

/* What one rendering may use; beyond it the rendering is TERN_ERR_LIMIT. 0 keeps the default. */
typedef struct tern_template_limits {
    /* nodes of the template executed, and every 32 bytes copied or searched: 20,000,000 */
    uint64_t steps;
    size_t output_bytes;     /* of the text, and of any string on the way: 64 MiB */
    size_t memory_bytes;     /* of all values: 512 MiB */
    uint32_t depth;          /* of nested calls, blocks and operators: 1000 */
} tern_template_limits;
TERN_API void tern_template_limit(tern_template *t, const tern_template_limits *limits);

typedef struct tern_rendered {
    char *text;                /* UTF-8, with a NUL behind it */
    size_t n_bytes;
    /* the whole text cut into parts, for tern_tokenizer_encode_spans: untrusted is what came from
     * messages, tools, documents and chat_template_kwargs; the rest was written by the template or
     * is a special token */
    tern_span *spans;
    size_t n_spans;
} tern_rendered;

/* Renders. json is a list of messages, or an object with "messages" and, as wanted, "tools",
 * "documents", "add_generation_prompt", "continue_final_message" (true or a field's name),
 * "special_tokens" (in place of the directory's), "chat_template_kwargs" (further variables),
 * "chat_template" (the name of one of a directory's templates). Without that name the template is
 * chosen as transformers does: the only one; of a list "tool_use" where there are tools, else
 * "default".
 * now is the local time that strftime_now sees, "2025-03-09T07:05:03" or null for the clock.
 * A message's role counts as trusted where it is letters, digits, '_' and '-' only: templates build
 * their control tokens from it. TERN_ERR_ARGUMENT an error of the template's own (raise_exception,
 * undefined, TypeError, ...), its sentence as Jinja has it, or inputs that
 * transformers refuses | TERN_ERR_FORMAT json is not JSON | TERN_ERR_LIMIT | TERN_ERR_UNSUPPORTED.
 * The caller owns *out: tern_rendered_free. One thread per context at a time. */
TERN_API tern_status tern_template_render(tern_template *t, const char *json, size_t n_bytes,
                                          const char *now, tern_rendered *out);
TERN_API void tern_rendered_free(tern_rendered *rendered);

#endif
