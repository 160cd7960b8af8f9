/* tern_report: everything that is wrong with a checkpoint directory, and what it can be used for.
 *
 *     tern_report *r;
 *     tern_report_create(ctx, "qwen", NULL, NULL, &r);
 *   tern_texts reasons = tern_report_reasons(r);  "qwen/tokenizer.json: line 3, column 7: ...", ...
 *     const tern_ability *list;
 *   size_t n = tern_report_abilities(r, &list);  { "generate", true, "" }, { "chat", false, "no
 *   chat template is there" }, ...
 *     tern_report_free(r);
 *
 * It looks at what the commands of the program would open: config.json, the weights' headers,
 * generation_config.json, the tokenizer's files, the chat template (which is rendered once, for one
 * message of a user), sentence-transformers' module files. A part that fails hides no other. */
#ifndef TERN_REPORT_H
#define TERN_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <tern/model.h>

typedef struct tern_report tern_report;

/* Sentences; both live as long as the report. */
typedef struct tern_texts {
    const char *const *text;
    size_t n;
} tern_texts;

/* One thing to do with a model, by the name of the program's command. detail: what it gives ("mean,
 * 384"), a limit ("by token ids alone: ..."), or why it is not possible; "" where there is nothing
 * to say. */
typedef struct tern_ability {
    const char *command;
    bool able;
    const char *detail;
} tern_ability;

/* Looks at dir (null: the demo model). model: the model opened from dir, borrowed during the call;
 * null: none is open, and where the headers show no fault it is opened and freed here. options:
 * those that it is or would be opened with; null: all defaults. TERN_ERR_MEMORY | TERN_ERR_IO the
 * demo model is asked for and is not there; what is wrong with dir is no failure but in the report.
 * The caller owns *out: tern_report_free. One thread per context at a time. */
TERN_API tern_status tern_report_create(tern_ctx *ctx, const char *dir,
                                        const tern_model_options *options, tern_model *model,
                                        tern_report **out);
TERN_API void tern_report_free(tern_report *report);      /* null is allowed */

/* What is wrong, a sentence each with the file, the name and the numbers; none where everything
 * opens. */
TERN_API tern_texts tern_report_reasons(const tern_report *report);

/* A key that a file has and tern does not use. */
typedef struct tern_ignored {
    const char *file;    /* "generation_config.json" */
    const char *key;
} tern_ignored;

/* The keys that are ignored, those of a file one after the other. *list lives as long as the
 * report. */
TERN_API size_t tern_report_ignored(const tern_report *report, const tern_ignored **list);

/* What can be done, in the order in which the program lists its commands: all of them for each
 * directory that may be a checkpoint or a tokenizer, none where dir is something else altogether.
 * *list lives as long as the report. */
TERN_API size_t tern_report_abilities(const tern_report *report, const tern_ability **list);

/* Whether it does what its architecture is for: generates (a head over the vocabulary, causal),
 * classifies (a classification head), fills in (a masked-language head), else embeds. */
TERN_API bool tern_report_serves(const tern_report *report);

#endif
