/* The first token of a process that starts cold, with its weights in the page cache: this program
 * itself, run again as "tern generate": see bench.h. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/bench/bench.h"
#include "cli/machine.h"

enum { LEAST_RUNS = 5, MOST_RUNS = 15, MOST_WORDS = 24 };

static const double time_to_spend = 1.5;

/* One process: seconds until it wrote, until it ended, and the bytes that it had in memory at
 * most. */
typedef struct one_run {
    double first, whole, bytes;
} one_run;

/* tern generate with the common flags of this run. */
static void text_of(const bench_plan *plan, const char *dir, int threads, char *number, size_t size, const char **word)
{
    static const cli_flag_id common[] = { FLAG_ISA, FLAG_COMPUTE, FLAG_KV, FLAG_CONTEXT };
    static const char *const flag[] = { "--isa", "--compute", "--kv", "--context" };
    size_t n = 0;
    snprintf(number, size, "%d", threads);
    const char *const always[] = { "tern", "generate", "-m", dir, "--threads", number, "--ids",
                                   "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22", "-n", "1",
                                   "--temperature", "0", "--ignore-eos", "--json" };
    for (; n < sizeof always / sizeof *always; n++) word[n] = always[n];
    for (size_t i = 0; i < sizeof common / sizeof *common; i++) {
        const cli_value *value = &plan->args->value[common[i]];
        if (!value->set) continue;
        word[n++] = flag[i];
        word[n++] = value->text;
    }
    word[n] = NULL;
}

/* In the child. It dies with its parent, and what it has to say about a failure is said by the
 * parent, which opens the same model. */
static void become(const char *const *word, int out)
{
    int nowhere = open("/dev/null", O_RDWR);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(nowhere, STDIN_FILENO);
    dup2(out, STDOUT_FILENO);
    dup2(nowhere, STDERR_FILENO);
    execv("/proc/self/exe", (char *const *)word);
    _exit(EXIT_FAILED);
}

static bool run_once(const char *const *word, one_run *r)
{
    int end[2], status = 0;
    char byte[512];
    struct rusage used = { 0 };
    if (pipe2(end, O_CLOEXEC)) return false;
    fflush(stdout);
    double start = cli_seconds();
    pid_t child = fork();
    if (!child) become(word, end[1]);
    close(end[1]);
    bool wrote = child > 0 && read(end[0], byte, sizeof byte) > 0;
    r->first = cli_seconds() - start;
    while (wrote && read(end[0], byte, sizeof byte) > 0) {}
    close(end[0]);
    if (child < 0 || wait4(child, &status, 0, &used) != child) return false;
    r->whole = cli_seconds() - start;
    r->bytes = (double)used.ru_maxrss * 1024;
    return wrote && WIFEXITED(status) && !WEXITSTATUS(status);
}

static bool measure(const bench_plan *plan, const char *dir, int threads, bench_report *report)
{
    const char *word[MOST_WORDS];
    char number[16];
    one_run one = { 0 };
    bench_samples first = { 0 }, whole = { 0 }, memory = { 0 };
    bench_first out = { .threads = threads };
    text_of(plan, dir, threads, number, sizeof number, word);
    bool ok = run_once(word, &one);    /* brings the weights into the page cache */
    bench_watch watch = bench_watch_begin();
    double begin = cli_seconds();
    for (int i = 0; ok && i < MOST_RUNS && (i < LEAST_RUNS || cli_seconds() - begin < time_to_spend); i++) {
        bench_progress("first token of a cold process, %d threads", threads);
        ok = run_once(word, &one);
        bench_add(&first, one.first);
        bench_add(&whole, one.whole);
        bench_add(&memory, one.bytes);
    }
    out.first_s = bench_spread_of(&first);
    out.whole_s = bench_spread_of(&whole);
    out.memory_bytes = bench_spread_of(&memory);
    bench_samples_free(&first);
    bench_samples_free(&whole);
    bench_samples_free(&memory);
    if (!ok) return false;
    out.disturbed = bench_watch_end(&watch, report);
    report->first[report->n_first++] = out;
    return true;
}

void bench_first_tokens(const bench_plan *plan, bench_report *report)
{
    char demo[4096];
    const char *dir = plan->args->value[FLAG_MODEL].set ? plan->args->value[FLAG_MODEL].text
                                                        : tern_demo_dir(demo, sizeof demo);
    for (size_t t = 0; dir && t < plan->threads.n; t++)
        if (!measure(plan, dir, (int)plan->threads.at[t], report)) break;
    bench_progress("%s", "");
}
