/* tern op: runs one op on the tensors of a file. */
#include "cli/commands.h"
#include "cli/session.h"

int cli_op(const cli_args *args)
{
    return cli_fail("%s: this build runs no op by name yet", args->operand[0]);
}
