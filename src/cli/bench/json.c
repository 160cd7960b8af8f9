/* The results as one JSON document: see bench.h. */
#include <stdio.h>

#include "cli/bench/bench.h"
#include "cli/machine.h"

static void open_machine(json_out *j, const bench_limits *l)
{
    char cpu[128];
    out_open(j, NULL, '{');
    out_open(j, "machine", '{');
    out_word(j, "cpu", cli_cpu_name(cpu, sizeof cpu));
    bench_put_limits(j, l);
}

void bench_open_json(json_out *j, const bench_limits *l, const char *list)
{
    open_machine(j, l);
    out_close(j);
    out_open(j, list, '[');
}

static void put_model(json_out *j, const bench_report *r)
{
    const tern_model_info *m = &r->model;
    out_open(j, "model", '{');
    out_word(j, "architecture", r->architecture);
    out_integer(j, "parameters", m->n_param);
    out_word(j, "stored", m->stored);
    out_word(j, "compute", m->compute);
    out_word(j, "kv", m->kv);
    out_integer(j, "weight_bytes", (int64_t)m->weight_bytes);
    out_integer(j, "read_bytes_per_token", (int64_t)m->read_bytes_per_token);
    out_integer(j, "kv_bytes_per_token", (int64_t)m->kv_bytes_per_token);
    out_number(j, "flops_per_token", m->flops_per_token);
    out_close(j);
}

static void put_first(json_out *j, const bench_report *r)
{
    out_open(j, "first_token", '[');
    for (size_t i = 0; i < r->n_first; i++) {
        const bench_first *f = &r->first[i];
        out_open(j, NULL, '{');
        out_integer(j, "threads", f->threads);
        out_integer(j, "prompt_tokens", BENCH_FIRST_TOKENS);
        bench_put_spread(j, "ms", f->first_s, 1e3);
        bench_put_spread(j, "process_ms", f->whole_s, 1e3);
        out_integer(j, "memory_bytes", (int64_t)f->memory_bytes.high);
        bench_put_spread(j, "memory_spread", f->memory_bytes, 1);
        out_integer(j, "weight_bytes", (int64_t)r->model.weight_bytes);
        out_integer(j, "kv_bytes", (int64_t)r->kv_bytes);
        out_bool(j, "disturbed", f->disturbed);
        out_close(j);
    }
    out_close(j);
}

static void put_limits(json_out *j, const bench_result *r)
{
    bench_put_spread(j, "peak_gflop_per_s", r->peak.rate, 1e-9);
    out_word(j, "peak_isa", r->best ? tern_isa_short(r->best->table) : NULL);
    out_word(j, "peak_type", r->best ? r->best->type : NULL);
    bench_put_spread(j, "bandwidth_gb_per_s", r->bandwidth.rate, 1e-9);
    out_bool(j, "peak_moved", r->peak.moved);
    out_bool(j, "bandwidth_moved", r->bandwidth.moved);
}

static void put_generated(json_out *j, const bench_result *r)
{
    out_integer(j, "decode_tokens", r->decode_tokens);
    out_number(j, "prompt_tokens_per_s", r->prompt_per_s.median);
    out_number(j, "decode_tokens_per_s", r->decode_per_s.median);
    out_number(j, "peak_share", bench_prompt_peak_share(r));
    out_number(j, "bandwidth_share", bench_decode_bandwidth_share(r));
    out_number(j, "decode_peak_share", bench_decode_peak_share(r));
    bench_put_spread(j, "prompt_spread", r->prompt_per_s, 1);
    bench_put_spread(j, "decode_spread", r->decode_per_s, 1);
    out_number(j, "prompt_flops_per_token", r->prompt.flops);
    out_number(j, "decode_flops_per_token", r->decode.flops);
    out_number(j, "decode_bytes_per_token", r->decode.bytes);
}

static void put_sentences(json_out *j, const bench_result *r)
{
    out_number(j, "sentences_per_s", r->prompt_per_s.median);
    out_number(j, "call_ms", r->seconds.median * 1e3);
    out_number(j, "peak_share", bench_prompt_peak_share(r));
    bench_put_spread(j, "sentences_spread", r->prompt_per_s, 1);
    bench_put_spread(j, "call_ms_spread", r->seconds, 1e3);
    out_number(j, "flops_per_sentence", r->prompt.flops);
}

void bench_print_json(const bench_report *r)
{
    json_out j = { 0 };
    open_machine(&j, &r->limits);
    out_word(&j, "isa", r->isa);
    out_close(&j);
    put_model(&j, r);
    put_first(&j, r);
    out_open(&j, "results", '[');
    for (size_t i = 0; i < r->n_result; i++) {
        const bench_result *row = &r->result[i];
        out_open(&j, NULL, '{');
        out_integer(&j, "threads", row->threads);
        out_integer(&j, "batch", row->batch);
        out_integer(&j, "prompt_tokens", row->prompt_tokens);
        if (row->encoder) put_sentences(&j, row);
        else put_generated(&j, row);
        put_limits(&j, row);
        out_bool(&j, "disturbed", row->disturbed);
        out_close(&j);
    }
    out_close(&j);
    out_bool(&j, "disturbed", r->n_disturbed > 0);
    out_close(&j);
}
