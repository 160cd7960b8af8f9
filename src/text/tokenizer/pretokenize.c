/* Pre-tokenizers that cut: see pretokenize.h. Called by encode.c; ByteLevel and Metaspace, which
 * rewrite, are in pretokenize_rewrite.c. */
#include "text/tokenizer/pretokenize.h"

#include <string.h>

#include "base/ctx.h"
#include "base/json.h"
#include "base/memory.h"
#include "text/unicode.h"
#include "text/utf8.h"

/* ---- Walking and cutting ---- */

static void exchange_lists(pretokenizing *p)
{
    pieces *t = p->list;
    p->list = p->next;
    p->next = t;
    p->next->n = 0;
}

tern_status pretokenize_each(pretokenizing *p, component *c, bool rewrite, piece_fn *fn)
{
    tern_status st = TERN_OK;
    p->next->n = 0;
    if (rewrite) aligned_clear(p->spare, p->text->mode == ALIGN_NONE ? ALIGN_NONE : ALIGN_KEPT);
    for (size_t i = 0; i < p->list->n; i++) {
        piece one = p->list->at[i];
        size_t at = p->spare->n;
        if (one.begin == one.end) continue;
        if (one.id < 0) {
            TERN_TRY(fn(p, c, one.begin, one.end));
            if (rewrite) TERN_TRY(pieces_push(p->ctx, p->next, at, p->spare->n, -1));
        } else if (rewrite) {
            TERN_TRY(aligned_copy(p->ctx, p->spare, p->text, one.begin, one.end));
            TERN_TRY(pieces_push(p->ctx, p->next, at, p->spare->n, one.id));
        } else {
            TERN_TRY(pieces_push(p->ctx, p->next, one.begin, one.end, one.id));
        }
    }
    exchange_lists(p);
    if (rewrite) {
        aligned *t = p->text;
        p->text = p->spare;
        p->spare = t;
    }
done:
    return st;
}

static tern_status push_run(pretokenizing *p, size_t begin, size_t end)
{
    return begin < end ? pieces_push(p->ctx, p->next, begin, end, -1) : TERN_OK;
}

/* A match joins what stands before it, and so does a run of equal kind. */
static bool joins_previous(split_behavior behavior, bool match, bool match_before)
{
    if (behavior == SPLIT_CONTIGUOUS) return match == match_before;
    return behavior == SPLIT_MERGED_WITH_PREVIOUS && match && !match_before;
}

tern_status pretokenize_cut(pretokenizing *p, split_behavior behavior, bool invert)
{
    tern_status st = TERN_OK;
    const piece *s = p->segments->at;
    size_t n = p->segments->n, from = n ? s[0].begin : 0;
    bool before = false;
    for (size_t i = 0; i < n; i++) {
        bool match = (s[i].id != 0) != invert;
        if (behavior == SPLIT_REMOVED) {
            if (!match) TERN_TRY(push_run(p, s[i].begin, s[i].end));
            continue;
        }
        if (behavior == SPLIT_MERGED_WITH_NEXT) {
            /* From the right, a match joins what follows it unless that is a match too. */
            bool follows = i + 1 < n && ((s[i + 1].id != 0) != invert);
            if (!match || follows || i + 1 == n) {
                TERN_TRY(push_run(p, from, s[i].end));
                from = s[i].end;
            }
            continue;
        }
        if (i > 0 && !joins_previous(behavior, match, before)) {
            TERN_TRY(push_run(p, from, s[i].begin));
            from = s[i].begin;
        }
        before = match;
    }
    if (behavior != SPLIT_REMOVED && n) TERN_TRY(push_run(p, from, s[n - 1].end));
done:
    return st;
}

tern_status segments_by_pattern(pretokenizing *p, pattern *match, size_t begin, size_t end)
{
    tern_status st = TERN_OK;
    pattern_walk walk = { .text = p->text->data + begin, .n = end - begin };
    size_t from = begin, hit, stop;
    bool found;
    p->segments->n = 0;
    for (;;) {
        TERN_TRY(pattern_next(p->ctx, match, &walk, &found, &hit, &stop));
        if (!found) break;
        if (begin + hit > from) TERN_TRY(pieces_push(p->ctx, p->segments, from, begin + hit, 0));
        TERN_TRY(pieces_push(p->ctx, p->segments, begin + hit, begin + stop, 1));
        from = begin + stop;
    }
    if (from < end) TERN_TRY(pieces_push(p->ctx, p->segments, from, end, 0));
done:
    return st;
}

tern_status segments_by_kind(pretokenizing *p, bool (*is)(uint32_t c), size_t begin, size_t end)
{
    tern_status st = TERN_OK;
    size_t from = begin, length;
    p->segments->n = 0;
    for (size_t at = begin; at < end; at += length) {
        uint32_t c = utf8_get(p->text->data + at, &length);
        if (!is(c)) continue;
        if (from < at) TERN_TRY(pieces_push(p->ctx, p->segments, from, at, 0));
        TERN_TRY(pieces_push(p->ctx, p->segments, at, at + length, 1));
        from = at + length;
    }
    if (from < end) TERN_TRY(pieces_push(p->ctx, p->segments, from, end, 0));
done:
    return st;
}

tern_status pretokenize(pretokenizing *p, const components *list)
{
    tern_status st = TERN_OK;
    for (size_t i = 0; i < list->n && !st; i++) st = list->at[i].kind->pretokenize(p, &list->at[i]);
    return st;
}

bool pretokenizers_need_origin(const components *list)
{
    for (size_t i = 0; i < list->n; i++)
        if (list->at[i].prepend == PREPEND_FIRST && list->at[i].kind->pretokenize == pretokenize_metaspace) return true;
    return false;
}

/* ---- Kinds ---- */

static const char *const behavior_names[] = { "Removed", "Isolated", "MergedWithPrevious", "MergedWithNext",
                                              "Contiguous" };

static tern_status load_behavior(tern_ctx *ctx, const json_t *json, component *c, split_behavior otherwise)
{
    int behavior = (int)otherwise;
    tern_status st = component_word(ctx, json, "behavior", behavior_names,
                                    sizeof behavior_names / sizeof *behavior_names, &behavior);
    c->behavior = (split_behavior)behavior;
    return st;
}

static tern_status load_split(tern_ctx *ctx, const json_t *json, component *c)
{
    tern_status st = TERN_OK;
    TERN_TRY(load_behavior(ctx, json, c, SPLIT_ISOLATED));
    TERN_TRY(component_bool(ctx, json, "invert", &c->invert));
    TERN_TRY(pattern_load(ctx, json_object_get(json, "pattern"), "pre-tokenizer Split", &c->match));
done:
    return st;
}

static tern_status split_piece(pretokenizing *p, component *c, size_t begin, size_t end)
{
    tern_status st = segments_by_pattern(p, c->match, begin, end);
    return st ? st : pretokenize_cut(p, c->behavior, c->invert);
}

static tern_status run_split(pretokenizing *p, component *c)
{
    return pretokenize_each(p, c, false, split_piece);
}

static tern_status spaces_piece(pretokenizing *p, component *c, size_t begin, size_t end)
{
    (void)c;
    tern_status st = segments_by_kind(p, unicode_is_space, begin, end);
    return st ? st : pretokenize_cut(p, SPLIT_REMOVED, false);
}

static tern_status run_whitespace_split(pretokenizing *p, component *c)
{
    return pretokenize_each(p, c, false, spaces_piece);
}

/* Runs of word characters, and runs of what is neither word nor blank. */
static tern_status words_piece(pretokenizing *p, component *c, size_t begin, size_t end)
{
    tern_status st = TERN_OK;
    size_t from = begin, length;
    int before = 0;
    (void)c;
    for (size_t at = begin; at < end; at += length) {
        uint32_t ch = utf8_get(p->text->data + at, &length);
        int kind = 2;
        if (unicode_is_word(ch)) kind = 1;
        else if (unicode_is_space(ch)) kind = 0;
        if (kind == before) continue;
        if (before) TERN_TRY(push_run(p, from, at));
        from = at;
        before = kind;
    }
    if (before) TERN_TRY(push_run(p, from, end));
done:
    return st;
}

static tern_status run_whitespace(pretokenizing *p, component *c)
{
    return pretokenize_each(p, c, false, words_piece);
}

static tern_status bert_piece(pretokenizing *p, component *c, size_t begin, size_t end)
{
    (void)c;
    tern_status st = segments_by_kind(p, unicode_is_punctuation, begin, end);
    return st ? st : pretokenize_cut(p, SPLIT_ISOLATED, false);
}

static tern_status run_bert(pretokenizing *p, component *c)
{
    tern_status st = pretokenize_each(p, c, false, spaces_piece);
    return st ? st : pretokenize_each(p, c, false, bert_piece);
}

static tern_status load_digits(tern_ctx *ctx, const json_t *json, component *c)
{
    return component_bool(ctx, json, "individual_digits", &c->individual);
}

static tern_status digits_piece(pretokenizing *p, component *c, size_t begin, size_t end)
{
    tern_status st = segments_by_kind(p, unicode_is_numeric, begin, end);
    if (st) return st;
    return pretokenize_cut(p, c->individual ? SPLIT_ISOLATED : SPLIT_CONTIGUOUS, false);
}

static tern_status run_digits(pretokenizing *p, component *c)
{
    return pretokenize_each(p, c, false, digits_piece);
}

static tern_status load_punctuation(tern_ctx *ctx, const json_t *json, component *c)
{
    return load_behavior(ctx, json, c, SPLIT_ISOLATED);
}

static tern_status punctuation_piece(pretokenizing *p, component *c, size_t begin, size_t end)
{
    tern_status st = segments_by_kind(p, unicode_is_punctuation, begin, end);
    return st ? st : pretokenize_cut(p, c->behavior, false);
}

static tern_status run_punctuation(pretokenizing *p, component *c)
{
    return pretokenize_each(p, c, false, punctuation_piece);
}

static tern_status load_delimiter(tern_ctx *ctx, const json_t *json, component *c)
{
    tern_status st = component_text(ctx, json, "delimiter", &c->text, &c->n_text);
    if (!st && (!c->n_text || utf8_length((unsigned char)c->text[0]) != c->n_text))
        st = tern_fail(ctx, TERN_ERR_FORMAT, "pre-tokenizer CharDelimiterSplit: \"delimiter\" is not one character");
    if (!st) st = pattern_literal(ctx, c->text, c->n_text, &c->match);
    c->behavior = SPLIT_REMOVED;
    return st;
}

static tern_status load_fixed_length(tern_ctx *ctx, const json_t *json, component *c)
{
    c->start = 5;
    tern_status st = component_size(ctx, json, "length", &c->start);
    return st;
}

static tern_status fixed_length_piece(pretokenizing *p, component *c, size_t begin, size_t end)
{
    tern_status st = TERN_OK;
    size_t from = begin, count = 0;
    for (size_t at = begin; at < end && c->start; at += utf8_length((unsigned char)p->text->data[at])) {
        if (count++ < c->start) continue;
        TERN_TRY(push_run(p, from, at));
        from = at;
        count = 1;
    }
    TERN_TRY(push_run(p, from, end));
done:
    return st;
}

static tern_status run_fixed_length(pretokenizing *p, component *c)
{
    return pretokenize_each(p, c, false, fixed_length_piece);
}

static tern_status load_byte_level(tern_ctx *ctx, const json_t *json, component *c)
{
    tern_status st = TERN_OK;
    bool use_regex = true;
    c->add_prefix_space = c->trim_offsets = true;
    TERN_TRY(component_bool(ctx, json, "add_prefix_space", &c->add_prefix_space));
    TERN_TRY(component_bool(ctx, json, "trim_offsets", &c->trim_offsets));
    TERN_TRY(component_bool(ctx, json, "use_regex", &use_regex));
    if (use_regex)
        TERN_TRY(pattern_regex(ctx, byte_level_expression, strlen(byte_level_expression), "ByteLevel", &c->match));
done:
    return st;
}

tern_status metaspace_load(tern_ctx *ctx, const json_t *json, component *c)
{
    static const char *const schemes[] = { "always", "never", "first" };
    tern_status st = TERN_OK;
    int scheme = PREPEND_ALWAYS;
    bool prefix = true;
    c->split = true;
    TERN_TRY(component_text(ctx, json, "replacement", &c->text, &c->n_text));
    TERN_TRY(component_bool(ctx, json, "split", &c->split));
    TERN_TRY(component_bool(ctx, json, "add_prefix_space", &prefix));
    if (!prefix) scheme = PREPEND_NEVER;
    TERN_TRY(component_word(ctx, json, "prepend_scheme", schemes, 3, &scheme));
    if (!prefix && scheme != PREPEND_NEVER)
        return tern_fail(ctx, TERN_ERR_FORMAT,
                         "Metaspace: \"add_prefix_space\" and \"prepend_scheme\" contradict each other");
    if (!c->n_text || utf8_length((unsigned char)c->text[0]) != c->n_text)
        return tern_fail(ctx, TERN_ERR_FORMAT, "Metaspace: \"replacement\" is not one character");
    c->prepend = (prepend_scheme)scheme;
    TERN_TRY(pattern_literal(ctx, c->text, c->n_text, &c->match));
done:
    return st;
}

#define KEYS(...) (const char *const[]){ __VA_ARGS__, NULL }

static const component_kind kinds[] = {
    { .type = "ByteLevel", .keys = KEYS("add_prefix_space", "trim_offsets", "use_regex"), .load = load_byte_level,
      .pretokenize = pretokenize_byte_level },
    { .type = "Metaspace", .keys = KEYS("replacement", "prepend_scheme", "split", "add_prefix_space", "str_rep"),
      .load = metaspace_load,
      .pretokenize = pretokenize_metaspace },
    { .type = "Split", .keys = KEYS("pattern", "behavior", "invert"), .load = load_split, .pretokenize = run_split },
    { .type = "BertPreTokenizer", .pretokenize = run_bert },
    { .type = "Whitespace", .pretokenize = run_whitespace },
    { .type = "WhitespaceSplit", .pretokenize = run_whitespace_split },
    { .type = "Digits", .keys = KEYS("individual_digits"), .load = load_digits, .pretokenize = run_digits },
    { .type = "Punctuation", .keys = KEYS("behavior"), .load = load_punctuation, .pretokenize = run_punctuation },
    { .type = "CharDelimiterSplit", .keys = KEYS("delimiter"), .load = load_delimiter, .pretokenize = run_split },
    { .type = "UnicodeScripts", .pretokenize = pretokenize_scripts },
    { .type = "FixedLength", .keys = KEYS("length"), .load = load_fixed_length, .pretokenize = run_fixed_length },
};

const component_table pretokenizer_table = { "pre-tokenizer", "pretokenizers", kinds, sizeof kinds / sizeof *kinds };
