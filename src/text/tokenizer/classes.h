/* The tokenizer classes of transformers 5.x that build a tokenizer from the vocabulary alone:
 * normalizer, pre-tokenizer, decoder and the model's options come from the class and
 * tokenizer_config.json, whatever tokenizer.json says of them. A class that is not in this table
 * runs tokenizer.json as it is written.
 * Sources: models/auto/tokenization_auto.py and models/<name>/tokenization_<name>.py of
 * transformers 5.24.0. */
#ifndef TERN_TEXT_CLASSES_H
#define TERN_TEXT_CLASSES_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <tern/tokenizer.h>

/* Where the special tokens around a sequence come from. */
typedef enum class_post {
    POST_FILE,         /* tokenizer.json's post-processor; without one none                     */
    POST_FILE_ELSE,    /* tokenizer.json's; without one as POST_CLS_SEP                          */
    POST_NONE,         /* none, whatever tokenizer.json has                                      */
    POST_CLS_SEP,      /* cls A sep, cls A sep B sep; B has type 1                               */
    POST_ROBERTA,      /* RobertaProcessing of cls and sep                                       */
    POST_CLS_SEP_SEP,  /* cls A sep, cls A sep sep B sep                                         */
    POST_BOS_EOS,      /* bos A eos, bos A eos eos B eos                                         */
    POST_EOS           /* A </s>, A </s> B </s>                                                  */
} class_post;

/* What becomes of SentencePiece's table of replacements, where tokenizer.json's normalizer has
 * one. */
typedef enum class_charsmap { CHARSMAP_DROPPED, CHARSMAP_ALONE, CHARSMAP_LAST } class_charsmap;

typedef struct tokenizer_class {
    const char *name;                          /* without "Fast" */
    /* the model that the class builds; a file with another one runs as written */
    const char *model;
    const char *roles[TERN_N_ROLES];           /* the class's own special tokens; null: none */

    /* {"normalizer", "pre_tokenizer", "decoder", "model": {options}}, a new reference; null: no
     * memory. vocab: the file's. */
    json_t *(*parts)(const json_t *config, const json_t *vocab);
    class_post post;
    class_charsmap charsmap;
    /* more special tokens of the class: key, text, key, text ..., null at the end; a text without a
     * key has "" */
    const char *const *others;
    /* bos stands before the text, whatever post-processor tokenizer.json has */
    bool adds_bos;
    /* a mask token that is written as a text takes the blanks before it */
    bool mask_lstrip;
    /* the pad token is the configuration's or none: not that of the file's padding */
    bool takes_pad;
    /* all special tokens are added once more, without flags (Qwen2) */
    bool plain_specials;
    /* T5's <extra_id_0> ... where the configuration names no extra tokens */
    int extra_ids;
} tokenizer_class;

/* The class that AutoTokenizer takes. config: tokenizer_config.json; model: config.json, null:
 * none; json: tokenizer.json, null: none. Null: tokenizer.json runs as written. */
const tokenizer_class *class_choose(const json_t *config, const json_t *model, const json_t *json);

/* The class by its name, "Fast" or not; null: not in the table. */
const tokenizer_class *class_by_name(const char *name);

/* Whether the file's model is the one that the class builds. */
bool class_fits(const tokenizer_class *c, const json_t *json);

/* Puts the class's parts into json (a tokenizer.json), and takes its added tokens out: the
 * configuration adds them. False: no memory. */
bool class_rebuild(const tokenizer_class *c, json_t *json, const json_t *config);

/* The parts of the classes (class_parts.c). */
json_t *class_parts_bert(const json_t *config, const json_t *vocab);
json_t *class_parts_gpt2(const json_t *config, const json_t *vocab);
json_t *class_parts_gpt_neox(const json_t *config, const json_t *vocab);
json_t *class_parts_cohere(const json_t *config, const json_t *vocab);
json_t *class_parts_qwen2(const json_t *config, const json_t *vocab);
json_t *class_parts_qwen3_5(const json_t *config, const json_t *vocab);
json_t *class_parts_llama(const json_t *config, const json_t *vocab);
json_t *class_parts_code_llama(const json_t *config, const json_t *vocab);
json_t *class_parts_gemma(const json_t *config, const json_t *vocab);
json_t *class_parts_xlm_roberta(const json_t *config, const json_t *vocab);
json_t *class_parts_camembert(const json_t *config, const json_t *vocab);
json_t *class_parts_albert(const json_t *config, const json_t *vocab);
json_t *class_parts_deberta_v2(const json_t *config, const json_t *vocab);
json_t *class_parts_t5(const json_t *config, const json_t *vocab);

#endif
