/* tern chat: turns of a conversation by the model's chat template. The engine keeps the pages of
 * what was said, so that a turn computes its own tokens only. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/messages.h"
#include "cli/save.h"
#include "cli/sampling.h"
#include "cli/terminal.h"

typedef struct chat {
    const cli_args *args;
    cli_session session;
    tern_template *template;
    tern_sampling sampling;
    json_t *messages;          /* [{"role", "content"}, ...] */
    char *answer;              /* of this turn */
    size_t n_answer, capacity;
    tern_finish finish;
    char error[1024];
    bool lost;                 /* stdout takes no more, or memory is out */
    bool failed;               /* a line could not be answered */
} chat;

static bool keep(chat *c, const char *text, size_t n)
{
    if (c->n_answer + n + 1 > c->capacity) {
        size_t capacity = 2 * c->capacity + n + 256;
        char *more = realloc(c->answer, capacity);
        if (!more) return false;
        c->answer = more;
        c->capacity = capacity;
    }
    memcpy(c->answer + c->n_answer, text, n);
    c->n_answer += n;
    c->answer[c->n_answer] = 0;
    return true;
}

static bool on_event(void *user, const tern_event *e)
{
    chat *c = user;
    c->finish = e->finish;
    if (e->finish == TERN_FINISH_ERROR)
        snprintf(c->error, sizeof c->error, "%s", e->error ? e->error : "the request failed");
    if (e->n_bytes && !c->lost) {
        bool kept = keep(c, e->text, e->n_bytes);
        if (!kept) cli_say("no memory for the answer");
        c->failed = c->failed || !kept;
        c->lost = !kept || !cli_put(e->text, e->n_bytes);
    }
    return !c->lost && !cli_interrupted();
}

/* ---- A turn ---- */

/* A NUL in text is a character like any other. */
static bool say(chat *c, const char *role, const char *text, size_t n_bytes)
{
    json_t *message = json_pack("{s:s, s:s%}", "role", role, "content", text, n_bytes);
    if (message && !json_array_append_new(c->messages, message)) return true;
    cli_say("a message must be UTF-8 text");
    return false;
}

static void take_back(chat *c)
{
    json_array_remove(c->messages, json_array_size(c->messages) - 1);
}

static bool prompt_ids(chat *c, int32_t **ids, size_t *n)
{
    json_t *in = json_pack("{s:O, s:b}", "messages", c->messages, "add_generation_prompt", 1);
    char *text = in ? json_dumps(in, JSON_COMPACT) : NULL;
    bool ok = text && cli_template_ids(&c->session, c->template, text, strlen(text), ids, n);
    if (!text) cli_say("no memory for the messages");
    free(text);
    json_decref(in);
    return ok;
}

static bool run_request(chat *c, const int32_t *ids, size_t n)
{
    cli_session *s = &c->session;
    tern_request request = { .ids = ids, .n_ids = n, .max_new_tokens = cli_max_tokens(c->args, s, n, INT32_MAX),
                             .sampling = c->sampling, .tokenizer = s->tokenizer,
                             .stop = c->args->stop, .n_stop = c->args->n_stop, .on_event = on_event, .user = c };
    tern_status st = tern_engine_submit(s->engine, &request, NULL);
    if (!st) st = tern_engine_run(s->engine);
    if (!st && c->finish != TERN_FINISH_ERROR) return true;
    if (st) cli_fail_ctx(s);
    else cli_say("%s", c->error);
    if (st == TERN_ERR_LIMIT) cli_say("/reset forgets the conversation, and a larger --context holds more of it");
    return false;
}

/* A question and its answer; what fails leaves the conversation as it was. */
static bool turn(chat *c, const char *question, size_t n_bytes)
{
    int32_t *ids = NULL;
    size_t n;
    c->n_answer = 0;
    c->finish = TERN_FINISH_NONE;
    if (!say(c, "user", question, n_bytes)) return false;
    cli_interrupt_clear();
    bool ok = prompt_ids(c, &ids, &n) && run_request(c, ids, n);
    free(ids);
    cli_interrupt_clear();
    if (ok && c->n_answer && c->answer[c->n_answer - 1] != '\n') cli_put("\n", 1);
    ok = ok && say(c, "assistant", c->n_answer ? c->answer : "", c->n_answer);
    if (!ok) take_back(c);
    return ok;
}

/* ---- Commands ---- */

static bool set_system(chat *c, const char *text)
{
    json_t *first = json_array_get(c->messages, 0);
    const char *role = json_string_value(json_object_get(first, "role"));
    if (role && !strcmp(role, "system")) json_array_remove(c->messages, 0);
    if (!*text) return true;
    json_t *message = json_pack("{s:s, s:s}", "role", "system", "content", text);
    if (message && !json_array_insert_new(c->messages, 0, message)) return true;
    cli_say("a message must be UTF-8 text");
    return false;
}

static bool save(chat *c, const char *path)
{
    cli_save out = { 0 };
    if (!*path) {
        cli_say("/save FILE");
        return false;
    }
    bool ok = cli_save_open(&out, path);
    if (ok && json_dumpf(c->messages, out.file, JSON_INDENT(2)) && !ferror(out.file)) {
        cli_say("no memory for the messages");
        ok = false;
    } else if (ok) {
        putc('\n', out.file);
        ok = cli_save_commit(&out);
    }
    cli_save_close(&out);
    return ok;
}

static bool load(chat *c, const char *path)
{
    json_error_t error;
    json_t *messages = *path ? json_load_file(path, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error) : NULL;
    if (!*path) cli_say("/load FILE");
    else if (!messages) cli_say("%s: %s", path, error.text);
    else if (!json_is_array(messages)) cli_say("%s: not a list of messages", path);
    if (!json_is_array(messages)) {
        json_decref(messages);
        return false;
    }
    json_decref(c->messages);
    c->messages = messages;
    return true;
}

static void show_params(const chat *c)
{
    const tern_sampling *s = &c->sampling;
    printf("temperature %.9g, top-k %lld, top-p %.9g, min-p %.9g, repetition penalty %.9g, seed %llu; %zu messages, "
           "context of %lld tokens\n", (double)s->temperature, (long long)s->top_k, (double)s->top_p, (double)s->min_p,
           (double)s->repetition_penalty, (unsigned long long)s->seed, json_array_size(c->messages),
           (long long)tern_engine_get_info(c->session.engine).context_tokens);
    fflush(stdout);
}

/* A line that begins with '/'. *more false: the chat ends. False: the command failed, and its
 * sentence is said. */
static bool command(chat *c, const char *line, bool *more)
{
    bool ok = true;
    size_t n = strcspn(line, " ");
    const char *rest = line + n + (line[n] == ' ');
    const struct {
        const char *name;
        int is;
    } known[] = { { "/help", 0 }, { "/reset", 1 }, { "/system", 2 }, { "/save", 3 }, { "/load", 4 }, { "/params", 5 },
                  { "/quit", 6 } };
    static const char help[] = "/reset forgets, /system TEXT sets the system message, /save FILE and /load FILE keep "
                               "the messages, /params shows, /quit ends\n";
    int is = -1;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strlen(known[i].name) == n && !memcmp(known[i].name, line, n)) is = known[i].is;
    if (is == 0) cli_put(help, sizeof help - 1);
    else if (is == 1) json_array_clear(c->messages);
    else if (is == 2) ok = set_system(c, rest);
    else if (is == 3) ok = save(c, rest);
    else if (is == 4) ok = load(c, rest);
    else if (is == 5) show_params(c);
    else if (is < 0) ok = false;
    if (is < 0) cli_say("unknown command \"%s\"; /help lists them", line);
    *more = is != 6;
    return ok;
}

static bool answer_line(chat *c, const char *line, size_t n_bytes, bool *more)
{
    if (*line != '/') return !n_bytes || turn(c, line, n_bytes);
    if (strlen(line) == n_bytes) return command(c, line, more);
    cli_say("the command has a NUL byte at %zu of its %zu, and its words cannot hold one", strlen(line), n_bytes);
    return false;
}

/* Ctrl-C at the prompt drops the line that was begun; at once again, it ends the chat. */
static int converse(chat *c)
{
    bool more = true, was_interrupted = false;
    char *line;
    size_t n_bytes;
    while (more && !c->lost) {
        cli_read_result read = cli_read_line("> ", &line, &n_bytes);
        if (read == CLI_READ_END) break;
        cli_interrupt_clear();
        if (read == CLI_READ_INTERRUPTED) {
            fputc('\n', stderr);
            if (was_interrupted) return EXIT_INTERRUPTED;
            cli_say("Ctrl-C again, Ctrl-D or /quit ends the chat");
        } else {
            if (!answer_line(c, line, n_bytes, &more)) c->failed = true;
            free(line);
        }
        was_interrupted = read == CLI_READ_INTERRUPTED;
    }
    return c->failed && (c->lost || !cli_terminal_is_one()) ? EXIT_FAILED : EXIT_OK;
}

static bool open_parts(const cli_args *args, chat *c)
{
    cli_session *s = &c->session;
    if (!cli_open_ctx(args, s) || !cli_open_model(args, s) || !cli_open_tokenizer(args, s, true)) return false;
    if (!cli_open_template(args, s, &c->template) || !cli_open_engine(args, s, 1)) return false;
    c->sampling = cli_sampling(args, s->model);
    c->messages = json_array();
    return c->messages && (!args->value[FLAG_SYSTEM].set || set_system(c, args->value[FLAG_SYSTEM].text));
}

int cli_chat(const cli_args *args)
{
    chat c = { .args = args };
    int status = EXIT_FAILED;
    if (open_parts(args, &c)) {
        cli_say_seed(args, &c.sampling);
        if (cli_terminal_open()) {
            if (cli_terminal_is_one()) cli_say("/help lists the commands, Ctrl-C stops an answer, Ctrl-D ends");
            status = converse(&c);
        }
        cli_terminal_close();
    }
    json_decref(c.messages);
    free(c.answer);
    tern_template_free(c.template);
    cli_close(&c.session);
    return status;
}
