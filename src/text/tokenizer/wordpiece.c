/* The models WordPiece and WordLevel. Called by the encoder through model.h. */
#include <string.h>

#include "base/ctx.h"
#include "base/json.h"
#include "base/memory.h"
#include "text/tokenizer/bytes.h"
#include "text/tokenizer/model.h"
#include "text/utf8.h"

typedef struct wordpiece {
    char *prefix;              /* of a token inside a word: "##" */
    size_t n_prefix;
    size_t max_chars;          /* a longer word is unknown */
    char *unk;                 /* for errors */
    bytes scratch;
} wordpiece;

static void wordpiece_free(text_model *m)
{
    wordpiece *w = m->state;
    if (!w) return;
    tern_free(w->prefix);
    tern_free(w->unk);
    bytes_free(&w->scratch);
    tern_free(w);
    m->state = NULL;
}

static tern_status load_unk(tern_ctx *ctx, const json_t *json, const char *otherwise, text_model *m, char **out)
{
    const json_t *unk = json_object_get(json, "unk_token");
    if (unk && !json_is_string(unk))
        return tern_fail(ctx, TERN_ERR_FORMAT, "%s: \"unk_token\" is %s, not a string", m->kind->type,
                         tern_json_kind(unk));
    *out = tern_strdup(ctx, unk ? json_string_value(unk) : otherwise);
    if (!*out) return TERN_ERR_MEMORY;
    m->unk_id = vocab_id(&m->vocab, *out, strlen(*out));
    return TERN_OK;
}

static tern_status wordpiece_load(tern_ctx *ctx, const json_t *json, text_model *m)
{
    tern_status st = TERN_OK;
    const json_t *prefix = json_object_get(json, "continuing_subword_prefix"),
        *most = json_object_get(json, "max_input_chars_per_word");
    wordpiece *w = tern_alloc(ctx, 1, sizeof *w, "WordPiece");
    if (!w) return TERN_ERR_MEMORY;
    m->state = w;
    w->scratch.ctx = ctx;
    w->max_chars = 100;
    if (prefix && !json_is_string(prefix))
        return tern_fail(ctx, TERN_ERR_FORMAT, "WordPiece: \"continuing_subword_prefix\" is %s",
                         tern_json_kind(prefix));
    if (most && (!json_is_integer(most) || json_integer_value(most) < 0))
        return tern_fail(ctx, TERN_ERR_FORMAT, "WordPiece: \"max_input_chars_per_word\" is not a number of 0 or more");
    if (most) w->max_chars = (size_t)json_integer_value(most);
    w->prefix = tern_strdup(ctx, prefix ? json_string_value(prefix) : "##");
    if (!w->prefix) return TERN_ERR_MEMORY;
    w->n_prefix = strlen(w->prefix);
    TERN_TRY(load_unk(ctx, json, "[UNK]", m, &w->unk));
done:
    return st;
}

static tern_status put_unknown(tern_ctx *ctx, text_model *m, const char *unk, uint32_t base, size_t n,
                               model_tokens *out)
{
    if (m->unk_id < 0)
        return tern_fail(ctx, TERN_ERR_FORMAT, "%s: the vocabulary lacks the unknown token \"%s\", and this text needs "
                         "it", m->kind->type, TERN_SHOWN(unk));
    tern_status st = model_tokens_reserve(ctx, out, 1);
    if (!st) out->at[out->n++] = (model_token){ base, base + (uint32_t)n, m->unk_id };
    return st;
}

/* The longest token that begins at w->scratch[begin] and its end there; -1: none. */
static int32_t longest(const text_model *m, const wordpiece *w, bool plain, size_t begin, size_t *end)
{
    size_t stop = w->scratch.n, length;
    if (stop - begin > m->vocab.longest) {
        stop = begin + m->vocab.longest;
        while (stop > begin && utf8_continues(w->scratch.data[stop])) stop--;
    }
    while (stop > begin) {
        int32_t id = vocab_id(&m->vocab, w->scratch.data + begin, stop - begin);
        if (id >= 0 && !model_bans(m, plain, id)) {
            *end = stop;
            return id;
        }
        utf8_before(w->scratch.data, stop, &length);
        stop -= length;
    }
    return -1;
}

/* Greedy from the left. The word lies in scratch behind space for the prefix, which is written over
 * what has been read:
 *     ....playing  ->  play##ing      so that "##ing" can be looked up in place */
static tern_status wordpiece_encode(tern_ctx *ctx, text_model *m, const char *text, size_t n, uint32_t base, bool plain,
                                    model_tokens *out)
{
    tern_status st = TERN_OK;
    wordpiece *w = m->state;
    size_t chars = 0, at = 0, first = out->n;
    for (size_t i = 0; i < n && chars <= w->max_chars; i += utf8_length((unsigned char)text[i])) chars++;
    if (chars > w->max_chars) return put_unknown(ctx, m, w->unk, base, n, out);
    w->scratch.n = 0;
    bytes_add(&w->scratch, w->prefix, w->n_prefix);
    bytes_add(&w->scratch, text, n);
    if (w->scratch.st) return w->scratch.st;
    while (at < n) {
        size_t begin = at ? at : w->n_prefix, end = 0;
        if (at) memcpy(w->scratch.data + at, w->prefix, w->n_prefix);
        int32_t id = longest(m, w, plain, begin, &end);
        if (id < 0 || end <= at + w->n_prefix) {
            out->n = first;
            return put_unknown(ctx, m, w->unk, base, n, out);
        }
        TERN_TRY(model_tokens_reserve(ctx, out, 1));
        out->at[out->n++] = (model_token){ base + (uint32_t)at, base + (uint32_t)(end - w->n_prefix), id };
        at = end - w->n_prefix;
    }
done:
    return st;
}

const model_kind model_wordpiece = {
    .type = "WordPiece",
    .keys = (const char *const[]){ "unk_token", "continuing_subword_prefix", "max_input_chars_per_word", NULL },
    .load = wordpiece_load, .encode = wordpiece_encode, .free = wordpiece_free,
};

/* ---- WordLevel: a piece is a token or unknown ---- */

static void wordlevel_free(text_model *m)
{
    tern_free(m->state);
    m->state = NULL;
}

static tern_status wordlevel_load(tern_ctx *ctx, const json_t *json, text_model *m)
{
    char *unk = NULL;
    tern_status st = load_unk(ctx, json, "<unk>", m, &unk);
    m->state = unk;
    return st;
}

static tern_status wordlevel_encode(tern_ctx *ctx, text_model *m, const char *text, size_t n, uint32_t base, bool plain,
                                    model_tokens *out)
{
    int32_t id = vocab_id(&m->vocab, text, n);
    if (id < 0 || model_bans(m, plain, id)) return put_unknown(ctx, m, m->state, base, n, out);
    tern_status st = model_tokens_reserve(ctx, out, 1);
    if (!st) out->at[out->n++] = (model_token){ base, base + (uint32_t)n, id };
    return st;
}

const model_kind model_wordlevel = {
    .type = "WordLevel",
    .keys = (const char *const[]){ "unk_token", NULL },
    .load = wordlevel_load, .encode = wordlevel_encode, .free = wordlevel_free,
};
