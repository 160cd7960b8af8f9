/* Qwen3: Llama with norms of q and k. Source: Yang et al. 2025; Hugging Face Qwen3ForCausalLM. */
#include "families/common.h"

const tern_family tern_family_qwen3 = {
    .name = "qwen3",
    .arch = { "Qwen3ForCausalLM" },
    .model_type = { "qwen3" },
    .prefix = { "model." },
    KEYS(KEY_OR(HEAD_DIM, "head_dim", 128), LLAMA_DIMS, KEY_OR(EPS, "rms_norm_eps", 1e-6),
         KEY(WINDOW, "sliding_window")),
    BINDS(LLAMA_ENDS, LLAMA_NORMS, LLAMA_ATTENTION, LLAMA_QKVO_BIAS("attention_bias", false), LLAMA_QK_NORM(AS_IS),
          LLAMA_MLP),
    .adjust = tern_qwen_window,
};
