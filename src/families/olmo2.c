/* OLMo 2: norms of what the branches give, none of what enters them; q and k are normalized over
 * all heads. Source: Hugging Face Olmo2ForCausalLM. */
#include "families/common.h"

const tern_family tern_family_olmo2 = {
    .name = "olmo2",
    .arch = { "Olmo2ForCausalLM" },
    .model_type = { "olmo2" },
    .prefix = { "model." },
    KEYS(LLAMA_DIMS, KEY_OR(EPS, "rms_norm_eps", 1e-5), SET(NORM_POSITION, NORM_BRANCH)),
    BINDS(LLAMA_ENDS, LLAMA_ATTENTION, LLAMA_QKVO_BIAS("attention_bias", false), LLAMA_QK_NORM(AS_IS), LLAMA_MLP,
          BIND(POST_ATTN, "layers.{l}.post_attention_layernorm.weight"),
          BIND(POST_MLP, "layers.{l}.post_feedforward_layernorm.weight")),
};
