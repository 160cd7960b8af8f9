/* The names of DeepSpeed's and tern's enumerations, as configs and options spell them
 * (deepspeed/utils/types.py, inference/config.py). */
#include "ops/fields.h"

const field_name names_of_activations[] = {
    { "UNKNOWN", TERN_ACT_UNKNOWN },       { "GELU", TERN_ACT_GELU },
    { "ReLU", TERN_ACT_RELU },             { "GATED_GELU", TERN_ACT_GATED_GELU },
    { "GATED_SILU", TERN_ACT_GATED_SILU }, { "GELU_ERF", TERN_ACT_GELU_ERF },
    { "GATED_GELU_TANH", TERN_ACT_GATED_GELU_TANH }, { "SILU", TERN_ACT_SILU },
    { "RELU_SQUARED", TERN_ACT_RELU_SQUARED }, { "QUICK_GELU", TERN_ACT_QUICK_GELU },
    { "GATED_RELU", TERN_ACT_GATED_RELU }, { 0 },
};

const field_name names_of_norms[] = {
    { "UNKNOWN", TERN_NORM_UNKNOWN }, { "LayerNorm", TERN_NORM_LAYER }, { "GroupNorm", TERN_NORM_GROUP },
    { "RMSNorm", TERN_NORM_RMS }, { 0 },
};

const field_name names_of_dtypes[] = {
    { "fp32", TERN_DTYPE_FP32 },          { "float32", TERN_DTYPE_FP32 },  { "float", TERN_DTYPE_FP32 },
    { "torch.float32", TERN_DTYPE_FP32 },
    { "fp16", TERN_DTYPE_FP16 },          { "float16", TERN_DTYPE_FP16 },  { "half", TERN_DTYPE_FP16 },
    { "torch.float16", TERN_DTYPE_FP16 },
    { "bf16", TERN_DTYPE_BF16 },          { "bfloat16", TERN_DTYPE_BF16 }, { "bfloat", TERN_DTYPE_BF16 },
    { "torch.bfloat16", TERN_DTYPE_BF16 },
    { "int8", TERN_DTYPE_INT8 },          { "torch.int8", TERN_DTYPE_INT8 }, { 0 },
};

const field_name names_of_types[] = {
    { "f32", TERN_F32 }, { "f16", TERN_F16 }, { "bf16", TERN_BF16 }, { 0 },
};

const field_name names_of_mlp_types[] = { { "standard", TERN_MLP_STANDARD }, { "residual", TERN_MLP_RESIDUAL }, { 0 } };
