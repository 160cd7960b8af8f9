/* The commands: one file each. They print results on stdout, all else on stderr, and return the
 * exit status. */
#ifndef TERN_CLI_COMMANDS_H
#define TERN_CLI_COMMANDS_H

struct cli_args;

int cli_generate(const struct cli_args *args);
int cli_chat(const struct cli_args *args);
int cli_logits(const struct cli_args *args);
int cli_tokenize(const struct cli_args *args);
int cli_detokenize(const struct cli_args *args);
int cli_render(const struct cli_args *args);
int cli_embed(const struct cli_args *args);
int cli_classify(const struct cli_args *args);
int cli_rerank(const struct cli_args *args);
int cli_perplexity(const struct cli_args *args);
int cli_verify(const struct cli_args *args);
int cli_info(const struct cli_args *args);
int cli_bench(const struct cli_args *args);
int cli_ops(const struct cli_args *args);
int cli_op(const struct cli_args *args);

#endif
