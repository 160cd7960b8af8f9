/* The first end of a model: FastGen's tests of its ragged embedding
 * (tests/unit/inference/v2/kernels/ragged_ops/test_ragged_embed), rebuilt: its vocabularies and
 * widths, its lists of sequences, learned positions behind a history and with an offset. Exact:
 * rows are copied and added. */
#include "backend/rig.h"
#include "layers/layers.h"

enum { MOST_SEQ = 8, OFFSET = 2, HISTORY = 57 };

static const int32_t lists[][MOST_SEQ] = { { 128, 64, 192, 32 }, { 57, 112, 63, 89, 1, 1, 1, 1 } };
static const int64_t sizes[][2] = { { 1024, 1024 }, { 32000, 5120 }, { 50304, 6144 } };

/* A table of which only the rows that are asked for are written: the rest of its memory is never
 * touched. */
typedef struct table {
    tern_tensor t;
    bool *written;
} table;

static table table_new(tern_dtype type, int64_t n, int64_t dim)
{
    table a = { tern_tensor_of(calloc((size_t)(n * dim), tern_dtype_bytes(type)), type, 2, (int64_t[]){ n, dim }),
                calloc((size_t)n, sizeof(bool)) };
    return a;
}

static char *table_row(table *a, int32_t id)
{
    size_t dim = (size_t)a->t.shape[1], bytes = tern_dtype_bytes(a->t.dtype);
    char *row = (char *)a->t.data + (size_t)id * dim * bytes;
    if (!a->written[id]) {
        float *value = rig_floats(dim, 1);
        rig_store(row, a->t.dtype, value, dim);
        free(value);
        a->written[id] = true;
    }
    return row;
}

static double element(const table *a, const char *row, int64_t i)
{
    uint16_t h;
    float f;
    if (a->t.dtype == TERN_F32) {
        memcpy(&f, row + i * 4, sizeof f);
        return f;
    }
    memcpy(&h, row + i * 2, sizeof h);
    return a->t.dtype == TERN_F16 ? tern_f32_from_f16(h) : tern_f32_from_bf16(h);
}

static void check(const int32_t *list, const int64_t *size, tern_dtype type, bool positions, int32_t history)
{
    int32_t n = 0;
    for (int s = 0; s < MOST_SEQ; s++) n += list[s];
    int32_t *id = malloc((size_t)n * sizeof *id), *position = malloc((size_t)n * sizeof *position);
    table token = table_new(type, size[0], size[1]), place = table_new(type, 512, size[1]);
    for (int32_t s = 0, r = 0; s < MOST_SEQ; s++)
        for (int32_t i = 0; i < list[s]; i++, r++) {
            id[r] = (int32_t)rig_below(size[0]);
            position[r] = history + i;
        }
    id[0] = 0;
    id[n - 1] = (int32_t)size[0] - 1;
    for (int32_t r = 0; r < n; r++) {
        table_row(&token, id[r]);
        table_row(&place, position[r] + OFFSET);
    }
    tern_embedding e = { .token = token.t, .scale = 1, .position_offset = OFFSET };
    if (positions) e.position = place.t;
    float *y = rig_floats((size_t)(n * size[1]), 1);
    tern_ctx *ctx;
    RIG_EACH(ctx) {
        if (tern_ctx_threads(ctx) > 2) continue;
        assert_int_equal(tern_embedding_run(ctx, &e, n, id, position, NULL, y), TERN_OK);
        for (int32_t r = 0; r < n; r++) {
            const char *word = table_row(&token, id[r]), *where = table_row(&place, position[r] + OFFSET);
            for (int64_t i = 0; i < size[1]; i++) {
                float want = (float)element(&token, word, i);
                if (positions) want += (float)element(&place, where, i);
                if (y[r * size[1] + i] != want)
                    fail_msg("%d x %d (%s): row %d, channel %d is %g, not %g", (int)size[0], (int)size[1],
                             rig_name(ctx), r, (int)i, (double)y[r * size[1] + i], (double)want);
            }
        }
    }
    free(id);
    free(position);
    free(token.t.data);
    free(token.written);
    free(place.t.data);
    free(place.written);
    free(y);
}

static void test_ragged_embed(void **state)
{
    static const tern_dtype types[] = { TERN_F16, TERN_BF16, TERN_F32 };
    (void)state;
    rig_seed = 1;
    for (size_t l = 0; l < 2; l++)
        for (size_t s = 0; s < 3; s++) {
            check(lists[l], sizes[s], types[(l + s) % 3], false, 0);
            check(lists[l], sizes[s], types[(l + s + 1) % 3], true, 0);
            check(lists[l], sizes[s], types[(l + s + 2) % 3], true, HISTORY);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_ragged_embed) };
    return cmocka_run_group_tests(tests, rig_setup, rig_teardown);
}
