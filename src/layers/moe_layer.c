/* DeepSpeedMoEInference: attention as in a transformer layer, then a mixture of experts. Built from ops and tern_moe. */
#include <math.h>
#include <string.h>
#include <tern/moe.h>

#include "base/ctx.h"
#include "base/memory.h"
#include "layers/attention.h"
