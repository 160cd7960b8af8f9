/* CPUID, XGETBV and the permission for tile registers on x86: see cpu.h. */
#include "base/cpu.h"

#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

void tern_cpu_probe(tern_cpu *cpu)
{
    unsigned a, b, c, d;
    *cpu = (tern_cpu){ 0 };
    cpu->intel = __get_cpuid(0, &a, &b, &c, &d) && b == signature_INTEL_ebx && c == signature_INTEL_ecx &&
                 d == signature_INTEL_edx;
    if (__get_cpuid(1, &a, &b, &c, &d)) cpu->leaf1_ecx = c;
    if (__get_cpuid_count(7, 0, &a, &b, &c, &d)) {
        cpu->leaf7_ebx = b;
        cpu->leaf7_ecx = c;
        cpu->leaf7_edx = d;
        if (a >= 1 && __get_cpuid_count(7, 1, &a, &b, &c, &d)) cpu->leaf7_1_eax = a;
    }
    if (cpu->leaf1_ecx >> 27 & 1) {
        unsigned lo, hi;
        __asm__("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
        cpu->xcr0 = (uint64_t)hi << 32 | lo;
    }
}

bool tern_cpu_permit_tiles(void)
{
    enum { ARCH_REQ_XCOMP_PERM = 0x1023, XFEATURE_XTILEDATA = 18 };
    return syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0;
}
