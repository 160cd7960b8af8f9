/* A report on a checkpoint directory, as tern info prints it: what is ignored, what is wrong, a
 * line each, and then "generate: yes", "chat: no (why)", ... */
#ifndef TERN_CLI_INFO_REPORT_H
#define TERN_CLI_INFO_REPORT_H

#include <tern/report.h>

#include "cli/out.h"

void cli_print_report(const tern_report *report);

/* As members of the open object: "ignored" and "reasons", lists of texts, and "commands",
 * {"generate": {"able": true, "detail": ""}, ...}. */
void cli_put_report(json_out *j, const tern_report *report);

#endif
