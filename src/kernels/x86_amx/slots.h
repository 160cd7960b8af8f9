/* Declares the slots of this folder. Baseline flags may include it. */
#ifndef TERN_KERNELS_X86_AMX_SLOTS_H
#define TERN_KERNELS_X86_AMX_SLOTS_H

#include "kernels/kernels.h"

k_pack_fn k_pack_bf16__x86_amx;
k_gemm_fn k_gemm_bf16_bf16__x86_amx;
k_pack_nn_fn k_pack_nn_bf16__x86_amx;
k_gemm_nn_fn k_gemm_nn_bf16_bf16__x86_amx;
k_exp_row_fn k_exp_nn_bf16_row__x86_amx;
k_peak_fn k_peak_bf16__x86_amx;

#endif
