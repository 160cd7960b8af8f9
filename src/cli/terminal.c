/* The terminal of a chat: see terminal.h. Editing and history are libedit's; reading the keys is
 * done here, so that Ctrl-C, a resized window and a resumed job are answered between two keys.
 * Called by chat.c. */
#include "cli/terminal.h"

#include <errno.h>
#include <histedit.h>
#include <langinfo.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>
#include <wchar.h>

#include "cli/out.h"

enum { HISTORY_LINES = 1000 };

static volatile sig_atomic_t interrupted, at_prompt, redraw;
static struct termios before;
static bool is_terminal;
static EditLine *editor;
static History *history_list;
static const char *prompt_text;

/* ---- Signals ---- */

static void end_at_once(int signal_number)
{
    if (is_terminal) tcsetattr(STDIN_FILENO, TCSANOW, &before);
    _exit(128 + signal_number);
}

/* Only calls that a handler may make. At the prompt of a terminal the reader looks at the flag; a
 * pipe that is waited on has no prompt to go back to. */
static void on_signal(int signal_number)
{
    if (signal_number == SIGWINCH || signal_number == SIGCONT) redraw = 1;
    else if (signal_number != SIGINT || interrupted || (at_prompt && !is_terminal)) end_at_once(signal_number);
    else interrupted = 1;
}

static void handle(int signal_number)
{
    struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
    sigemptyset(&action.sa_mask);
    sigaction(signal_number, &action, NULL);
}

bool cli_interrupted(void)
{
    return interrupted;
}

void cli_interrupt_clear(void)
{
    interrupted = 0;
}

/* ---- Keys ---- */

/* Waits for a byte with the signals let in only while it waits, so that none falls between the look
 * at its flag and the wait. False: interrupted, or the input has failed. */
static bool wait_for_byte(EditLine *e)
{
    struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };
    sigset_t ours, old;
    bool ready = false, failed = false;
    sigemptyset(&ours);
    sigaddset(&ours, SIGINT);
    sigaddset(&ours, SIGWINCH);
    sigaddset(&ours, SIGCONT);
    sigprocmask(SIG_BLOCK, &ours, &old);
    while (!ready && !failed && !interrupted) {
        if (redraw) {
            redraw = 0;
            el_set(e, EL_PREP_TERM, 1);
            el_resize(e);
            el_set(e, EL_REFRESH);
        }
        ready = ppoll(&input, 1, NULL, &old) > 0;
        failed = !ready && errno != EINTR;
    }
    sigprocmask(SIG_SETMASK, &old, NULL);
    return ready;
}

/* libedit's way to ask for a key: 1 character, 0 at the end, -1 on failure. Bytes that are no UTF-8
 * become U+FFFD. */
static int read_key(EditLine *e, wchar_t *key)
{
    mbstate_t state = { 0 };
    for (;;) {
        char byte;
        if (!wait_for_byte(e)) return -1;
        ssize_t n = read(STDIN_FILENO, &byte, 1);
        if (n < 0 && errno == EINTR) continue;
        if (n < 1) return (int)n;
        size_t used = mbrtowc(key, &byte, 1, &state);
        if (used == (size_t)-2) continue;
        if (used == (size_t)-1) *key = 0xFFFD;
        return 1;
    }
}

static char *prompt_of(EditLine *e)
{
    (void)e;
    return (char *)prompt_text;
}

static bool open_editor(void)
{
    HistEvent event;
    editor = el_init("tern", stdin, stdout, stderr);
    history_list = history_init();
    if (!editor || !history_list) return false;
    history(history_list, &event, H_SETSIZE, HISTORY_LINES);
    el_set(editor, EL_EDITOR, "emacs");
    el_set(editor, EL_HIST, history, history_list);
    el_set(editor, EL_PROMPT, prompt_of);
    el_source(editor, NULL);
    el_set(editor, EL_SIGNAL, 0);
    el_set(editor, EL_GETCFN, read_key);
    return true;
}

/* The letters that keys are made of: those of the user's locale where it is UTF-8. */
static void take_utf8(void)
{
    if (setlocale(LC_CTYPE, "") && !strcmp(nl_langinfo(CODESET), "UTF-8")) return;
    if (!setlocale(LC_CTYPE, "C.UTF-8")) setlocale(LC_CTYPE, "en_US.UTF-8");
}

bool cli_terminal_open(void)
{
    is_terminal = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) && !tcgetattr(STDIN_FILENO, &before);
    handle(SIGINT);
    if (!is_terminal) return true;
    take_utf8();
    handle(SIGTERM);
    handle(SIGWINCH);
    handle(SIGCONT);
    if (open_editor()) return true;
    cli_say("no memory for the terminal's editor");
    return false;
}

void cli_terminal_close(void)
{
    if (editor) el_end(editor);
    if (history_list) history_end(history_list);
    if (is_terminal) tcsetattr(STDIN_FILENO, TCSANOW, &before);
    editor = NULL;
    history_list = NULL;
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
}

bool cli_terminal_is_one(void)
{
    return is_terminal;
}

/* ---- Lines ---- */

static char *edited_line(size_t *n_bytes)
{
    HistEvent event;
    int n = 0;
    el_set(editor, EL_PREP_TERM, 1);    /* before the prompt: a Ctrl-D that comes with it is a key already */
    const char *text = el_gets(editor, &n);
    char *line = text && n > 0 ? malloc((size_t)n + 1) : NULL;
    if (!line) return NULL;
    memcpy(line, text, (size_t)n);
    line[n] = 0;
    *n_bytes = (size_t)n;
    if (n > 1) history(history_list, &event, H_ENTER, line);
    return line;
}

static char *piped_line(size_t *n_bytes)
{
    char *line = NULL;
    size_t size = 0;
    ssize_t n = getline(&line, &size, stdin);
    if (n >= 0) {
        *n_bytes = (size_t)n;
        return line;
    }
    free(line);
    return NULL;
}

cli_read_result cli_read_line(const char *prompt, char **line, size_t *n_bytes)
{
    prompt_text = prompt;
    at_prompt = 1;
    *line = is_terminal ? edited_line(n_bytes) : piped_line(n_bytes);
    at_prompt = 0;
    if (!*line && is_terminal) el_reset(editor);
    if (!*line) return interrupted ? CLI_READ_INTERRUPTED : CLI_READ_END;
    if (*n_bytes && (*line)[*n_bytes - 1] == '\n') --*n_bytes;
    if (*n_bytes && (*line)[*n_bytes - 1] == '\r') --*n_bytes;
    (*line)[*n_bytes] = 0;
    return CLI_READ_LINE;
}
