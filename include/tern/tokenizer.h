/* tern_tokenizer: text to token ids and back, as the checkpoint's own files say.
 *
 *     tern_tokenizer *tok;
 *     tern_encoding enc = { 0 };
 *     tern_tokenizer_open(ctx, "path/of/checkpoint", &tok);
 *   tern_tokenizer_encode(tok, "Hello", 5, &(tern_encode_options){ .add_special = true }, &enc);
 *   enc.ids[0 .. enc.n)
 *     tern_encoding_free(&enc);
 *     tern_tokenizer_free(tok);
 *
 * Every component that tokenizer.json names is executed as written; one that tern does not know is
 * an error of tern_tokenizer_open that names it. Text is UTF-8; bytes that are not valid UTF-8
 * count as U+FFFD, one for each maximal part that could have begun a character (what Python's
 * bytes.decode(errors="replace") gives). A tokenizer keeps scratch and a cache of bounded size, and
 * is used by one thread at a time, as everything that was made from a context is. */
#ifndef TERN_TOKENIZER_H
#define TERN_TOKENIZER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <tern/config.h>

typedef struct tern_tokenizer tern_tokenizer;

/* the longest text of one encode; beyond: TERN_ERR_LIMIT */
#define TERN_MAX_TEXT_BYTES ((size_t)128 << 20)

/* ---- Opening ---- */

/* Opens the tokenizer of a checkpoint directory: tokenizer.json, else tokenizer.model
 * (SentencePiece), else vocab.json with merges.txt, else vocab.txt (WordPiece).
 * tokenizer_config.json, special_tokens_map.json, added_tokens.json and config.json's model_type,
 * where they are, change it as AutoTokenizer of transformers 5.x does: docs/tokenizers.md has the
 * rules. Where modules.json of sentence-transformers gives its Transformer a folder of its own, the
 * files are looked for there. On success the caller owns *out; ctx must outlive it.
 * TERN_ERR_IO no such file | TERN_ERR_FORMAT a file that contradicts itself | TERN_ERR_UNSUPPORTED
 * a component that tern does not know */
TERN_API tern_status tern_tokenizer_open(tern_ctx *ctx, const char *dir, tern_tokenizer **out);

/* The same from the text of a tokenizer.json and of a tokenizer_config.json (null: none). */
TERN_API tern_status tern_tokenizer_from_json(tern_ctx *ctx, const char *json, size_t n_bytes,
                                              const char *config, size_t n_config_bytes,
                                              tern_tokenizer **out);

TERN_API void tern_tokenizer_free(tern_tokenizer *tok);    /* null is allowed */

/* ---- Encoding ---- */

/* Zero means: plain text, no special tokens added, none recognized. */
typedef struct tern_encode_options {
    bool add_special;      /* the post-processor adds its special tokens: BOS, [CLS] ... [SEP] */
    /* special tokens that the text itself spells count as such; else they are plain text, whatever
     * the vocabulary */
    bool parse_special;
    bool detail;           /* fill tern_encoding.info */
    /* cut to the length that tokenizer.json's "truncation" states; where it has none nothing is
     * cut */
    bool truncate;
    const char *pair;      /* a second text, encoded as sequence B; null: none */
    size_t n_pair_bytes;
    /* cut to so many, added special ones counted, a pair's longer text first; 0: as truncate
     * says */
    size_t max_tokens;
    /* make the text lower case before the own normalizers, unless one of them is Lowercase */
    bool lower_case;
    /* fill up as tokenizer.json's "padding" states; where it has none nothing is added */
    bool pad;
} tern_encode_options;

/* What is known of one token besides its id. */
typedef struct tern_token_info {
    /* bytes [begin, end) of its own text (the pair's, if type and sequence say so); 0, 0 for added
     * specials */
    size_t begin, end;
    /* its text as the tokenizer sees it: tern_encoding.text + text_at, n_text_bytes long ("Ġthe",
     * "##ing") */
    size_t text_at;
    uint32_t n_text_bytes;
    int32_t type_id;         /* 0 or 1 as the post-processor says */
    /* 0: from text, 1: from the pair, -1: added by the post-processor or padding */
    int8_t sequence;
    bool special;            /* added by the post-processor or padding */
    bool attend;             /* false for padding */
} tern_token_info;

/* Grows as needed and can be used again for the next encode, whose result replaces the last one.
 * Zero it first; free it at the end. */
typedef struct tern_encoding {
    size_t n;                 /* tokens                             */
    int32_t *ids;             /* [n]                                */
    tern_token_info *info;    /* [n] with options.detail, else null */
    char *text;               /* what info[].text_at points into    */
    size_t capacity, info_capacity, n_text_bytes, text_capacity;
} tern_encoding;

TERN_API void tern_encoding_free(tern_encoding *enc);

/* Encodes n_bytes of text (NUL is a character like any other). options null: all zero. On failure
 * *out holds no tokens. TERN_ERR_LIMIT text beyond TERN_MAX_TEXT_BYTES, or a regular expression of
 * the tokenizer that gives up on this text */
TERN_API tern_status tern_tokenizer_encode(tern_tokenizer *tok, const char *text, size_t n_bytes,
                                           const tern_encode_options *options, tern_encoding *out);

/* A part of a rendered chat: from the template itself (trusted) or from a message (not trusted). */
typedef struct tern_span {
    const char *text;
    size_t n_bytes;
    bool trusted;
} tern_span;

/* Encodes the spans as the one text that they are together, except that special tokens count only
 * where a trusted span spells all of one. No untrusted byte can become part of a special token's
 * id. options.parse_special and options.pair are not looked at. Offsets count in the joined
 * text. */
TERN_API tern_status tern_tokenizer_encode_spans(tern_tokenizer *tok, const tern_span *spans,
                                                 size_t n_spans, const tern_encode_options *options,
                                                 tern_encoding *out);

/* ---- Decoding ---- */

/* The text of n ids through the tokenizer's decoder; invalid UTF-8 becomes U+FFFD, ids outside the
 * vocabulary give nothing. *text has a NUL behind its n_bytes and is freed by tern_text_free
 * (tern/config.h). skip_special leaves out special tokens. */
TERN_API tern_status tern_tokenizer_decode(const tern_tokenizer *tok, const int32_t *ids, size_t n,
                                           bool skip_special, char **text, size_t *n_bytes);

/* Decoding as tokens come: each step gives what can be printed now, never half a character. */
typedef struct tern_decode_stream tern_decode_stream;

/* ctx is where the messages of its failures go. tok must outlive the stream. */
TERN_API tern_status tern_decode_stream_create(tern_ctx *ctx, const tern_tokenizer *tok,
                                               bool skip_special, tern_decode_stream **out);
TERN_API void tern_decode_stream_free(tern_decode_stream *stream);

/* Takes one id. *text (valid until the next call, NUL behind n_bytes) is what it completes; n_bytes
 * 0: nothing yet. */
TERN_API tern_status tern_decode_stream_step(tern_decode_stream *stream, int32_t id,
                                             const char **text, size_t *n_bytes);

/* What was held back, with U+FFFD for unfinished characters; the stream is as new afterwards. */
TERN_API tern_status tern_decode_stream_finish(tern_decode_stream *stream, const char **text,
                                               size_t *n_bytes);

/* ---- The vocabulary ---- */

/* One above the highest id, added tokens included. */
TERN_API int32_t tern_tokenizer_vocab_size(const tern_tokenizer *tok);

/* A token's text as the vocabulary spells it ("Ġthe"), NUL-terminated, owned by tok; null for an id
 * that is none. n_bytes may be null. */
TERN_API const char *tern_tokenizer_token(const tern_tokenizer *tok, int32_t id, size_t *n_bytes);

/* The id of a token's text, -1 if there is none. */
TERN_API int32_t tern_tokenizer_id(const tern_tokenizer *tok, const char *token, size_t n_bytes);

/* True for a token that is added and special: what skip_special leaves out. */
TERN_API bool tern_tokenizer_is_special(const tern_tokenizer *tok, int32_t id);

/* The tokens that tokenizer_config.json (or special_tokens_map.json, else the tokenizer's class)
 * gives a role. */
typedef enum tern_role {
    TERN_ROLE_BOS = 0,
    TERN_ROLE_EOS,
    TERN_ROLE_UNK,
    TERN_ROLE_PAD,
    TERN_ROLE_CLS,
    TERN_ROLE_SEP,
    TERN_ROLE_MASK,
    TERN_N_ROLES
} tern_role;

/* The token's id, -1 where no token has that role or the vocabulary lacks it. */
TERN_API int32_t tern_tokenizer_role(const tern_tokenizer *tok, tern_role role);

/* The role's text as the configuration spells it, for chat templates (bos_token, eos_token); null
 * where there is none. */
TERN_API const char *tern_tokenizer_role_text(const tern_tokenizer *tok, tern_role role);

/* The parts of tokenizer.json that have no effect: keys that the tokenizers library skips
 * ("TemplateProcessing: use_regex"), and sections that the tokenizer's class replaces
 * ("LlamaTokenizer: normalizer"). The i-th, owned by tok; null behind the last. */
TERN_API const char *tern_tokenizer_ignored(const tern_tokenizer *tok, size_t i);

/* The greatest number of tokens that tokenizer_config.json states as model_max_length; 0: it states
 * none. */
TERN_API int64_t tern_tokenizer_max_length(const tern_tokenizer *tok);

/* Whether a model is given the type ids of an encoding: false where tokenizer_config.json's
 * model_input_names, or its class, leaves "token_type_ids" out, and the types are all 0 to the
 * model. */
TERN_API bool tern_tokenizer_gives_types(const tern_tokenizer *tok);

#endif
