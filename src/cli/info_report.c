/* The part of tern info that says which faults there are and what can be done: see
 * info_report.h. */
#include "cli/info_report.h"

#include <stdio.h>
#include <string.h>

#include "base/show.h"

/* "ignored   generation_config.json: a, b": a row a file. */
static void print_ignored(const tern_report *report)
{
    const tern_ignored *list;
    size_t n = tern_report_ignored(report, &list);
    for (size_t i = 0; i < n; i++) {
        bool first = !i || strcmp(list[i - 1].file, list[i].file),
            last = i + 1 == n || strcmp(list[i + 1].file, list[i].file);
        if (first) printf("%-22s%s: ", "ignored", list[i].file);
        printf("%s%s", list[i].key, last ? "\n" : ", ");
    }
}

void cli_print_report(const tern_report *report)
{
    const tern_ability *list;
    size_t n = tern_report_abilities(report, &list);
    tern_texts reasons = tern_report_reasons(report);
    print_ignored(report);
    for (size_t i = 0; i < reasons.n; i++) printf("%s\n", reasons.text[i]);
    for (size_t i = 0; i < n; i++) {
        printf("%s: %s", list[i].command, list[i].able ? "yes" : "no");
        if (*list[i].detail) printf(" (%s)", list[i].detail);
        putchar('\n');
    }
}

/* A key of config.json stands alone, one of another file behind the file's name. */
static void put_ignored(json_out *j, const tern_report *report)
{
    const tern_ignored *list;
    size_t n = tern_report_ignored(report, &list);
    out_open(j, "ignored", '[');
    for (size_t i = 0; i < n; i++) {
        char detail[512];
        tern_show(detail, sizeof detail, "%s: %s", list[i].file, list[i].key);
        out_word(j, NULL, strcmp(list[i].file, "config.json") ? detail : list[i].key);
    }
    out_close(j);
}

void cli_put_report(json_out *j, const tern_report *report)
{
    const tern_ability *list;
    size_t n = tern_report_abilities(report, &list);
    tern_texts reasons = tern_report_reasons(report);
    put_ignored(j, report);
    out_open(j, "reasons", '[');
    for (size_t i = 0; i < reasons.n; i++) out_word(j, NULL, reasons.text[i]);
    out_close(j);
    out_open(j, "commands", '{');
    for (size_t i = 0; i < n; i++) {
        out_open(j, list[i].command, '{');
        out_bool(j, "able", list[i].able);
        out_word(j, "detail", list[i].detail);
        out_close(j);
    }
    out_close(j);
}
