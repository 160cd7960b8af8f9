/* Command-R: attention and MLP in parallel behind one LayerNorm without bias, pairs rotated side by
 * side, scaled logits.
 * Source: Hugging Face CohereForCausalLM. */
#include "families/common.h"

const tern_family tern_family_cohere = {
    .name = "cohere",
    .arch = { "CohereForCausalLM" },
    .model_type = { "cohere" },
    .prefix = { "model." },
    KEYS(KEY_OR(TIED, "tie_word_embeddings", 1), LLAMA_DIMS, KEY_OR(EPS, "layer_norm_eps", 1e-5), SET(NORM, NORM_LAYER),
         SET(PARALLEL, 1), SET(POSITION, POS_ROPE_PAIR), KEY_OR(LOGIT_SCALE, "logit_scale", 0.0625)),
    BINDS(LLAMA_ENDS, BIND(ATTN_NORM, "layers.{l}.input_layernorm.weight"), LLAMA_ATTENTION,
          LLAMA_QKVO_BIAS("attention_bias", false), LLAMA_MLP,
          BIND_IF(Q_NORM, "layers.{l}.self_attn.q_norm.weight", "use_qk_norm", false),
          BIND_IF(K_NORM, "layers.{l}.self_attn.k_norm.weight", "use_qk_norm", false)),
};
