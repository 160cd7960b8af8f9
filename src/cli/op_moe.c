/* Cases of the mixture-of-experts layer. Called by op_case.c. */
#include "base/ctx.h"
#include "cli/op_case.h"

tern_status op_run_moe_layer(op_case *c)
{
    return tern_fail(c->ctx, TERN_ERR_UNSUPPORTED, "moe_layer: this build has none");
}
