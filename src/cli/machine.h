/* What this machine has, as the system says. info and bench call it. */
#ifndef TERN_CLI_MACHINE_H
#define TERN_CLI_MACHINE_H

#include <stddef.h>

/* Bytes that this process may still allocate; negative: the system does not say. */
double cli_free_memory(void);

/* "AMD EPYC 9B45 96-Core Processor"; buffer is returned. */
const char *cli_cpu_name(char *buffer, size_t size);

/* A monotonic clock. */
double cli_seconds(void);

#endif
