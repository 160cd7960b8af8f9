/* tern ops: the ops, types and instruction sets of this build. */
#include <stdio.h>
#include <string.h>
#include <tern/ops.h>

#include "cli/commands.h"
#include "cli/session.h"

static const char *const compute_types[] = { "f32", "f16", "bf16", "int8" };

enum { N_TYPES = sizeof compute_types / sizeof *compute_types };

static void print_text(const char *in_use)
{
    printf("ops\n");
    for (size_t i = 0; tern_op_name(i); i++) printf("  %-40s%s\n", tern_op_name(i), tern_op_summary(i));
    printf("primitives, which ops are made of\n");
    for (size_t i = 0; tern_primitive_name(i); i++)
        printf("  %-40s%s\n", tern_primitive_name(i), tern_primitive_summary(i));
    printf("types\n ");
    for (size_t i = 0; i < N_TYPES; i++) printf(" %s", compute_types[i]);
    printf("\ninstruction sets\n");
    for (size_t i = 0; tern_isa_name(i); i++) {
        const char *state = tern_isa_usable(i) ? "usable" : "not on this CPU";
        if (!strcmp(tern_isa_name(i), in_use)) state = "in use";
        printf("  %-14s%s\n", tern_isa_name(i), state);
    }
}

static void print_named(json_out *j, const char *name, const char *summary)
{
    out_open(j, NULL, '{');
    out_word(j, "name", name);
    out_word(j, "summary", summary);
    out_close(j);
}

static void print_json(const char *in_use)
{
    json_out j = { 0 };
    out_open(&j, NULL, '{');
    out_open(&j, "ops", '[');
    for (size_t i = 0; tern_op_name(i); i++) print_named(&j, tern_op_name(i), tern_op_summary(i));
    out_close(&j);
    out_open(&j, "primitives", '[');
    for (size_t i = 0; tern_primitive_name(i); i++) print_named(&j, tern_primitive_name(i), tern_primitive_summary(i));
    out_close(&j);
    out_open(&j, "types", '[');
    for (size_t i = 0; i < N_TYPES; i++) out_word(&j, NULL, compute_types[i]);
    out_close(&j);
    out_open(&j, "instruction_sets", '[');
    for (size_t i = 0; tern_isa_name(i); i++) {
        out_open(&j, NULL, '{');
        out_word(&j, "name", tern_isa_name(i));
        out_bool(&j, "usable", tern_isa_usable(i));
        out_bool(&j, "in_use", !strcmp(tern_isa_name(i), in_use));
        out_close(&j);
    }
    out_close(&j);
    out_word(&j, "in_use", in_use);
    out_close(&j);
}

int cli_ops(const cli_args *args)
{
    cli_session s = { 0 };
    if (!cli_open_ctx(args, &s)) return EXIT_FAILED;
    if (args->value[FLAG_JSON].set) print_json(tern_ctx_isa(s.ctx));
    else print_text(tern_ctx_isa(s.ctx));
    cli_close(&s);
    return EXIT_OK;
}
