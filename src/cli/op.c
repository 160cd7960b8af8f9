/* tern op: runs one op on the tensors of a file. */
#include "cli/commands.h"
#include "cli/op_case.h"
#include "cli/session.h"

int cli_op(const cli_args *args)
{
    const cli_value *config = &args->value[FLAG_OP_CONFIG], *options = &args->value[FLAG_OP_OPTIONS];
    cli_session s = { 0 };
    op_case c;
    if (!cli_open_ctx(args, &s)) return EXIT_FAILED;
    tern_status st = op_case_open(s.ctx, args->operand[0], args->operand[1], config->set ? config->text : NULL,
                                  options->set ? options->text : NULL, &c);
    if (!st) {
        st = op_case_run(&c);
        if (!st) st = op_case_write(&c, args->operand[2]);
        op_case_close(&c);
    }
    int code = st ? cli_fail_ctx(&s) : EXIT_OK;
    cli_close(&s);
    return code;
}
