/* The rows of table.h. A new flag is a name in its enumeration and a row here; a new command is a
 * row here and a file of its own. */
#include "cli/table.h"

#include <string.h>

#include "cli/commands.h"

#define TOKENS_MOST 2147483647.0

const cli_flag cli_flags[N_FLAGS] = {
    /* Common: of every command that opens a model */
    [FLAG_MODEL]   = { .name = "model", .letter = 'm', .kind = CLI_DIR, .argument = "DIR", .fallback = "the demo model",
                       .help = "the checkpoint directory: config.json, *.safetensors, tokenizer.json" },
    [FLAG_THREADS] = { .name = "threads", .kind = CLI_INTEGER, .argument = "N", .least = 1, .most = 1024,
                       .fallback = "physical cores within the cgroup's quota",
                       .help = "threads that compute; TERN_THREADS is the same" },
    [FLAG_ISA]     = { .name = "isa", .kind = CLI_WORD, .argument = "NAME",
                       .choices = "scalar|avx2|avx512|avx512_bf16|avx512_fp16|avx512_vnni|amx",
                       .fallback = "the best that this CPU has",
                       .help = "the highest instruction set to use; TERN_ISA is the same" },
    [FLAG_COMPUTE] = { .name = "compute", .kind = CLI_WORD, .argument = "TYPE", .choices = "f32|bf16|f16",
                       .fallback = "f32; bf16 where the weights are stored so",
                       .help = "the type in which matrix products multiply" },
    [FLAG_KV]      = { .name = "kv", .kind = CLI_WORD, .argument = "TYPE", .choices = "f32|bf16|f16",
                       .fallback = "the compute type",
                       .help = "the type of the KV cache" },
    [FLAG_CONTEXT] = { .name = "context", .kind = CLI_INTEGER, .argument = "N", .least = 1, .most = TOKENS_MOST,
                       .fallback = "the least of the model's, 8192 and what fits in memory",
                       .help = "most tokens of a request, prompt and output together" },

    [FLAG_ATTENTION] = { .name = "attention", .kind = CLI_WORD, .argument = "HOW", .choices = "causal|bidirectional",
                         .fallback = "as config.json says",
                         .help = "whether a decoder's tokens see those behind them (bidirectional)" },
    [FLAG_STRICT]  = { .name = "strict",
                       .help = "refuse keys of config.json that transformers does not read, instead of ignoring them" },
    [FLAG_QUIET]   = { .name = "quiet", .help = "say nothing of what was ignored; warnings and errors stay" },

    [FLAG_JSON]    = { .name = "json", .help = "print one JSON document" },
    [FLAG_IDS]     = { .name = "ids", .kind = CLI_IDS, .argument = "IDS",
                       .help = "the prompt as token ids, \"1,2,3\"" },

    [FLAG_PROMPT]      = { .name = "prompt", .letter = 'p', .kind = CLI_TEXT, .argument = "TEXT",
                           .help = "the prompt; special tokens in it count as such" },
    [FLAG_FILE]        = { .name = "file", .letter = 'f', .kind = CLI_FILE, .argument = "FILE",
                           .help = "read the prompt from FILE, byte for byte; - is standard input" },
    [FLAG_TOKENS]      = { .name = "tokens", .letter = 'n', .kind = CLI_INTEGER, .argument = "N", .least = 0,
                           .most = TOKENS_MOST,
                           .fallback = "the model's max_new_tokens, or up to 256", .help = "most tokens to generate" },
    [FLAG_TEMPERATURE] = { .name = "temperature", .kind = CLI_NUMBER, .argument = "T", .least = 0, .most = 1e4,
                           .fallback = "the model's",
                           .help = "divide the logits by T; 0 takes the largest (greedy)" },
    [FLAG_TOP_K]       = { .name = "top-k", .kind = CLI_INTEGER, .argument = "K", .least = 0, .most = TOKENS_MOST,
                           .fallback = "the model's",
                           .help = "draw from the K likeliest tokens; 0 from all" },
    [FLAG_TOP_P]       = { .name = "top-p", .kind = CLI_NUMBER, .argument = "P", .least = 0, .most = 1, .above = true,
                           .fallback = "the model's",
                           .help = "draw from the likeliest tokens that together reach P; 1 from all" },
    [FLAG_MIN_P]       = { .name = "min-p", .kind = CLI_NUMBER, .argument = "P", .least = 0, .most = 1,
                           .fallback = "the model's",
                           .help = "draw from tokens at least P times as likely as the likeliest" },
    [FLAG_PENALTY]     = { .name = "repetition-penalty", .kind = CLI_NUMBER, .argument = "R", .least = 0, .most = 1e4,
                           .above = true, .fallback = "the model's",
                           .help = "lower the logits of tokens seen, the prompt's too; 1 is off" },
    [FLAG_SEED]        = { .name = "seed", .kind = CLI_SEED, .argument = "S",
                           .fallback = "drawn, and printed on stderr", .help = "the seed of the random numbers" },
    [FLAG_STOP]        = { .name = "stop", .kind = CLI_TEXT, .argument = "TEXT", .repeats = true,
                           .help = "end before TEXT; may be given more than once" },
    [FLAG_IGNORE_EOS]  = { .name = "ignore-eos", .help = "go on after the end-of-sequence token" },

    [FLAG_CHAT]        = { .name = "chat",
                           .help = "the file, or standard input, has chat messages: answer them by the chat template" },
    [FLAG_SYSTEM]      = { .name = "system", .kind = CLI_TEXT, .argument = "TEXT",
                           .help = "the system message that the conversation begins with" },

    [FLAG_ALL]           = { .name = "all", .help = "a row for every position of the prompt, not only the last" },
    [FLAG_NO_SPECIAL]    = { .name = "no-special",
                             .help = "do not add the tokens that frame a text (BOS and the like)" },
    [FLAG_PARSE_SPECIAL] = { .name = "parse-special", .help = "let the text's own special tokens count as such" },
    [FLAG_TRUNCATE]      = { .name = "truncate",
                             .help = "cut a text that is too long: tokenize to the length that tokenizer.json states, "
                                     "embed and rerank to what the model takes" },
    [FLAG_PAD]           = { .name = "pad", .help = "fill up as tokenizer.json's padding states" },
    [FLAG_SKIP_SPECIAL]  = { .name = "skip-special", .help = "leave special tokens out of the text" },

    [FLAG_POOLING]     = { .name = "pooling", .kind = CLI_WORD, .argument = "HOW", .choices =
        "mean|cls|last|max|pooler|mean_sqrt_len_tokens|weightedmean", .fallback = "the model's",
                           .help = "how a text's tokens become one vector" },
    [FLAG_NORMALIZE]   = { .name = "normalize", .fallback = "as the model says", .help = "make the vector's length 1" },
    [FLAG_PROMPT_NAME] = { .name = "prompt-name", .kind = CLI_TEXT, .argument = "NAME", .fallback =
        "the model's default", .help = "the model's prompt to put before each text, as query" },
    [FLAG_TYPE_IDS]    = { .name = "type-ids", .kind = CLI_IDS, .argument = "IDS", .fallback = "0",
                           .help = "the token types of --ids" },
    [FLAG_HIDDEN]      = { .name = "hidden", .help = "the last hidden state of every token, instead of one vector" },
    [FLAG_NPY]         = { .name = "npy", .help = "write one array in NumPy's format, float32" },
    [FLAG_TRUNCATE_DIM] = { .name = "truncate-dim", .kind = CLI_INTEGER, .argument = "N", .least = 1, .most =
        TOKENS_MOST, .fallback = "the model's", .help = "keep the first N numbers of a vector" },
    [FLAG_RAW]         = { .name = "raw", .help = "the logits as they are, without the model's activation" },

    [FLAG_CHECK]       = { .name = "check", .help = "look at every weight: one that is NaN or infinite fails, with its "
                                                    "tensor and index" },

    [FLAG_TEMPLATE]          = { .name = "template", .kind = CLI_FILE, .argument = "FILE", .fallback = "the model's",
                                 .help = "a file with the template" },
    [FLAG_NOW]               = { .name = "now", .kind = CLI_TEXT, .argument = "TIME", .fallback = "the clock",
                                 .help = "the local time that the template sees, as 2025-03-09T07:05:03" },
    [FLAG_GENERATION_PROMPT] = { .name = "generation-prompt", .help = "end with what begins the assistant's answer" },

    [FLAG_BENCH_PROMPT]  = { .name = "prompt-tokens", .letter = 'p', .kind = CLI_LIST, .argument = "LIST", .least = 1,
                             .most = TOKENS_MOST,
                             .fallback = "512, of an encoder 32,128", .help =
                                 "tokens of the prompt, and so where decoding begins; of an encoder, of a sentence" },
    [FLAG_BENCH_TOKENS]  = { .name = "tokens", .letter = 'n', .kind = CLI_INTEGER, .argument = "N", .least = 1,
                             .most = TOKENS_MOST,
                             .fallback = "128", .help = "tokens to decode" },
    [FLAG_BENCH_BATCH]   = { .name = "batch", .letter = 'b', .kind = CLI_LIST, .argument = "LIST", .least = 1,
                             .most = 1024,
                             .fallback = "1,4,8,16,32, of an encoder 1,32",
                             .help = "sequences at once, which share the prompt's length between them; sentences of a "
                                     "call" },
    [FLAG_BENCH_THREADS] = { .name = "threads", .kind = CLI_LIST, .argument = "LIST", .least = 1, .most = 1024,
                             .fallback = "physical cores within the cgroup's quota", .help =
                                 "threads that compute, one count after the other; TERN_THREADS is the same for one" },
    [FLAG_BENCH_REPEAT]  = { .name = "repeat", .kind = CLI_INTEGER, .argument = "N", .least = 1, .most = 1000,
                             .fallback = "3, fewer where that takes over 10 seconds",
                             .help = "measure N times" },
    [FLAG_SHAPE]         = { .name = "config", .kind = CLI_FILE, .argument = "FILE",
                             .help = "random weights of the shape that this config.json gives" },
    [FLAG_STORED]        = { .name = "stored", .kind = CLI_WORD, .argument = "TYPE", .choices = "f32|bf16|f16",
                             .fallback = "bf16",
                             .help = "the type of the random weights of --config" },
    [FLAG_SVG]           = { .name = "svg", .kind = CLI_FILE, .argument = "FILE",
                             .help = "draw the results below the machine's limits, a roofline, as SVG" },
    [FLAG_KERNELS]       = { .name = "kernels", .kind = CLI_TEXT, .argument = "NAME", .help =
        "time the kernels whose names begin so, or \"all\", instead of a model; --isa and --batch choose among them" },
    [FLAG_OPS]           = { .name = "ops", .kind = CLI_TEXT, .argument = "NAME",
                             .help = "time the ops whose names begin so, or \"all\", instead of a model" },

    [FLAG_OP_CONFIG]  = { .name = "config", .kind = CLI_FILE, .argument = "FILE",
                          .help = "a JSON object with fields of the op's config" },
    [FLAG_OP_OPTIONS] = { .name = "options", .kind = CLI_TEXT, .argument = "FILE|JSON",
                          .help = "a JSON object, or a file with one: dtype, options, outputs" },

    [FLAG_HELP] = { .name = "help", .letter = 'h', .help = "show this text" },
};

#define FLAGS(...) (const cli_flag_id[]){ __VA_ARGS__, N_FLAGS }

static const cli_flag_id model_common[] = { FLAG_MODEL, FLAG_CONTEXT, FLAG_COMPUTE, FLAG_KV, FLAG_ATTENTION,
                                            FLAG_STRICT, FLAG_QUIET, FLAG_THREADS, FLAG_ISA, FLAG_HELP, N_FLAGS };
static const cli_flag_id bench_common[] = { FLAG_MODEL, FLAG_CONTEXT, FLAG_COMPUTE, FLAG_KV, FLAG_ATTENTION,
                                            FLAG_STRICT, FLAG_QUIET, FLAG_BENCH_THREADS, FLAG_ISA, FLAG_HELP, N_FLAGS };
static const cli_flag_id text_common[] = { FLAG_MODEL, FLAG_QUIET, FLAG_HELP, N_FLAGS };
static const cli_flag_id machine_common[] = { FLAG_THREADS, FLAG_ISA, FLAG_HELP, N_FLAGS };

const cli_command cli_commands[] = {
    { .name = "generate", .summary = "continue a text", .run = cli_generate,
      .usage = "[-p TEXT | -f FILE | --ids IDS | --chat] [-n N] [FLAG]...",
      .about = "Prints the text that the model writes after the prompt, as it comes. Without a prompt it begins at the "
               "model's beginning-of-sequence token. "
               "Sampling follows the model's generation_config.json, and flags win over it: repetition penalty, "
               "temperature, top-k, top-p, min-p, in this "
               "order. --json prints {\"ids\", \"text\", \"finish_reason\", \"usage\"} at the end instead.",
      .flags = FLAGS(FLAG_PROMPT, FLAG_FILE, FLAG_IDS, FLAG_CHAT, FLAG_TEMPLATE, FLAG_TOKENS, FLAG_TEMPERATURE,
                     FLAG_TOP_K, FLAG_TOP_P, FLAG_MIN_P, FLAG_PENALTY, FLAG_SEED, FLAG_STOP,
                     FLAG_IGNORE_EOS, FLAG_JSON),
      .common = model_common, .example = "generate -p 'Long ago, near the river,' -n 60 --temperature 0" },
    { .name = "chat", .summary = "talk with a model", .run = cli_chat, .usage = "[--system TEXT] [-n N] [FLAG]...",
      .about = "Each line of standard input is a turn, answered by the model through its chat template as it comes. On "
               "a terminal lines can be edited and called back, "
               "Ctrl-C stops an answer and, at the prompt, drops the line (twice at once it ends the chat), and /help "
               "lists commands.",
      .flags = FLAGS(FLAG_SYSTEM, FLAG_TEMPLATE, FLAG_TOKENS, FLAG_TEMPERATURE, FLAG_TOP_K, FLAG_TOP_P, FLAG_MIN_P,
                     FLAG_PENALTY, FLAG_SEED, FLAG_STOP),
      .common = model_common, .example = "chat --system 'Answer in one sentence.'" },
    { .name = "logits", .summary = "the logits of the next token", .run = cli_logits,
      .usage = "[--ids IDS | -p TEXT | -f FILE] [--all] [FLAG]...",
      .about = "Prints one number per entry of the vocabulary, for the prompt's last position or with --all for each. "
               "--json prints {\"logits\": [...]}; with --all a list "
               "of rows.",
      .flags = FLAGS(FLAG_IDS, FLAG_TYPE_IDS, FLAG_PROMPT, FLAG_FILE, FLAG_ALL, FLAG_JSON), .common = model_common,
      .example = "logits --ids 0,634,635 --json" },
    { .name = "tokenize", .summary = "text to token ids", .run = cli_tokenize,
      .usage = "[--no-special] [--parse-special] [--truncate] [--pad] [FLAG]... < TEXT",
      .about = "Reads standard input byte for byte and prints its token ids. --json prints {\"ids\", \"tokens\"}. "
               "Needs the directory's tokenizer only.",
      .flags = FLAGS(FLAG_NO_SPECIAL, FLAG_PARSE_SPECIAL, FLAG_TRUNCATE, FLAG_PAD, FLAG_JSON), .common = text_common,
      .example = "tokenize --json < story.txt" },
    { .name = "detokenize", .summary = "token ids to text", .run = cli_detokenize,
      .usage = "[--skip-special] [FLAG]... < IDS",
      .about = "Reads ids from standard input, separated by blanks or commas, and prints their text and nothing else. "
               "--json prints {\"text\"}.",
      .flags = FLAGS(FLAG_SKIP_SPECIAL, FLAG_JSON), .common = text_common, .example = "detokenize < ids.txt" },
    { .name = "render", .summary = "messages to text, by a chat template", .run = cli_render,
      .usage = "[--template FILE] [--now TIME] [--generation-prompt] [FLAG]... < messages.json",
      .about = "Reads a list of messages from standard input, or an object with \"messages\", \"tools\", "
               "\"documents\", \"add_generation_prompt\", \"continue_final_message\", "
               "\"special_tokens\" and \"chat_template_kwargs\", and prints what the model's chat template makes of "
               "it, and nothing else.",
      .flags = FLAGS(FLAG_TEMPLATE, FLAG_NOW, FLAG_GENERATION_PROMPT), .common = text_common,
      .example = "render --generation-prompt <<< '[{\"role\": \"user\", \"content\": \"Hi\"}]'" },
    { .name = "embed", .summary = "texts to vectors", .run = cli_embed,
      .usage = "[--pooling HOW] [--normalize] [--ids IDS [--type-ids IDS]] [FLAG]... < LINES",
      .about = "Reads a text a line from standard input and prints its vector: numbers in a line, with --json "
               "{\"embedding\": [...]} a line. The modules of the checkpoint's modules.json are run "
               "as they are listed; --pooling takes another mode in every Pooling module, --truncate-dim and "
               "--normalize come behind the last module. --hidden prints {\"hidden\": [[...], ...]}, a row a "
               "token, instead.",
      .flags = FLAGS(FLAG_POOLING, FLAG_NORMALIZE, FLAG_TRUNCATE_DIM, FLAG_PROMPT_NAME, FLAG_TRUNCATE, FLAG_IDS,
                     FLAG_TYPE_IDS, FLAG_HIDDEN, FLAG_NPY, FLAG_JSON), .common = model_common,
      .example = "embed -m all-MiniLM-L6-v2 --json < sentences.txt" },
    { .name = "classify", .summary = "texts to labels", .run = cli_classify,
      .usage = "[--ids IDS [--type-ids IDS]] [FLAG]... < LINES",
      .about = "Reads a text a line from standard input and prints its likeliest label and that label's probability. "
               "--json prints {\"label\", \"score\", \"logits\"} a line. "
               "The model must have a sequence-classification head.",
      .flags = FLAGS(FLAG_IDS, FLAG_TYPE_IDS, FLAG_JSON), .common = model_common,
      .example = "classify -m sentiment --json < reviews.txt" },
    { .name = "rerank", .summary = "texts to scores beside a query", .run = cli_rerank,
      .usage = "QUERY [--raw] [FLAG]... < LINES",
      .about = "Reads a text a line from standard input and prints how well it answers the query: what "
               "CrossEncoder.predict gives, the logit of a sequence-classification head over both "
               "through the activation that the checkpoint names, else the sigmoid. Of several labels it prints each "
               "one's score. --json prints {\"score\"} a line, of several labels {\"scores\": [...]}.",
      .operands = { "QUERY" }, .flags = FLAGS(FLAG_RAW, FLAG_PROMPT_NAME, FLAG_TRUNCATE, FLAG_JSON),
      .common = model_common, .example = "rerank -m reranker 'how do swifts sleep' < passages.txt" },
    { .name = "perplexity", .summary = "how well a model expects a text", .run = cli_perplexity,
      .usage = "-f FILE [FLAG]...",
      .about = "Prints the perplexity of a text: exp of the mean of -log p(token | those before it), over windows of "
               "--context tokens that overlap by half. --json prints "
               "{\"perplexity\", \"tokens\", \"nats_per_token\"}.",
      .flags = FLAGS(FLAG_FILE, FLAG_PROMPT, FLAG_IDS, FLAG_JSON), .common = model_common,
      .example = "perplexity -f story.txt" },
    { .name = "verify", .summary = "this machine's path against the scalar one", .run = cli_verify,
      .usage = "[-p TEXT | -f FILE | --ids IDS] [FLAG]...",
      .about = "Runs a prompt through the model twice: as the flags say, and by the scalar kernels in f32. Prints how "
               "far the first is off behind the embedding, behind each layer and "
               "in the logits: the largest difference, and the root mean square of the differences over that of the "
               "reference. Fails beyond 1e-4 (--compute f32), 0.05 (--compute f16, or a KV cache of 16 bits) "
               "or 0.1 (--compute bf16). --json prints {\"isa\", \"compute\", \"kv\", \"tokens\", \"embedding\", "
               "\"layers\", \"logits\", \"bound\", \"ok\"}.",
      .flags = FLAGS(FLAG_PROMPT, FLAG_FILE, FLAG_IDS, FLAG_JSON), .common = model_common,
      .example = "verify --compute f32" },
    { .name = "info", .summary = "what a model is, and what fits", .run = cli_info, .usage = "[FLAG]...",
      .about = "Prints the architecture, the parameters, the bytes of the weights and of the KV cache per token, and "
               "how long a context fits in this machine's memory; then what is wrong with any "
               "file of the directory, a line each, and for each command whether it takes the model, \"generate: "
               "yes\", \"chat: no (why)\". Fails where the model does not open, or not for what its "
               "architecture is for. --json prints {\"architecture\", ..., \"ignored\", \"reasons\", \"commands\": "
               "{\"generate\": {\"able\", \"detail\"}, ...}}. --check looks for weights that are NaN or infinite.",
      .flags = FLAGS(FLAG_CHECK, FLAG_JSON), .common = model_common, .example = "info -m models/demo" },
    { .name = "bench", .summary = "tokens per second, and how near to this machine's limits", .run = cli_bench,
      .usage = "[-p LIST] [-n N] [-b LIST] [--threads LIST] [--config FILE | --kernels NAME | --ops NAME] [FLAG]...",
      .about = "Measures this machine's read bandwidth and its peaks of multiply-adds, the first token of a process "
               "that starts cold, and then prompts and decoding of one sequence and of "
               "several at once: tokens per second, the share of the peak that is reached by the best instruction for "
               "the compute type, and of the bandwidth, keys and values counted, as both are around each row. An "
               "encoder is "
               "measured in sentences per second. Each figure is a median, with the least and the largest. --json "
               "prints {\"machine\", \"model\", \"first_token\", \"results\", \"disturbed\"}.",
      .flags = FLAGS(FLAG_BENCH_PROMPT, FLAG_BENCH_TOKENS, FLAG_BENCH_BATCH, FLAG_BENCH_REPEAT, FLAG_SHAPE, FLAG_STORED,
                     FLAG_KERNELS, FLAG_OPS, FLAG_SVG, FLAG_JSON),
      .common = bench_common, .example = "bench --config bench/shapes/tinyllama-1.1b.json --threads 1,2 -b 1,8" },
    { .name = "ops", .summary = "ops, types and instruction sets of this build", .run = cli_ops, .usage = "[FLAG]...",
      .about = "Lists the ops by name, the types that they take, and the instruction sets: which this CPU can run, and "
               "which is in use.",
      .flags = FLAGS(FLAG_JSON), .common = machine_common, .example = "ops" },
    { .name = "op", .summary = "run one op on tensors of a file", .run = cli_op,
      .usage = "NAME IN.safetensors OUT.safetensors [--config FILE] [--options FILE|JSON] [FLAG]...",
      .about = "Takes the inputs from the tensors in.* of the first file and writes the results as out.* to the "
               "second. The options are an object with the op's own options and "
               "the fields of its config, or a case: {\"dtype\", \"options\", \"outputs\"}.",
      .operands = { "NAME", "IN.safetensors", "OUT.safetensors" }, .flags = FLAGS(FLAG_OP_CONFIG, FLAG_OP_OPTIONS),
      .common = machine_common,
      .example = "op rms_norm in.safetensors out.safetensors --options '{\"layer_norm_eps\": 1e-5}'" },
    { .name = NULL },
};

const cli_clash cli_clashes[] = {
    { "generate", FLAG_TEMPLATE, FLAG_CHAT, true, "a prompt goes through no template" },
    { "generate", FLAG_CHAT, FLAG_PROMPT, false, "the messages come from -f FILE or standard input" },
    { "generate", FLAG_CHAT, FLAG_IDS, false, "the messages come from -f FILE or standard input" },
    { "logits", FLAG_TYPE_IDS, FLAG_IDS, true, "they are the types of its ids" },
    { "embed", FLAG_TYPE_IDS, FLAG_IDS, true, "they are the types of its ids" },
    { "classify", FLAG_TYPE_IDS, FLAG_IDS, true, "they are the types of its ids" },
    { "embed", FLAG_PROMPT_NAME, FLAG_IDS, false, "ids are taken as they are" },
    { "embed", FLAG_TRUNCATE, FLAG_IDS, false, "ids are taken as they are" },
    { "embed", FLAG_NPY, FLAG_JSON, false, "it is a format of its own" },
    { "embed", FLAG_NPY, FLAG_HIDDEN, false, "its array has a row a text" },
    { "embed", FLAG_POOLING, FLAG_HIDDEN, false, "hidden states are not pooled" },
    { "embed", FLAG_NORMALIZE, FLAG_HIDDEN, false, "hidden states are printed as they are" },
    { "embed", FLAG_TRUNCATE_DIM, FLAG_HIDDEN, false, "hidden states are printed as they are" },
    { NULL, FLAG_HELP, FLAG_HELP, false, NULL },
};

static bool listed(const cli_flag_id *list, cli_flag_id id)
{
    while (*list != N_FLAGS && *list != id) list++;
    return *list == id;
}

bool cli_takes(const cli_command *command, cli_flag_id id)
{
    return listed(command->flags, id) || listed(command->common, id);
}

bool cli_word_at(const char *choices, size_t i, char *out, size_t size)
{
    while (i--) {
        choices = strchr(choices, '|');
        if (!choices) return false;
        choices++;
    }
    size_t n = strcspn(choices, "|");
    if (n >= size) n = size - 1;
    memcpy(out, choices, n);
    out[n] = 0;
    return true;
}
