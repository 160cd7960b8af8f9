/* The tokenizer as a whole: making and freeing it, its vocabulary, decoding. Called by everyone
 * above src/text; calls the loaders and decode.c. */
#include <string.h>

#include "base/ctx.h"
#include "base/memory.h"
#include "text/tokenizer/normalize.h"
#include "text/tokenizer/tok.h"

tern_status tokenizer_new(tern_ctx *ctx, tern_tokenizer **out)
{
    tern_tokenizer *tok = tern_alloc(ctx, 1, sizeof *tok, "a tokenizer");
    if (!tok) return TERN_ERR_MEMORY;
    tok->ctx = ctx;
    tok->model.unk_id = -1;
    for (int i = 0; i < TERN_N_ROLES; i++) tok->role_id[i] = -1;
    *out = tok;
    return TERN_OK;
}

void tern_tokenizer_free(tern_tokenizer *tok)
{
    if (!tok) return;
    added_free(&tok->added);
    components_free(&tok->normalizers);
    components_free(&tok->pretokenizers);
    components_free(&tok->postprocessors);
    components_free(&tok->decoders);
    if (tok->model.kind) tok->model.kind->free(&tok->model);
    vocab_free(&tok->model.vocab);
    tern_free(tok->model.banned);
    ignored_free(&tok->ignored);
    tern_free(tok->pad.token);
    for (int i = 0; i < TERN_N_ROLES; i++) tern_free(tok->role_text[i]);
    for (int i = 0; i < 4; i++) aligned_free(&tok->scratch.text[i]);
    for (int i = 0; i < 3; i++) pieces_free(&tok->scratch.list[i]);
    for (int i = 0; i < 2; i++) tern_encoding_free(&tok->scratch.sequences[i]);
    tern_free(tok->scratch.tokens.at);
    tern_free(tok);
}

/* The id that the tokenizers library gives to a token that the vocabulary lacks. */
static int32_t next_id(const tern_tokenizer *tok)
{
    int32_t n = tok->model.vocab.n_tokens, above = tok->added.n_by_id;
    return above > n ? above : n;
}

tern_status tokenizer_add_token(tern_tokenizer *tok, const added_token *token)
{
    added_token one = *token;
    if (!token->n_bytes) return TERN_OK;
    one.id = vocab_id(&tok->model.vocab, token->text, token->n_bytes);
    if (one.id < 0) one.id = next_id(tok);
    return added_put(tok->ctx, &tok->added, &one);
}

/* Added tokens with the flag normalized are looked for, and shown, as the normalizers leave
 * them. */
static tern_status finish_added(tern_tokenizer *tok)
{
    tern_status st = TERN_OK;
    aligned buffers[2] = { { 0 }, { 0 } };
    for (size_t i = 0; i < tok->added.n; i++) {
        const added_token *t = &tok->added.at[i];
        aligned *a = &buffers[0], *b = &buffers[1], raw = { .data = t->text, .n = t->n_bytes };
        if (!t->normalized || !tok->normalizers.n) continue;
        aligned_clear(a, ALIGN_NONE);
        TERN_TRY(aligned_copy(tok->ctx, a, &raw, 0, raw.n));
        TERN_TRY(normalize(tok->ctx, &tok->normalizers, &a, &b));
        TERN_TRY(added_show(tok->ctx, &tok->added, i, a->data ? a->data : "", a->n));
    }
    TERN_TRY(added_finish(tok->ctx, &tok->added));
done:
    aligned_free(&buffers[0]);
    aligned_free(&buffers[1]);
    return st;
}

tern_status tokenizer_finish(tern_tokenizer *tok)
{
    tern_status st = TERN_OK;
    text_model *m = &tok->model;
    TERN_TRY(finish_added(tok));
    m->banned = tern_alloc(tok->ctx, (size_t)m->vocab.n_ids, 1, "special tokens");
    if (!m->banned) return TERN_ERR_MEMORY;
    for (size_t i = 0; i < tok->added.n; i++) {
        const added_token *t = &tok->added.at[i];
        if (!t->special || t->id >= m->vocab.n_ids || t->id == m->unk_id) continue;
        m->banned[t->id] = 1;
        m->any_banned = true;
    }
    if (m->kind->finish) TERN_TRY(m->kind->finish(tok->ctx, m));
done:
    return st;
}

/* ---- The vocabulary ---- */

int32_t tern_tokenizer_vocab_size(const tern_tokenizer *tok)
{
    return tok->model.vocab.n_ids > tok->added.n_by_id ? tok->model.vocab.n_ids : tok->added.n_by_id;
}

const char *tern_tokenizer_token(const tern_tokenizer *tok, int32_t id, size_t *n_bytes)
{
    const added_token *t = added_by_id(&tok->added, id);
    if (!t) return vocab_text(&tok->model.vocab, id, n_bytes);
    if (n_bytes) *n_bytes = t->n_shown;
    return t->shown;
}

int32_t tern_tokenizer_id(const tern_tokenizer *tok, const char *token, size_t n_bytes)
{
    const added_token *t = added_by_text(&tok->added, token, n_bytes);
    return t ? t->id : vocab_id(&tok->model.vocab, token, n_bytes);
}

bool tern_tokenizer_is_special(const tern_tokenizer *tok, int32_t id)
{
    const added_token *t = added_by_id(&tok->added, id);
    return t && t->special;
}

int32_t tern_tokenizer_role(const tern_tokenizer *tok, tern_role role)
{
    return (unsigned)role < TERN_N_ROLES ? tok->role_id[role] : -1;
}

const char *tern_tokenizer_role_text(const tern_tokenizer *tok, tern_role role)
{
    return (unsigned)role < TERN_N_ROLES ? tok->role_text[role] : NULL;
}

bool tern_tokenizer_gives_types(const tern_tokenizer *tok)
{
    return !tok->no_types;
}

const char *tern_tokenizer_ignored(const tern_tokenizer *tok, size_t i)
{
    return tok && i < tok->ignored.n ? tok->ignored.at[i] : NULL;
}

int64_t tern_tokenizer_max_length(const tern_tokenizer *tok)
{
    return tok->max_length;
}

/* ---- Decoding ---- */

/* A token of the vocabulary that has a special one's text under another id counts as that one. */
bool tokenizer_skips(const tern_tokenizer *tok, int32_t id)
{
    size_t n;
    const char *text = vocab_text(&tok->model.vocab, id, &n);
    const added_token *t = added_by_id(&tok->added, id);
    if (!t && text) t = added_by_text(&tok->added, text, n);
    return t ? t->special : !text;
}

tern_status tokenizer_decode_into(tern_ctx *ctx, const tern_tokenizer *tok, const int32_t *ids, size_t n,
                                  bool skip_special, strings *a, strings *b, bytes *out)
{
    tern_status st = TERN_OK;
    decoding d = { .ctx = ctx, .in = a, .out = b };
    strings_clear(a);
    out->n = 0;
    for (size_t i = 0; i < n; i++) {
        size_t length;
        const char *text = tern_tokenizer_token(tok, ids[i], &length);
        if (!text || (skip_special && tokenizer_skips(tok, ids[i]))) continue;
        if (!tok->decoders.n && a->n) bytes_add(&a->data, " ", 1);
        bytes_add(&a->data, text, length);
        TERN_TRY(strings_end(ctx, a));
    }
    TERN_TRY(decode_strings(&d, &tok->decoders));
    const char *text = d.in->data.data ? d.in->data.data : "";
    if (tok->clean_up) TERN_TRY(decode_clean_up(ctx, out, text, d.in->data.n));
    else bytes_add(out, text, d.in->data.n);
    st = out->st;
done:
    return st;
}

tern_status tern_tokenizer_decode(const tern_tokenizer *tok, const int32_t *ids, size_t n, bool skip_special,
                                  char **text, size_t *n_bytes)
{
    if (!tok) return TERN_ERR_ARGUMENT;
    if ((!ids && n) || !text || !n_bytes)
        return tern_fail(tok->ctx, TERN_ERR_ARGUMENT, "tern_tokenizer_decode: no ids, or no place for the text");
    strings a = { .data = { .ctx = tok->ctx } }, b = { .data = { .ctx = tok->ctx } };
    bytes out = { .ctx = tok->ctx };
    tern_status st = tokenizer_decode_into(tok->ctx, tok, ids, n, skip_special, &a, &b, &out);
    if (!st) {
        *text = out.data;
        *n_bytes = out.n;
        out.data = NULL;
    }
    bytes_free(&out);
    strings_free(&a);
    strings_free(&b);
    return st;
}
