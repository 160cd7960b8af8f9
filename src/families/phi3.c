/* Phi-3 and Phi-4: Llama with fused projections. Source: Abdin et al. 2024; Hugging Face
 * Phi3ForCausalLM. */
#include "families/common.h"

const tern_family tern_family_phi3 = {
    .name = "phi3",
    .arch = { "Phi3ForCausalLM" },
    .model_type = { "phi3" },
    .prefix = { "model." },
    .no_effect = { "original_max_position_embeddings" },
    KEYS(LLAMA_DIMS, KEY_OR(EPS, "rms_norm_eps", 1e-5), KEY(WINDOW, "sliding_window"), SET(WINDOW_ALL, 1),
         SET(ROTARY_FRACTION, 1), SET(LONGROPE_ONLY, 1)),
    BINDS(LLAMA_ENDS, LLAMA_NORMS, BIND(QKV, "layers.{l}.self_attn.qkv_proj.weight"),
          BIND(O, "layers.{l}.self_attn.o_proj.weight"), BIND(GATE_UP, "layers.{l}.mlp.gate_up_proj.weight"),
          BIND(DOWN, "layers.{l}.mlp.down_proj.weight")),
};
