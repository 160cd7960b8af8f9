/* GPT-Neo: scores without scale, a window in the layers that the config calls local. Source:
 * Hugging Face GPTNeoForCausalLM. */
#include "families/spec.h"

/* "attention_layers": ["global", "local", ...], or "attention_types": [[["global", "local"], 12]]
 * which says the same. */
static tern_status adjust(tern_ctx *ctx, tern_hf_config *config, tern_spec *s)
{
    static const char *const kinds[] = { "global", "local" };
    int kind[MOST_LAYERS];
    size_t n = 0;
    int64_t layers = tern_get(s, S_LAYERS);
    (void)ctx;
    const json_t *types = tern_hf_value(config, "attention_types");
    if (!tern_hf_choices(config, "attention_layers", kinds, 2, kind, MOST_LAYERS, &n)) {
        for (size_t i = 0; i < json_array_size(types); i++) {
            const json_t *entry = json_array_get(types, i), *names = json_array_get(entry, 0);
            json_int_t times = json_integer_value(json_array_get(entry, 1));
            for (json_int_t t = 0; t < times && t < MOST_LAYERS; t++)
                for (size_t k = 0; k < json_array_size(names) && n < MOST_LAYERS; k++) {
                    const char *name = json_string_value(json_array_get(names, k));
                    kind[n++] = name && name[0] == 'l';
                }
        }
    }
    if ((int64_t)n != layers)
        tern_hf_refuse(config, TERN_ERR_FORMAT, "\"attention_layers\" or \"attention_types\" describes %zu layers of "
                       "%lld", n, (long long)layers);
    for (int64_t l = 0; l < layers; l++) s->windowed[l] = l < (int64_t)n && kind[l] && tern_get(s, S_WINDOW) > 0;
    return TERN_OK;
}

const tern_family tern_family_gpt_neo = {
    .name = "gpt_neo",
    .arch = { "GPTNeoForCausalLM" },
    .model_type = { "gpt_neo" },
    .prefix = { "transformer." },
    .ignore = { "*h.*.attn.attention.bias", "*h.*.attn.attention.masked_bias" },
    KEYS(KEY(DIM, "hidden_size"), KEY(LAYERS, "num_layers"), KEY(HEADS, "num_heads"), KEY_AS(KV_HEADS, NULL, HEADS),
         KEY_OVER(HEAD_DIM, NULL, DIM, HEADS), KEY_TIMES(FFN, "intermediate_size", DIM, 4), KEY(VOCAB, "vocab_size"),
         KEY_OR(MAX_POS, "max_position_embeddings", 2048), KEY_OR(ACT, "activation_function", ACT_GELU_TANH),
         KEY_OR(EPS, "layer_norm_epsilon", 1e-5), KEY_OR(TIED, "tie_word_embeddings", 1),
         KEY_OR(WINDOW, "window_size", 256), SET(ATTN_SCALE, 1), SET(NORM, NORM_LAYER), SET(GATED, 0),
         SET(POSITION, POS_LEARNED)),
    BINDS(BIND(EMBED, "wte.weight"), BIND(POS, "wpe.weight"), BIND(OUT_NORM, "ln_f.weight"),
          BIND(OUT_NORM_B, "ln_f.bias"), BIND(HEAD, "lm_head.weight"), BIND(ATTN_NORM, "h.{l}.ln_1.weight"),
          BIND(ATTN_NORM_B, "h.{l}.ln_1.bias"), BIND(MLP_NORM, "h.{l}.ln_2.weight"),
          BIND(MLP_NORM_B, "h.{l}.ln_2.bias"), BIND(Q, "h.{l}.attn.attention.q_proj.weight"),
          BIND(K, "h.{l}.attn.attention.k_proj.weight"), BIND(V, "h.{l}.attn.attention.v_proj.weight"),
          BIND(O, "h.{l}.attn.attention.out_proj.weight"), BIND(O_B, "h.{l}.attn.attention.out_proj.bias"),
          BIND(UP, "h.{l}.mlp.c_fc.weight"), BIND(UP_B, "h.{l}.mlp.c_fc.bias"), BIND(DOWN, "h.{l}.mlp.c_proj.weight"),
          BIND(DOWN_B, "h.{l}.mlp.c_proj.bias")),
    .adjust = adjust,
};
