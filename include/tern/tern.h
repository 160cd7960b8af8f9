/* tern: transformer models from C. This header includes all the others. */
#ifndef TERN_TERN_H
#define TERN_TERN_H

#include <tern/config.h>
#include <tern/context.h>
#include <tern/embed.h>
#include <tern/engine.h>
#include <tern/engine_config.h>
#include <tern/layer.h>
#include <tern/model.h>
#include <tern/moe.h>
#include <tern/ops.h>
#include <tern/report.h>
#include <tern/sampling.h>
#include <tern/status.h>
#include <tern/template.h>
#include <tern/tensor.h>
#include <tern/tokenizer.h>

#endif
