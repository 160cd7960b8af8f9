/* Every op's constant, in the order of the registry. */
#ifndef TERN_OPS_OPS_H
#define TERN_OPS_OPS_H

#include "ops/op.h"

#define OP_LIST(X) \
    X(linear) X(vector_matmul) X(qkv_gemm) X(gelu_gemm) X(mlp_gemm) X(residual_add) \
    X(softmax) X(softmax_context) X(apply_rotary_pos_emb) X(pad_transform) \
    X(layer_norm) X(layer_norm_residual) X(layer_norm_residual_store_pre_ln_res) X(rms_norm) \
    X(pre_rms_norm) \
    X(bias_add) X(bias_gelu) X(bias_relu) X(bias_residual) X(vector_add) X(gated_activation) \
    X(nhwc_bias_add) \
    X(einsum_sec_sm_ecm) X(moe_res_matmul) X(top1gating) X(top2gating) X(topkgating) \
    X(quantize) X(dequantize) \
    X(quantize_asymmetric) X(dequantize_asymmetric)

#define X(name) extern const op_desc op_##name;
OP_LIST(X)
#undef X

#endif
