/* The tokens that a configuration adds: see settings.h. Called by open.c.
 *
 * First all of added_tokens_decoder by its numbers (without one: added_tokens.json and
 * tokenizer.json's own), then the named special tokens, then the extra ones, each of the latter two
 * only where no added token has its text. The numbers only order: a token of the vocabulary keeps
 * its id, a new one gets the next. */
#include <stdlib.h>
#include <string.h>

#include "base/ctx.h"
#include "base/json.h"
#include "base/memory.h"
#include "text/tokenizer/settings.h"

typedef struct pending_token {
    int64_t index;             /* orders the tokens of a decoder */
    size_t order;              /* of two with one index the later counts */
    added_token token;         /* its text is borrowed */
    bool plain;                /* written as a text, without flags */
    bool normalized_given;
} pending_token;

typedef struct pending {
    tern_ctx *ctx;
    pending_token *at;
    size_t n, capacity, n_decoder;    /* the first n_decoder are the decoder's */
} pending;

static const tern_role named[] = { TERN_ROLE_BOS, TERN_ROLE_EOS, TERN_ROLE_UNK, TERN_ROLE_SEP, TERN_ROLE_PAD,
                                   TERN_ROLE_CLS, TERN_ROLE_MASK };
static const char *const named_keys[] = { "bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token",
                                          "mask_token" };

enum { N_NAMED = sizeof named / sizeof *named };

static tern_status push(pending *p, const json_t *value, const added_token *token, int64_t index)
{
    if (p->n == p->capacity) {
        size_t capacity = p->capacity * 2 + 64;
        tern_status st = tern_grow(p->ctx, (void **)&p->at, capacity, sizeof *p->at, "added tokens");
        if (st) return st;
        p->capacity = capacity;
    }
    p->at[p->n] = (pending_token){ .index = index, .order = p->n, .token = *token, .plain = !json_is_object(value),
                                   .normalized_given = json_is_boolean(json_object_get(value, "normalized")) };
    p->n++;
    return TERN_OK;
}

/* ---- The decoder's ---- */

static tern_status push_decoder(pending *p, const json_t *decoder)
{
    tern_status st = TERN_OK;
    const char *key;
    json_t *value;
    added_token token;
    if (!json_is_object(decoder))
        return tern_fail(p->ctx, TERN_ERR_FORMAT, "\"added_tokens_decoder\" is %s, not an object",
                         tern_json_kind(decoder));
    json_object_foreach((json_t *)decoder, key, value) {
        char *end;
        int64_t index = strtoll(key, &end, 10);
        if (end == key || *end)
            return tern_fail(p->ctx, TERN_ERR_FORMAT, "added_tokens_decoder: \"%.60s\" is not a number", key);
        if (!json_is_object(value) || !settings_token(value, false, &token))
            return tern_fail(p->ctx, TERN_ERR_FORMAT, "added_tokens_decoder: \"%.60s\" has no \"content\"", key);
        TERN_TRY(push(p, value, &token, index));
    }
done:
    return st;
}

/* Whether value is this text. Objects count that special_tokens_map.json has; those of
 * tokenizer_config.json are not tokens yet where transformers asks. */
static bool is_text(const json_t *value, const char *text, size_t n)
{
    added_token token;
    if (!value || json_object_get(value, "__type") || !settings_token(value, true, &token)) return false;
    return token.n_bytes == n && !memcmp(token.text, text, n);
}

static bool names_text(const settings *s, const char *text, size_t n)
{
    size_t i;
    json_t *one;
    for (i = 0; i < N_NAMED; i++)
        if (is_text(settings_role(s, named[i]), text, n)) return true;
    json_array_foreach(json_object_get(s->config, "extra_special_tokens"), i, one)
        if (is_text(one, text, n)) return true;
    return false;
}

/* added_tokens.json: {"token": id}. */
static tern_status push_added_file(pending *p, const settings *s)
{
    tern_status st = TERN_OK;
    const char *key;
    json_t *value;
    size_t n;
    json_object_keylen_foreach(s->added, key, n, value) {
        bool special = names_text(s, key, n);
        added_token token = { .text = (char *)key, .n_bytes = n, .special = special, .normalized = !special };
        if (!json_is_integer(value))
            return tern_fail(p->ctx, TERN_ERR_FORMAT, "added_tokens.json: the id of \"%.60s\" is %s", key,
                             tern_json_kind(value));
        TERN_TRY(push(p, NULL, &token, json_integer_value(value)));
        p->at[p->n - 1].normalized_given = true;
    }
done:
    return st;
}

static tern_status push_listed(pending *p, const settings *s)
{
    tern_status st = TERN_OK;
    added_token token;
    size_t i;
    json_t *one;
    json_array_foreach(s->listed, i, one) if (settings_token(one, false, &token)) TERN_TRY(
        push(p, one, &token, json_integer_value(json_object_get(one, "id"))));
done:
    return st;
}

static int compare_pending(const void *a, const void *b)
{
    const pending_token *x = a, *y = b;
    if (x->index != y->index) return x->index < y->index ? -1 : 1;
    return x->order < y->order ? -1 : 1;
}

static tern_status collect_decoder(pending *p, const settings *s)
{
    tern_status st = TERN_OK;
    const json_t *decoder = json_object_get(s->config, "added_tokens_decoder");
    size_t n = 0;
    if (decoder) {
        TERN_TRY(push_decoder(p, decoder));
    } else {
        TERN_TRY(push_added_file(p, s));
        TERN_TRY(push_listed(p, s));
    }
    if (p->n) qsort(p->at, p->n, sizeof *p->at, compare_pending);
    for (size_t i = 0; i < p->n; i++) {
        if (i + 1 < p->n && p->at[i + 1].index == p->at[i].index) continue;
        p->at[n++] = p->at[i];
    }
    p->n = p->n_decoder = n;
    for (size_t i = 0; s->raw_decoder && i < n; i++) {
        p->at[i].token.normalized = false;
        p->at[i].normalized_given = true;
    }
done:
    return st;
}

/* ---- Named and extra tokens ---- */

static bool same_flags(const added_token *a, const added_token *b)
{
    return a->single_word == b->single_word && a->lstrip == b->lstrip && a->rstrip == b->rstrip &&
           a->normalized == b->normalized;
}

/* Whether a token that comes behind the decoder's is there already. known: the texts of tok's own
 * tokens and the decoder's. */
static bool is_there(const tern_tokenizer *tok, const pending *p, const vocab *known, const added_token *token,
                     bool plain)
{
    if (added_by_text(&tok->added, token->text, token->n_bytes) || vocab_id(known, token->text, token->n_bytes) >= 0)
        return true;
    for (size_t i = p->n_decoder; i < p->n; i++) {
        const added_token *t = &p->at[i].token;
        if (p->at[i].plain == plain && same_flags(t, token) && t->n_bytes == token->n_bytes &&
            !memcmp(t->text, token->text, t->n_bytes))
            return true;
    }
    return false;
}

typedef struct collection {
    tern_tokenizer *tok;
    pending *p;
    vocab known;               /* text to index of the decoder's tokens */
} collection;

static tern_status collect_named(collection *c, const char *key, const json_t *value, bool lstrip)
{
    added_token token;
    if (!value) return TERN_OK;
    if (!settings_token(value, true, &token))
        return tern_fail(c->p->ctx, TERN_ERR_FORMAT, "\"%s\" is %s, not a string", key, tern_json_kind(value));
    if (!token.n_bytes) return TERN_OK;
    token.lstrip |= lstrip && json_is_string(value);
    int32_t i = vocab_id(&c->known, token.text, token.n_bytes);
    if (i >= 0) {
        pending_token *there = &c->p->at[i];
        there->token.special = true;
        if (!there->normalized_given) there->token.normalized = false;
    }
    return is_there(c->tok, c->p, &c->known, &token, json_is_string(value)) ? TERN_OK : push(c->p, value, &token, 0);
}

/* A class's own special token, which the configuration does not name. */
static tern_status collect_default(collection *c, const char *text, bool lstrip)
{
    added_token token = { .text = (char *)text, .n_bytes = strlen(text), .special = true, .lstrip = lstrip };
    int32_t i = vocab_id(&c->known, text, token.n_bytes);
    if (i >= 0) c->p->at[i].token.special = true;
    return is_there(c->tok, c->p, &c->known, &token, true) ? TERN_OK : push(c->p, NULL, &token, 0);
}

static bool is_other_role(const char *key)
{
    size_t n = strlen(key);
    if (n < 6 || strcmp(key + n - 6, "_token") || !strcmp(key, "add_bos_token") || !strcmp(key, "add_eos_token"))
        return false;
    for (size_t i = 0; i < N_NAMED; i++)
        if (!strcmp(named_keys[i], key)) return false;
    return true;
}

/* Special tokens under names of their own: "image_token", and what extra_special_tokens has as an
 * object. Those with flags come first. */
static tern_status collect_other_names(collection *c, const json_t *config)
{
    tern_status st = TERN_OK;
    const char *key;
    json_t *value, *names = json_object_get(config, "model_specific_special_tokens");
    for (int plain = 0; plain < 2; plain++)
        json_object_foreach((json_t *)config, key, value) if (is_other_role(key) && (plain ? json_is_string(
            value) : json_object_get(value, "content") != NULL)) TERN_TRY(collect_named(c, key, value, false));
    json_object_foreach(names, key, value) TERN_TRY(collect_named(c, key, value, false));
done:
    return st;
}

static bool name_token(json_t *list, const char *key, const json_t *value)
{
    if (json_is_object(value)) value = json_object_get(value, "content");
    return !json_is_string(value) || !json_object_set(list, key, (json_t *)value);
}

json_t *settings_named_tokens(const settings *s)
{
    json_t *list = json_object(), *value;
    const char *key;
    bool ok = list;
    for (size_t i = 0; ok && i < N_NAMED; i++) {
        const json_t *own = settings_role(s, named[i]);
        const char *text = own ? NULL : settings_role_text(s, named[i]);
        ok = text ? !json_object_set_new(list, named_keys[i], json_string(text)) : name_token(list, named_keys[i], own);
    }
    json_object_foreach(s->config, key, value)
        ok = ok && (!is_other_role(key) || name_token(list, key, value));
    json_object_foreach(json_object_get(s->config, "model_specific_special_tokens"), key, value)
        ok = ok && name_token(list, key, value);
    if (ok) return list;
    json_decref(list);
    return NULL;
}

static tern_status collect_extra(collection *c, const settings *s)
{
    tern_status st = TERN_OK;
    added_token token;
    size_t i;
    json_t *one;
    const json_t *extra = settings_extra(s);
    if (extra && !json_is_array(extra) && !json_is_null(extra))
        return tern_fail(c->p->ctx, TERN_ERR_FORMAT, "the extra special tokens are %s, not a list",
                         tern_json_kind(extra));
    json_array_foreach((json_t *)extra, i, one) {
        if (!settings_token(one, json_is_string(one), &token))
            return tern_fail(c->p->ctx, TERN_ERR_FORMAT, "extra special token %zu is %s", i, tern_json_kind(one));
        if (token.n_bytes && !is_there(c->tok, c->p, &c->known, &token, json_is_string(one)))
            TERN_TRY(push(c->p, one, &token, 0));
    }
done:
    return st;
}

/* The class's special tokens that have no role. keyed: those under a key, where the configuration's
 * text counts; else those without, which count where the configuration has no list of extra
 * tokens. */
static tern_status collect_others(collection *c, const settings *s, bool keyed)
{
    tern_status st = TERN_OK;
    const char *const *others = s->class ? s->class->others : NULL;
    for (; others && others[0]; others += 2) {
        const json_t *value = json_object_get(s->config, others[0]);
        if (keyed != (*others[0] != 0) || (!keyed && settings_extra(s))) continue;
        if (json_is_string(value)) TERN_TRY(collect_named(c, others[0], value, false));
        else TERN_TRY(collect_default(c, others[1], false));
    }
done:
    return st;
}

static tern_status collect_special(collection *c, const settings *s)
{
    tern_status st = TERN_OK;
    for (size_t i = 0; i < c->p->n_decoder; i++) {
        const added_token *t = &c->p->at[i].token;
        if (t->n_bytes) TERN_TRY(vocab_add(c->p->ctx, &c->known, t->text, t->n_bytes, (int64_t)i, INT32_MAX / 2));
    }
    for (size_t i = 0; i < N_NAMED; i++) {
        const json_t *value = settings_role(s, named[i]);
        const char *own = s->class && !json_object_get(s->config, named_keys[i]) ? s->class->roles[named[i]] : NULL;
        bool lstrip = s->class && s->class->mask_lstrip && named[i] == TERN_ROLE_MASK;
        TERN_TRY(own ? collect_default(c, own, lstrip) : collect_named(c, named_keys[i], value, lstrip));
    }
    TERN_TRY(collect_others(c, s, true));
    TERN_TRY(collect_other_names(c, s->config));
    TERN_TRY(collect_others(c, s, false));
    TERN_TRY(collect_extra(c, s));
done:
    return st;
}

static bool has_extra_ids(const json_t *list)
{
    size_t i;
    json_t *one;
    added_token token;
    json_array_foreach((json_t *)list, i, one)
        if (settings_token(one, true, &token) && strstr(token.text, "<extra_id_")) return true;
    return false;
}

/* T5's <extra_id_0> ... where the configuration has no list of extra tokens. */
static tern_status add_extra_ids(tern_tokenizer *tok, const settings *s)
{
    tern_status st = TERN_OK;
    const json_t *stated = json_object_get(s->config, "extra_ids");
    int n = s->class ? s->class->extra_ids : 0;
    if (!n || json_object_get(s->config, "extra_special_tokens") ||
        has_extra_ids(json_object_get(s->config, "additional_special_tokens")))
        return st;
    if (json_is_integer(stated)) n = json_integer_value(stated) < 100000 ? (int)json_integer_value(stated) : 100000;
    for (int i = 0; i < n; i++) {
        char text[32];
        added_token token = { .text = text, .special = true };
        token.n_bytes = (size_t)snprintf(text, sizeof text, "<extra_id_%d>", i);
        if (!added_by_text(&tok->added, text, token.n_bytes)) TERN_TRY(tokenizer_add_token(tok, &token));
    }
done:
    return st;
}

static tern_status add_without_flags(tern_tokenizer *tok, const json_t *value)
{
    added_token token;
    if (!value || !settings_token(value, true, &token)) return TERN_OK;
    return tokenizer_add_token(tok, &(added_token){ .text = token.text, .n_bytes = token.n_bytes, .special = true });
}

/* All special tokens once more, without flags. */
static tern_status add_plain(tern_tokenizer *tok, const settings *s)
{
    tern_status st = TERN_OK;
    const char *key;
    size_t i;
    json_t *one;
    for (i = 0; i < N_NAMED; i++) TERN_TRY(add_without_flags(tok, settings_role(s, named[i])));
    json_object_foreach(s->config, key, one)
        if (is_other_role(key)) TERN_TRY(add_without_flags(tok, one));
    json_object_foreach(json_object_get(s->config, "model_specific_special_tokens"), key,
                        one) TERN_TRY(add_without_flags(tok, one));
    json_array_foreach((json_t *)settings_extra(s), i, one) TERN_TRY(add_without_flags(tok, one));
done:
    return st;
}

tern_status settings_add_tokens(tern_tokenizer *tok, const settings *s)
{
    tern_status st = TERN_OK;
    pending p = { .ctx = tok->ctx };
    collection c = { .tok = tok, .p = &p };
    TERN_TRY(collect_decoder(&p, s));
    TERN_TRY(collect_special(&c, s));
    for (size_t i = 0; i < p.n; i++) TERN_TRY(tokenizer_add_token(tok, &p.at[i].token));
    TERN_TRY(add_extra_ids(tok, s));
    if (s->class && s->class->plain_specials) TERN_TRY(add_plain(tok, s));
done:
    vocab_free(&c.known);
    tern_free(p.at);
    return st;
}
