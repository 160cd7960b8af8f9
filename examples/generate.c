/* The shortest use of tern: continues a text with the model of a directory, or with the demo model.
 *     cc generate.c $(pkg-config --cflags --libs tern) -o generate && ./generate "Long ago, near
 *     the river," [DIR] */
#include <stdio.h>
#include <string.h>
#include <tern/tern.h>

static bool print_text(void *user, const tern_event *event)
{
    fwrite(event->text, 1, event->n_bytes, user);
    return true;
}

int main(int argc, char **argv)
{
    const char *prompt = argc > 1 ? argv[1] : "Long ago, near the river,", *dir = argc > 2 ? argv[2] : NULL;
    char demo[4096];
    tern_ctx *ctx = NULL;
    tern_model *model = NULL;
    tern_tokenizer *tokenizer = NULL;
    tern_engine *engine = NULL;
    tern_encoding ids = { 0 };
    tern_encode_options with_bos = { .add_special = true };
    if (tern_ctx_create(NULL, &ctx)) return fprintf(stderr, "%s\n", tern_create_error()), 1;
    tern_status st = tern_model_open(ctx, dir, NULL, &model);
    if (!st) st = tern_tokenizer_open(ctx, dir ? dir : tern_demo_dir(demo, sizeof demo), &tokenizer);
    if (!st) st = tern_tokenizer_encode(tokenizer, prompt, strlen(prompt), &with_bos, &ids);
    if (!st) st = tern_engine_create(ctx, model, NULL, &engine);
    tern_request request = { .ids = ids.ids, .n_ids = ids.n, .max_new_tokens = 60, .sampling = tern_sampling_greedy(),
                             .tokenizer = tokenizer, .on_event = print_text, .user = stdout };
    if (!st) st = tern_engine_submit(engine, &request, NULL);
    if (!st) st = tern_engine_run(engine);
    puts("");
    if (st) fprintf(stderr, "%s: %s\n", tern_status_name(st), tern_ctx_error(ctx));
    tern_encoding_free(&ids);
    tern_engine_free(engine);
    tern_tokenizer_free(tokenizer);
    tern_model_free(model);
    tern_ctx_free(ctx);
    return st ? 1 : 0;
}
