/* A SentencePiece model as a tokenizer.json: see sentencepiece.h. Called by open.c. Without a class
 * it is what build_tokenizer_from_spm_proto of transformers 5.24.0 (convert_slow_tokenizer.py)
 * makes. */
#include <stdlib.h>
#include <string.h>

#include "base/ctx.h"
#include "base/memory.h"
#include "text/tokenizer/assemble.h"
#include "text/tokenizer/bytes.h"
#include "text/tokenizer/sentencepiece.h"

#define MARK "\xe2\x96\x81"    /* U+2581, which stands for a blank */

static json_t *base64_json(const unsigned char *data, size_t n)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    bytes out = { 0 };
    for (size_t i = 0; i < n; i += 3) {
        uint32_t bits = (uint32_t)data[i] << 16 | (i + 1 < n ? (uint32_t)data[i + 1] << 8 : 0) |
                        (i + 2 < n ? data[i + 2] : 0);
        char four[4] = { digits[bits >> 18], digits[bits >> 12 & 63], i + 1 < n ? digits[bits >> 6 & 63] : '=',
                         i + 2 < n ? digits[bits & 63] : '=' };
        bytes_add(&out, four, 4);
    }
    json_t *json;
    if (out.st) json = NULL;
    else json = json_stringn(out.data ? out.data : "", out.n);
    bytes_free(&out);
    return json;
}

static json_t *charsmap_json(const sp_model *m)
{
    return json_pack("{s:s, s:o}", "type", "Precompiled", "precompiled_charsmap",
                     base64_json(m->charsmap, m->n_charsmap));
}

/* ---- Without a class: the file's own settings ---- */

static json_t *normalizer_json(const sp_model *m, bool legacy)
{
    json_t *list = json_array();
    if (m->n_charsmap) json_array_append_new(list, charsmap_json(m));
    if (m->one_space) {
        json_array_append_new(list, assemble_replace("Regex", "\\A +| +\\z", ""));
        json_array_append_new(list, assemble_replace("Regex", " {2,}", " "));
    }
    json_array_append_new(list, assemble_replace("String", " ", MARK));
    if (m->dummy_prefix && legacy) json_array_append_new(list, assemble_replace("Regex", "\\A" MARK, MARK MARK));
    return json_pack("{s:s, s:o}", "type", "Sequence", "normalizers", list);
}

static int longest_first(const void *a, const void *b)
{
    const sp_piece *x = *(const sp_piece *const *)a, *y = *(const sp_piece *const *)b;
    if (x->n_bytes != y->n_bytes) return x->n_bytes > y->n_bytes ? -1 : 1;
    return x < y ? -1 : x > y;
}

/* An expression that matches the user-defined pieces, the longest first; empty: there are none. */
static tern_status user_defined_pattern(const sp_model *m, bytes *out)
{
    size_t n = 0;
    const sp_piece **list = tern_alloc(m->ctx, m->n, sizeof *list, "user-defined pieces");
    if (!list) return TERN_ERR_MEMORY;
    for (size_t i = 0; i < m->n; i++)
        if (m->pieces[i].type == PIECE_USER_DEFINED && m->pieces[i].n_bytes) list[n++] = &m->pieces[i];
    if (n) qsort(list, n, sizeof *list, longest_first);
    for (size_t i = 0; i < n; i++) {
        if (i) bytes_add(out, "|", 1);
        for (size_t k = 0; k < list[i]->n_bytes; k++) {
            char c = list[i]->text[k];
            if (c && strchr("\\.^$|()[]{}*+?-#&~ \t\n\r\v\f", c)) bytes_add(out, "\\", 1);
            bytes_add(out, &c, 1);
        }
    }
    tern_free(list);
    return out->st;
}

static json_t *pre_tokenizer_json(const sp_model *m, bool legacy, const bytes *user_defined)
{
    json_t *list = json_array();
    if (m->dummy_prefix)
        json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:b}", "type", "Metaspace", "replacement", MARK,
                                              "prepend_scheme", legacy ? "always" : "first", "split", 0));
    if (user_defined->n)
        json_array_append_new(list,
                              json_pack("{s:s, s:{s:s%}, s:s, s:b}", "type", "Split", "pattern", "Regex",
                                        user_defined->data, user_defined->n, "behavior", "Isolated", "invert", 0));
    return json_pack("{s:s, s:o}", "type", "Sequence", "pretokenizers", list);
}

static json_t *decoder_json(const sp_model *m)
{
    json_t *list = json_array();
    json_array_append_new(list, assemble_replace("String", MARK, " "));
    if (m->byte_fallback) json_array_append_new(list, json_pack("{s:s}", "type", "ByteFallback"));
    if (m->byte_fallback || m->dummy_prefix) json_array_append_new(list, json_pack("{s:s}", "type", "Fuse"));
    if (m->dummy_prefix)
        json_array_append_new(list, json_pack("{s:s, s:s, s:i, s:i}", "type", "Strip", "content", " ", "start", 1,
                                              "stop", 0));
    return json_pack("{s:s, s:o}", "type", "Sequence", "decoders", list);
}

/* A role that the configuration does not have. */
static void give_role(const sp_model *m, json_t *config, const char *key, int64_t id)
{
    if (id >= 0 && id < (int64_t)m->n && !json_object_get(config, key))
        json_object_set_new(config, key, json_stringn(m->pieces[id].text, m->pieces[id].n_bytes));
}

/* The names that added_tokens_decoder gives to pieces, unless another piece has the name. */
static void take_names(sp_model *m, const json_t *config, const json_t *by_text)
{
    const char *key;
    json_t *value;
    json_object_foreach(json_object_get(config, "added_tokens_decoder"), key, value) {
        const json_t *content = json_object_get(value, "content"), *there = NULL;
        if (json_is_string(content))
            there = json_object_getn(by_text, json_string_value(content), json_string_length(content));
        int64_t id = strtoll(key, NULL, 10);
        if (!json_is_string(content) || id < 0 || id >= (int64_t)m->n || there || m->model_type == 1) continue;
        m->pieces[id].text = json_string_value(content);
        m->pieces[id].n_bytes = json_string_length(content);
    }
}

/* ---- The model ---- */

/* Null: no memory. */
static json_t *ids_json(const sp_model *m)
{
    json_t *object = json_object();
    for (size_t i = 0; i < m->n; i++) {
        if (!json_object_setn_new(object, m->pieces[i].text, m->pieces[i].n_bytes, json_integer((json_int_t)i)))
            continue;
        json_decref(object);
        return NULL;
    }
    return object;
}

static void add_score(json_t *list, const char *text, size_t n, double score)
{
    json_array_append_new(list, json_pack("[s%, f]", text, n, score));
}

/* XLM-RoBERTa's ids: bos, pad, eos, unk, the pieces behind the file's first three, mask. */
static void xlm_roberta_scores(const sp_model *m, const tokenizer_class *class, const json_t *config, json_t *list)
{
    static const char *const keys[] = { "bos_token", "pad_token", "eos_token", "unk_token", "mask_token" };
    static const tern_role roles[] = { TERN_ROLE_BOS, TERN_ROLE_PAD, TERN_ROLE_EOS, TERN_ROLE_UNK, TERN_ROLE_MASK };
    for (size_t i = 0; i < 5; i++) {
        const char *text = assemble_role(config, keys[i], class->roles[roles[i]]);
        for (size_t k = 3; i == 4 && k < m->n; k++)
            add_score(list, m->pieces[k].text, m->pieces[k].n_bytes, m->pieces[k].score);
        add_score(list, text, strlen(text), 0);
    }
}

/* CamemBERT's: five of its own, the pieces behind the file's first, mask. */
static void camembert_scores(const sp_model *m, const tokenizer_class *class, const json_t *config, json_t *list)
{
    const char *pad = assemble_role(config, "pad_token", class->roles[TERN_ROLE_PAD]),
        *unk = assemble_role(config, "unk_token", class->roles[TERN_ROLE_UNK]);
    const char *mask = assemble_role(config, "mask_token", class->roles[TERN_ROLE_MASK]),
        *first[] = { "<s>NOTUSED", pad, "</s>NOTUSED", unk, "<unk>NOTUSED" };
    for (size_t i = 0; i < 5; i++) add_score(list, first[i], strlen(first[i]), i == 4 ? -100 : 0);
    for (size_t k = 1; k < m->n; k++) add_score(list, m->pieces[k].text, m->pieces[k].n_bytes, m->pieces[k].score);
    add_score(list, mask, strlen(mask), 0);
}

static json_t *scores_json(const sp_model *m, const tokenizer_class *class, const json_t *config)
{
    json_t *list = json_array();
    const json_t *stated = json_object_get(config, "extra_ids");
    int n_extra = class ? class->extra_ids : 0;
    if (class && class->parts == class_parts_xlm_roberta) xlm_roberta_scores(m, class, config, list);
    else if (class && class->parts == class_parts_camembert) camembert_scores(m, class, config, list);
    else for (size_t i = 0; i < m->n; i++) add_score(list, m->pieces[i].text, m->pieces[i].n_bytes, m->pieces[i].score);
    if (n_extra && json_is_integer(stated))
        n_extra = json_integer_value(stated) < 100000 ? (int)json_integer_value(stated) : 100000;
    for (int i = n_extra; i-- > 0;)
        json_array_append_new(list, json_pack("[o, f]", json_sprintf("<extra_id_%d>", i), 0.0));
    return list;
}

static tern_status model_json(const sp_model *m, const tokenizer_class *class, const json_t *config, bool user_defined,
                              json_t **out)
{
    tern_status st = TERN_OK;
    bool unigram = class ? !strcmp(class->model, "Unigram") : m->model_type == 1;
    json_t *merges = json_array();
    if (unigram) {
        *out = json_pack("{s:s, s:o, s:b, s:o}", "type", "Unigram", "unk_id",
                         m->unk_id < 0 ? json_null() : json_integer(m->unk_id), "byte_fallback", (int)m->byte_fallback,
                         "vocab", scores_json(m, class, config));
    } else {
        const sp_piece *unk = m->unk_id < 0 ? NULL : &m->pieces[m->unk_id];
        TERN_TRY(sentencepiece_merges(m, !class, merges));
        *out = json_pack("{s:s, s:o, s:b, s:b, s:b, s:o, s:O}", "type", "BPE", "unk_token",
                         unk ? json_stringn(unk->text, unk->n_bytes) : json_null(), "fuse_unk", 1, "byte_fallback",
                         (int)m->byte_fallback, "ignore_merges", (int)user_defined, "vocab", ids_json(m), "merges",
                         merges);
    }
    if (!*out) st = tern_fail(m->ctx, TERN_ERR_MEMORY, "no memory for %zu pieces", m->n);
done:
    json_decref(merges);
    return st;
}

/* Control pieces are special tokens; user-defined ones are added tokens, unless the pre-tokenizer
 * finds them. */
static void give_special(const sp_model *m, bool user_defined, json_t *config)
{
    json_t *list = json_array();
    for (size_t i = 0; i < m->n; i++) {
        const sp_piece *p = &m->pieces[i];
        if (p->type != PIECE_CONTROL && !(user_defined && p->type == PIECE_USER_DEFINED)) continue;
        json_array_append_new(list, json_pack("{s:s, s:s%, s:b, s:b}", "__type", "AddedToken", "content", p->text,
                                              p->n_bytes, "normalized", 0, "special", (int)(p->type == PIECE_CONTROL)));
    }
    json_object_set_new(config, "additional_special_tokens", list);
}

static tern_status plain_json(sp_model *m, json_t *config, json_t **json)
{
    tern_status st = TERN_OK;
    bytes user_defined = { .ctx = m->ctx };
    bool legacy = assemble_flag(config, "legacy", true);
    json_t *model = NULL, *by_text = ids_json(m);
    take_names(m, config, by_text);
    give_special(m, false, config);
    give_role(m, config, "bos_token", m->bos_id);
    give_role(m, config, "eos_token", m->eos_id);
    give_role(m, config, "unk_token", m->unk_id);
    TERN_TRY(user_defined_pattern(m, &user_defined));
    TERN_TRY(model_json(m, NULL, config, user_defined.n > 0, &model));
    *json = json_pack("{s:o, s:o, s:o, s:o, s:[]}", "model", model, "normalizer", normalizer_json(m, legacy),
                      "pre_tokenizer", pre_tokenizer_json(m, legacy, &user_defined), "decoder", decoder_json(m),
                      "added_tokens");
    if (!*json) st = tern_fail(m->ctx, TERN_ERR_MEMORY, "no memory for %zu pieces", m->n);
done:
    json_decref(by_text);
    bytes_free(&user_defined);
    return st;
}

tern_status tokenizer_read_sentencepiece(tern_ctx *ctx, const unsigned char *data, size_t n_bytes,
                                         const tokenizer_class *class, json_t *config, bool *prefix, json_t **json)
{
    tern_status st = TERN_OK;
    json_t *model = NULL;
    sp_model m = { .ctx = ctx, .model_type = 1, .unk_id = -1, .bos_id = 1, .eos_id = 2, .dummy_prefix = true,
                   .one_space = true, .escape = true };
    TERN_TRY(sentencepiece_read(&m, data, n_bytes));
    *prefix = m.dummy_prefix;
    if (!class) {
        st = plain_json(&m, config, json);
        goto done;
    }
    give_special(&m, true, config);
    TERN_TRY(model_json(&m, class, config, false, &model));
    *json = json_pack("{s:o, s:o, s:[]}", "model", model, "normalizer", m.n_charsmap ? charsmap_json(&m) : json_null(),
                      "added_tokens");
    if (!*json) st = tern_fail(ctx, TERN_ERR_MEMORY, "no memory for %zu pieces", m.n);
done:
    tern_free(m.pieces);
    return st;
}
