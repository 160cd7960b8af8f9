/* Sampling as the command line asks for it: see sampling.h. */
#include "cli/sampling.h"

#include <stdio.h>
#include <sys/random.h>
#include <time.h>

#include "model/model.h"

static uint64_t draw_seed(void)
{
    uint32_t seed = 0;
    if (getrandom(&seed, sizeof seed, GRND_NONBLOCK) != sizeof seed) seed = (uint32_t)time(NULL);
    return seed;
}

void cli_say_seed(const cli_args *args, const tern_sampling *s)
{
    if (s->temperature > 0 && !args->value[FLAG_SEED].set) cli_say("seed %llu", (unsigned long long)s->seed);
}

/* Greedy by the model's own generation_config.json, or for want of one: what is given to draw by
 * has no effect, and may have been meant to. */
static void tell_idle_flags(const cli_args *args)
{
    static const cli_flag_id of_draws[] = { FLAG_TOP_K, FLAG_TOP_P, FLAG_MIN_P, FLAG_SEED };
    char names[80] = "";
    int n = 0;
    for (size_t i = 0; i < sizeof of_draws / sizeof *of_draws; i++)
        if (args->value[of_draws[i]].set)
            n += snprintf(names + n, sizeof names - (size_t)n, "%s--%s", n ? ", " : "", cli_flags[of_draws[i]].name);
    if (n)
        cli_say("warning: no effect: %s: the likeliest token is taken, as the model says; --temperature above 0 draws",
                names);
}

tern_sampling cli_sampling(const cli_args *args, const tern_model *model)
{
    tern_sampling s = tern_sampling_default(model);
    const cli_value *v = args->value;
    if (v[FLAG_TEMPERATURE].set) s.temperature = (float)v[FLAG_TEMPERATURE].number;
    if (v[FLAG_TOP_K].set) s.top_k = v[FLAG_TOP_K].integer;
    if (v[FLAG_TOP_P].set) s.top_p = (float)v[FLAG_TOP_P].number;
    if (v[FLAG_MIN_P].set) s.min_p = (float)v[FLAG_MIN_P].number;
    if (v[FLAG_PENALTY].set) s.repetition_penalty = (float)v[FLAG_PENALTY].number;
    s.seed = v[FLAG_SEED].seed;
    if (s.temperature <= 0 && !v[FLAG_TEMPERATURE].set) tell_idle_flags(args);
    if (s.temperature > 0 && !v[FLAG_SEED].set) s.seed = draw_seed();
    return s;
}

int64_t cli_max_tokens(const cli_args *args, const cli_session *s, size_t n_prompt, int64_t fallback)
{
    if (args->value[FLAG_TOKENS].set) return args->value[FLAG_TOKENS].integer;
    const tern_hf_generation *model = tern_model_generation(s->model);
    int64_t wanted = model->max_new_tokens,
        available = tern_engine_get_info(s->engine).context_tokens - (int64_t)n_prompt;
    if (wanted <= 0) {
        int64_t left = model->max_length - (int64_t)n_prompt;
        wanted = fallback;
        if (model->max_length && left < 1)
            cli_say("warning: the prompt's %zu tokens leave nothing of the model's max_length of %lld, so that one "
                    "token is made; -n says how many", n_prompt, (long long)model->max_length);
        if (model->max_length && left < available) available = left;
    }
    if (available < 1) return 1;
    if (wanted < available) return wanted;
    return available;
}

const char *cli_finish_name(tern_finish finish)
{
    if (finish == TERN_FINISH_STOP) return "stop";
    if (finish == TERN_FINISH_CANCELLED) return "cancelled";
    return "length";
}
