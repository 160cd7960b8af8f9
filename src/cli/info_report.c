/* The part of tern info that says what is the matter and what can be done: see info_report.h. */
#include "cli/info_report.h"

#include <stdio.h>
#include <string.h>

static void print_texts(const char *name, tern_texts texts)
{
    for (size_t i = 0; i < texts.n; i++) {
        if (name) printf("%-22s", name);
        printf("%s\n", texts.text[i]);
    }
}

void cli_print_report(const tern_report *report)
{
    const tern_ability *list;
    size_t n = tern_report_abilities(report, &list);
    print_texts("ignored", tern_report_ignored(report));
    print_texts(NULL, tern_report_reasons(report));
    for (size_t i = 0; i < n; i++) {
        printf("%s: %s", list[i].command, list[i].able ? "yes" : "no");
        if (*list[i].words) printf(" (%s)", list[i].words);
        putchar('\n');
    }
}

static void put_texts(json_out *j, const char *key, tern_texts texts)
{
    out_open(j, key, '[');
    for (size_t i = 0; i < texts.n; i++) out_word(j, NULL, texts.text[i]);
    out_close(j);
}

void cli_put_report(json_out *j, const tern_report *report)
{
    const tern_ability *list;
    size_t n = tern_report_abilities(report, &list);
    put_texts(j, "ignored", tern_report_ignored(report));
    put_texts(j, "reasons", tern_report_reasons(report));
    out_open(j, "commands", '{');
    for (size_t i = 0; i < n; i++) {
        out_open(j, list[i].command, '{');
        out_bool(j, "able", list[i].able);
        out_word(j, "words", list[i].words);
        out_close(j);
    }
    out_close(j);
}
