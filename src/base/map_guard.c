/* The handler of SIGBUS over mapped files: see map_guard.h. It makes only calls that a handler may
 * make: loads and stores of lock-free atomics, mmap, sigaction, raise. */
#include "base/map_guard.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

/* end is 0 while the slot is free. */
static struct slot {
    atomic_uintptr_t begin, end;
    atomic_bool hit;
} slots[TERN_GUARDED_MAPS];
static atomic_int n_used;    /* slots from here on were never taken */

/* of holders and of taking a slot; never taken by the handler */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int n_holders;
static struct sigaction previous;
static uintptr_t page_bytes;

static struct slot *slot_at(uintptr_t address)
{
    for (int i = 0, n = atomic_load(&n_used); i < n; i++) {
        struct slot *s = &slots[i];
        if (address >= atomic_load(&s->begin) && address < atomic_load(&s->end)) return s;
    }
    return NULL;
}

/* fault: of an access, which is repeated behind the handler; else the signal was sent, and does not
 * come again by itself. */
static void pass_on(int number, siginfo_t *info, void *context, bool fault)
{
    if (previous.sa_flags & SA_SIGINFO) {
        previous.sa_sigaction(number, info, context);
    } else if (previous.sa_handler != SIG_DFL && previous.sa_handler != SIG_IGN) {
        previous.sa_handler(number);
    } else if (fault || previous.sa_handler == SIG_DFL) {
        /* ends the process, of a fault even where the signal was ignored */
        struct sigaction fall = { .sa_handler = SIG_DFL };
        sigaction(number, &fall, NULL);
        if (!fault) raise(number);
    }
}

static void on_bus_error(int number, siginfo_t *info, void *context)
{
    int error = errno;
    uintptr_t address = (uintptr_t)info->si_addr;
    bool fault = info->si_code > 0;    /* not what a process has sent */
    struct slot *s = fault ? slot_at(address) : NULL;
    if (s) {
        uintptr_t first = address / page_bytes * page_bytes, end = atomic_load(&s->end);
        void *zeros = mmap((void *)first, end - first, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
        if (zeros == MAP_FAILED) s = NULL;
        else atomic_store(&s->hit, true);
    }
    if (!s) pass_on(number, info, context, fault);
    errno = error;
}

static bool is_ours(const struct sigaction *action)
{
    return action->sa_flags & SA_SIGINFO && action->sa_sigaction == on_bus_error;
}

bool tern_map_guard_hold(void)
{
    struct sigaction before,
        action = { .sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART };
    bool ok = true;
    sigemptyset(&action.sa_mask);
    pthread_mutex_lock(&lock);
    if (!n_holders) {
        page_bytes = (uintptr_t)sysconf(_SC_PAGESIZE);
        ok = !sigaction(SIGBUS, &action, &before);
        if (ok && !is_ours(&before)) previous = before;    /* a host that took its handler back may have left ours */
    }
    n_holders += ok;
    pthread_mutex_unlock(&lock);
    return ok;
}

void tern_map_guard_release(void)
{
    struct sigaction now;
    pthread_mutex_lock(&lock);
    bool ours = !--n_holders && !sigaction(SIGBUS, NULL, &now) && is_ours(&now);
    if (ours) sigaction(SIGBUS, &previous, NULL);
    pthread_mutex_unlock(&lock);
}

int tern_map_guard_add(const void *data, size_t n_bytes)
{
    int found = -1;
    pthread_mutex_lock(&lock);
    for (int i = 0; found < 0 && i < TERN_GUARDED_MAPS; i++)
        if (!atomic_load(&slots[i].end)) found = i;
    if (found >= 0) {
        atomic_store(&slots[found].hit, false);
        atomic_store(&slots[found].begin, (uintptr_t)data);
        atomic_store(&slots[found].end, (uintptr_t)data + n_bytes);
        if (found >= atomic_load(&n_used)) atomic_store(&n_used, found + 1);
    }
    pthread_mutex_unlock(&lock);
    return found;
}

void tern_map_guard_remove(int slot)
{
    if (slot >= 0) atomic_store(&slots[slot].end, 0);
}

bool tern_map_guard_hit(int slot)
{
    return slot >= 0 && atomic_load(&slots[slot].hit);
}
