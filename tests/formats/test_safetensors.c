/* safetensors files: what the reader refuses and with which message, what it takes, and what the
 * writer writes. Numbers in brackets are the cases of the list of bad inputs that a row stands
 * for. */
#include "formats/support.h"

#include <signal.h>
#include <stdalign.h>
#include <sys/resource.h>
#include <time.h>

#include "formats/safetensors.h"

#define T(name, dtype, shape, begin, end) \
    "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":[" #begin "," #end "]}"

typedef struct bad_row {
    const char *header;    /* n_header bytes; 0: up to its NUL */
    size_t n_header, n_data;
    tern_status status;
    const char *message, *why;
} bad_row;

static const bad_row bad_rows[] = {
    { "[]", 0, 0, TERN_ERR_FORMAT, "byte 8|'{'|'['", "the header is no object" },
    { " {}", 0, 0, TERN_ERR_FORMAT, "byte 8", "a blank before the object" },
    { "\xEF\xBB\xBF{}", 0, 0, TERN_ERR_FORMAT, "byte 8|0xef", "[4] a byte order mark" },
    { "{\"a\xFFz\":{}}", 0, 0, TERN_ERR_FORMAT, "byte 11|UTF-8", "[4] a byte that UTF-8 never has" },
    { "{\"a\xC0\xAF\":{}}", 0, 0, TERN_ERR_FORMAT, "byte 11|UTF-8", "[4] an overlong form" },
    { "{\"a\xED\xA0\x80\":{}}", 0, 0, TERN_ERR_FORMAT, "byte 11|UTF-8", "[4] a surrogate in UTF-8" },
    { "{\"a\0b\":{}}", 10, 0, TERN_ERR_FORMAT, "byte 11|0x00", "[4] NUL inside a name" },
    { "{\0}", 3, 0, TERN_ERR_FORMAT, "byte 9|0x00", "[4] NUL between tokens" },
    { "{\"a\\u0000b\":{}}", 0, 0, TERN_ERR_FORMAT, "byte 17|u0000", "[4] an escaped NUL" },
    { "{\"a\nb\":{}}", 0, 0, TERN_ERR_FORMAT, "byte 11|0x0a", "a control character inside a name" },
    { "{\"a\\ud800\":{}}", 0, 0, TERN_ERR_FORMAT, "surrogate", "half a surrogate pair" },
    { "{\"a\\udc00\":{}}", 0, 0, TERN_ERR_FORMAT, "surrogate", "the other half" },
    { "{\"a\\x\":{}}", 0, 0, TERN_ERR_FORMAT, "escape", "an escape that JSON does not have" },
    { "{\"a\\u12g4\":{}}", 0, 0, TERN_ERR_FORMAT, "hexadecimal", "an escape cut short" },
    { "{", 0, 0, TERN_ERR_FORMAT, "byte 9|not the end", "cut after the first byte" },
    { "{\"a", 0, 0, TERN_ERR_FORMAT, "not the end", "cut inside a name" },
    { "{\"a\\", 0, 0, TERN_ERR_FORMAT, "escape", "cut inside an escape" },
    { "{\"a\":", 0, 0, TERN_ERR_FORMAT, "'{'", "cut before a value" },
    { "{" T("a", "U8", "[1]", 0, 1), 0, 1, TERN_ERR_FORMAT, "'}'", "cut before the last brace" },
    { "{} x", 0, 0, TERN_ERR_FORMAT, "byte 11|blanks", "text behind the object" },
    { "{" T("a", "U8", "[1]", 0, 1) ",}", 0, 1, TERN_ERR_FORMAT, "name|'}'", "a comma too many" },
    { "{\"a\":[[[[[[[[]]]]]]]]}", 0, 0, TERN_ERR_FORMAT, "byte 13|'['", "[5] lists in place of a tensor" },
    { "{" T("a", "U8", "[[1]]", 0, 1) "}", 0, 1, TERN_ERR_FORMAT, "integer|'['", "[5] a list inside a shape" },
    { "{" T("a", "U8", "[1]", 0, 1) "," T("a", "U8", "[1]", 1, 2) "}", 0, 2, TERN_ERR_FORMAT, "\"a\" comes twice",
      "[6] a name twice" },
    { "{" T("a", "U8", "[1]", 0, 1) "," T("\\u0061", "U8", "[1]", 1, 2) "}", 0, 2, TERN_ERR_FORMAT, "\"a\" comes twice",
      "[6] twice, once escaped" },
    { "{\"__metadata__\":{},\"__metadata__\":{}}", 0, 0, TERN_ERR_FORMAT, "__metadata__|twice", "[6] metadata twice" },
    { "{\"__metadata__\":{\"a\":\"1\",\"a\":\"2\"}}", 0, 0, TERN_ERR_FORMAT, "\"a\"|twice",
      "[6] a key of the metadata twice" },
    { "{\"__metadata__\":{\"a\":1}}", 0, 0, TERN_ERR_FORMAT, "string|'1'", "metadata that is no string" },
    { "{\"__metadata__\":[]}", 0, 0, TERN_ERR_FORMAT, "'{'", "metadata that is no object" },
    { "{" T("a", "F32", "[4611686018427387904,4]", 0, 0) "}", 0, 0, TERN_ERR_FORMAT, "\"a\"|overflows",
      "[7] 2^62 x 4 x 4 bytes" },
    { "{" T("a", "U8", "[4294967296,4294967296]", 0, 0) "}", 0, 0, TERN_ERR_FORMAT, "overflows",
      "[7] 2^64 wraps to 0" },
    { "{" T("a", "U8", "[0,4611686018427387904,4]", 0, 0) "}", 0, 0, TERN_ERR_FORMAT, "overflows",
      "[7] empty, but its strides overflow" },
    { "{" T("a", "U8", "[9223372036854775808]", 0, 0) "}", 0, 0, TERN_ERR_FORMAT, "dimension of 9223372036854775808",
      "[7] 2^63" },
    { "{" T("a", "U8", "[18446744073709551616]", 0, 0) "}", 0, 0, TERN_ERR_FORMAT, "64 bits", "[7] 2^64" },
    { "{" T("a", "U8", "[1,1,1,1,1,1,1,1,1]", 0, 1) "}", 0, 1, TERN_ERR_FORMAT, "\"a\"|8 dimensions", "[7] rank 9" },
    { "{" T("a", "U8", "[-1]", 0, 1) "}", 0, 1, TERN_ERR_FORMAT, "non-negative|'-'", "[8] a negative dimension" },
    { "{" T("a", "U8", "[1.0]", 0, 1) "}", 0, 1, TERN_ERR_FORMAT, "'.'", "[8] a dimension with a point" },
    { "{" T("a", "U8", "[1e0]", 0, 1) "}", 0, 1, TERN_ERR_FORMAT, "'e'", "[8] a dimension with an exponent" },
    { "{" T("a", "U8", "[01]", 0, 1) "}", 0, 1, TERN_ERR_FORMAT, "integer", "[8] a leading zero" },
    { "{" T("a", "U8", "[1]", -1, 1) "}", 0, 1, TERN_ERR_FORMAT, "non-negative", "[8] a negative offset" },
    { "{" T("a", "U8", "[1]", 0.0, 1) "}", 0, 1, TERN_ERR_FORMAT, "'.'", "[8] an offset with a point" },
    { "{" T("a", "U8", "[1]", "0", 1) "}", 0, 1, TERN_ERR_FORMAT, "integer", "[8] an offset in quotes" },
    { "{" T("a", "U8", "[0]", 1, 0) "}", 0, 1, TERN_ERR_FORMAT, "\"a\"|[1, 0]|ascending", "[8] begin after end" },
    { "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0]}}", 0, 1, TERN_ERR_FORMAT, "','",
      "[8] one offset only" },
    { "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1,1]}}", 0, 1, TERN_ERR_FORMAT, "']'",
      "[8] three offsets" },
    { "{" T("a", "U8", "[2]", 0, 2) "," T("b", "U8", "[2]", 1, 3) "}", 0, 3, TERN_ERR_FORMAT,
      "\"b\" overlaps tensor \"a\" by 1", "[9] overlap" },
    { "{" T("a", "U8", "[2]", 0, 2) "," T("b", "U8", "[2]", 0, 2) "}", 0, 2, TERN_ERR_FORMAT, "overlaps",
      "[9] the same bytes twice" },
    { "{" T("a", "U8", "[2]", 0, 2) "," T("b", "U8", "[0]", 1, 1) "}", 0, 2, TERN_ERR_FORMAT, "overlaps",
      "[9] an empty one inside another" },
    { "{" T("a", "U8", "[1]", 0, 1) "," T("b", "U8", "[1]", 2, 3) "}", 0, 3, TERN_ERR_FORMAT,
      "hole of 1 bytes before tensor \"b\"", "[9] a hole" },
    { "{" T("a", "U8", "[1]", 1, 2) "}", 0, 2, TERN_ERR_FORMAT, "hole", "[9] a hole at the start" },
    { "{" T("a", "U8", "[1]", 0, 1) "}", 0, 2, TERN_ERR_FORMAT, "1 bytes behind the last tensor",
      "[9] trailing bytes" },
    { "{}", 0, 1, TERN_ERR_FORMAT, "behind the last tensor", "[9] bytes of no tensor at all" },
    { "{" T("a", "U8", "[4]", 0, 4) "}", 0, 3, TERN_ERR_FORMAT, "\"a\"|[0, 4]|3 bytes", "[9] the tail is missing" },
    { "{" T("a", "F32", "[2,3]", 0, 20) "}", 0, 20, TERN_ERR_FORMAT, "\"a\"|F32|24|20", "[9] size and shape disagree" },
    { "{" T("a", "F4", "[2]", 0, 1) "}", 0, 1, TERN_ERR_UNSUPPORTED, "\"a\"|\"F4\"", "[10] an unknown dtype" },
    { "{" T("a\\nb", "x\\u0001y", "[2]", 0, 1) "}", 0, 1, TERN_ERR_UNSUPPORTED, "\"a\\nb\"|\"x\\x01y\"",
      "[10] control characters are escaped" },
    { "{\"a\":{\"dtype\":3,\"shape\":[1],\"data_offsets\":[0,1]}}", 0, 1, TERN_ERR_FORMAT, "dtype|'3'",
      "[10] a dtype that is a number" },
    { "{\"a\":{\"shape\":[1],\"data_offsets\":[0,1]}}", 0, 1, TERN_ERR_FORMAT, "\"a\": no dtype",
      "a member is missing" },
    { "{\"a\":{}}", 0, 0, TERN_ERR_FORMAT, "\"a\": no dtype", "all members are missing" },
    { "{\"a\":{\"dtype\":\"U8\",\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 0, 1, TERN_ERR_FORMAT,
      "\"dtype\" comes twice", "[6] a member twice" },
    { "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1],\"x\":1}}", 0, 1, TERN_ERR_FORMAT, "\"x\"",
      "a member that the format does not have" },
};

static void refuses_bad_headers(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad_rows / sizeof *bad_rows; i++) {
        const bad_row *row = &bad_rows[i];
        size_t n;
        tern_safetensors *file = NULL;
        unsigned char *bytes = safetensors_bytes(row->header, row->n_header ? row->n_header : strlen(row->header),
                                                 row->n_data, &n);
        expect_message(tern_safetensors_parse(&message, "x.safetensors", bytes, n, &file), row->status, row->message,
                       row->why);
        expect_message(row->status, row->status, "x.safetensors: ", row->why);
        assert_null(file);
        free(bytes);
    }
}

static const struct { uint64_t n_header; const char *message, *why; } size_rows[] = {
    { (uint64_t)1 << 63, "x: a header of 9223372036854775808 bytes", "[2] 2^63" },
    { UINT64_MAX, "x: a header of 18446744073709551615 bytes", "[2] 2^64 - 1" },
    { 64, "x: a header of 64 bytes in a file of 64", "[2] the file's own size" },
    { 57, "x: a header of 57 bytes in a file of 64", "[2] one byte too many" },
    { 100000001, "x: a header of 100000001 bytes; the format allows 100000000", "[3] above the format's limit" },
    { 0, "x: byte 8", "no header at all" },
};

static void refuses_header_sizes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof size_rows / sizeof *size_rows; i++) {
        unsigned char bytes[64];
        tern_safetensors *file;
        memset(bytes, ' ', sizeof bytes);
        memcpy(bytes + 8, "{}", 2);
        for (int b = 0; b < 8; b++) bytes[b] = (unsigned char)(size_rows[i].n_header >> 8 * b);
        expect_message(tern_safetensors_parse(&message, "x", bytes, sizeof bytes, &file), TERN_ERR_FORMAT,
                       size_rows[i].message, size_rows[i].why);
    }
    for (size_t n = 0; n < 8; n++) {
        tern_safetensors *file;
        expect_message(tern_safetensors_parse(&message, "x", "\2\0\0\0\0\0\0", n, &file), TERN_ERR_FORMAT, "x: |8",
                       "[1] fewer bytes than the header's size takes");
    }
}

static long resident_kb(void)
{
    long pages = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    assert_non_null(f);
    assert_int_equal(fscanf(f, "%ld %ld", &pages, &resident), 2);
    fclose(f);
    return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

/* A sparse file as large as it says, so that only the limit itself stands in the way. */
static void refuses_a_huge_header_without_touching_it(void **state)
{
    (void)state;
    char *dir = make_folder(), path[128];
    tern_safetensors *file;
    unsigned char size[8] = { 0x01, 0xE1, 0xF5, 0x05 };    /* 100 000 001 */
    write_bytes(dir, "model.safetensors", size, 8);
    snprintf(path, sizeof path, "%s/model.safetensors", dir);
    assert_int_equal(truncate(path, 100000200), 0);
    long before = resident_kb();
    expect_message(tern_safetensors_open(&message, dir, "model.safetensors", &file), TERN_ERR_FORMAT,
                   "100000001|100000000", "[3]");
    assert_true(resident_kb() - before < 1024);
    remove_folder(dir);
}

static char *nested(size_t depth, char open, size_t *n)
{
    char *text = malloc(depth + 8);
    assert_non_null(text);
    *n = (size_t)sprintf(text, "{\"a\":");
    memset(text + *n, open, depth);
    *n += depth;
    return text;
}

static void refuses_depth(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        size_t n, n_file;
        tern_safetensors *file;
        char *text = nested(1000000, i ? '{' : '[', &n);
        unsigned char *bytes = safetensors_bytes(text, n, 0, &n_file);
        expect_message(tern_safetensors_parse(&message, "x", bytes, n_file, &file), TERN_ERR_FORMAT, "x: byte ",
                       "[5] a million levels");
        free(bytes);
        free(text);
    }
}

static double cpu_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Names out of order, so that both sorts have work to do. */
static double seconds_for(size_t count)
{
    char *header = malloc(100 * count + 2);
    size_t n = 0, n_file;
    tern_safetensors *file;
    assert_non_null(header);
    for (size_t i = 0; i < count; i++) {
        size_t j = i * 7919 % count;
        n += (size_t)sprintf(header + n, "%c\"model.layers.%zu.weight\":{\"dtype\":\"U8\",\"shape\":[1],"
                             "\"data_offsets\":[%zu,%zu]}", i ? ',' : '{', j, j, j + 1);
    }
    header[n++] = '}';
    unsigned char *bytes = safetensors_bytes(header, n, count, &n_file);
    double begin = cpu_seconds();
    expect_message(tern_safetensors_parse(&message, "x", bytes, n_file, &file), TERN_OK, NULL, "[11]");
    double seconds = cpu_seconds() - begin;
    assert_int_equal(file->count, count);
    const tern_stored *t = tern_safetensors_find(file, "model.layers.12345.weight");
    assert_non_null(t);
    assert_int_equal(*t->data, 12345 % 256);
    tern_safetensors_close(file);
    free(bytes);
    free(header);
    return seconds;
}

/* there in a build with AddressSanitizer, which is four times slower */
extern void __asan_init(void) __attribute__((weak));

static void takes_a_million_tensors(void **state)
{
    (void)state;
    double tenth = seconds_for(100000), all = seconds_for(1000000);
    print_message("a million tensors: %.2f s\n", all);
    assert_true(all < (__asan_init ? 8 : 2));
    assert_true(all < 25 * tenth + 0.1);
}

static void reads_what_is_good(void **state)
{
    (void)state;
    static const char header[] = "{ \"b\" :{\"shape\":[2,3],\"dtype\":\"BF16\",\"data_offsets\":[4,16]},"
                                 "\t\"__metadata__\":{\"format\":\"pt\",\"a\\u00e9\":\"\\ud83d\\ude00\"},"
                                 T("a", "F32", "[]", 0, 4) ",\n" T("\\\"q\\\\\\/\\t", "I64", "[0,5]", 16, 16) ","
                                 T("z", "F64", "[1]", 16, 24) "}   ";
    size_t n;
    tern_safetensors *file;
    tern_tensor view;
    unsigned char *bytes = safetensors_bytes(header, strlen(header), 24, &n);
    expect_message(tern_safetensors_parse(&message, "x", bytes, n, &file), TERN_OK, NULL, "a good file");
    assert_int_equal(file->count, 4);
    assert_string_equal(file->tensors[0].name, "a");
    assert_string_equal(file->tensors[1].name, "b");
    const tern_stored *b = tern_safetensors_find(file, "b"), *empty = tern_safetensors_find(file, "\"q\\/\t");
    assert_true(b && empty && !tern_safetensors_find(file, "c") && !tern_safetensors_find(file, ""));
    assert_true(b->dtype == TERN_ST_BF16 && b->rank == 2 && b->shape[0] == 2 && b->shape[1] == 3 && b->n_bytes == 12);
    assert_int_equal(b->data[0], 4);
    assert_true(empty->rank == 2 && empty->shape[0] == 0 && empty->n_bytes == 0);
    assert_string_equal(tern_safetensors_metadata(file, "format"), "pt");
    assert_string_equal(tern_safetensors_metadata(file, "a\xC3\xA9"), "\xF0\x9F\x98\x80");
    assert_null(tern_safetensors_metadata(file, "none"));
    assert_int_equal(tern_stored_view(&message, b, &view), TERN_OK);
    assert_true(view.data == b->data && view.dtype == TERN_BF16 && view.stride[0] == 3 && view.stride[1] == 1);
    expect_message(tern_stored_view(&message, tern_safetensors_find(file, "z"), &view), TERN_ERR_UNSUPPORTED,
                   "\"z\"|F64", "a type that tern has not");
    tern_safetensors_close(file);
    free(bytes);
}

/* A tensor of the tokenizer-free fixture, its first numbers as numpy prints them. */
static void reads_a_checkpoint_of_transformers(void **state)
{
    (void)state;
    tern_safetensors *file;
    tern_tensor t;
    expect_message(tern_safetensors_open(&message, TERN_GOLDEN "/models/llama-mha", "model.safetensors", &file),
                   TERN_OK, NULL, "a file that transformers wrote");
    assert_string_equal(tern_safetensors_metadata(file, "format"), "pt");
    const tern_stored *norm = tern_safetensors_find(file, "model.norm.weight");
    assert_non_null(norm);
    assert_int_equal(tern_stored_view(&message, norm, &t), TERN_OK);
    assert_true(t.dtype == TERN_F32 && t.rank == 1 && t.shape[0] == 40);
    tern_safetensors_close(file);
}

static void names_what_the_system_says(void **state)
{
    (void)state;
    char *dir = make_folder(), path[128];
    tern_safetensors *file;
    expect_message(tern_safetensors_open(&message, dir, "none.safetensors", &file), TERN_ERR_IO,
                   "none.safetensors|No such file", "[18] no file");
    write_safetensors(dir, "a.safetensors", "{}", 0);
    snprintf(path, sizeof path, "%s/a.safetensors", dir);
    assert_int_equal(chmod(path, 0), 0);
    if (geteuid())
        expect_message(tern_safetensors_open(&message, dir, "a.safetensors", &file), TERN_ERR_IO,
                       "a.safetensors|denied", "[18] no permission");
    write_text(dir, "empty.safetensors", "");
    expect_message(tern_safetensors_open(&message, dir, "empty.safetensors", &file), TERN_ERR_FORMAT,
                   "empty.safetensors: 0 bytes", "[1] an empty file");
    snprintf(path, sizeof path, "%s/fifo.safetensors", dir);
    assert_int_equal(mkfifo(path, 0600), 0);
    expect_message(tern_safetensors_open(&message, dir, "fifo.safetensors", &file), TERN_ERR_FORMAT, "FIFO",
                   "[13] a FIFO, without waiting on it");
    expect_message(tern_safetensors_open(&message, "/dev", "zero", &file), TERN_ERR_FORMAT, "device", "[13] a device");
    expect_message(tern_safetensors_open(&message, "/", "tmp", &file), TERN_ERR_FORMAT, "directory",
                   "[13] a directory");
    remove_folder(dir);
}

static const float numbers[6] = { 0.5f, -1, 2, 3, 4, 65504 };
static const uint8_t small[3] = { 1, 2, 255 };

/* The bytes are compared with what the format's own text requires. */
static void writes_whole_files(void **state)
{
    (void)state;
    char *dir = make_folder(), path[128];
    size_t n;
    static const char header[] =
        "{\"m\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]},\"a\":{\"dtype\":\"U8\",\"shape\":[3],"
        "\"data_offsets\":[24,27]},\"e\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[27,27]}}";
    const tern_named_tensor tensors[] = {
        { "a", tern_tensor_of((void *)small, TERN_U8, 1, (int64_t[]){ 3 }) },
        { "m", tern_tensor_of((void *)numbers, TERN_F32, 2, (int64_t[]){ 2, 3 }) },
        { "e", tern_tensor_of((void *)small, TERN_U8, 1, (int64_t[]){ 0 }) },
    };
    snprintf(path, sizeof path, "%s/out.safetensors", dir);
    assert_int_equal(tern_safetensors_write(&message, path, tensors, 3), TERN_OK);
    char *bytes = read_bytes(dir, "out.safetensors", &n);
    size_t n_header = (strlen(header) + 7) / 8 * 8;
    assert_int_equal(n, 8 + n_header + 27);
    assert_int_equal((unsigned char)bytes[0] | (unsigned char)bytes[1] << 8, n_header);
    assert_memory_equal(bytes + 8, header, strlen(header));
    assert_memory_equal(bytes + 8 + n_header, numbers, 24);
    assert_memory_equal(bytes + 8 + n_header + 24, small, 3);
    free(bytes);
    remove_folder(dir);
}

static int count_files(const char *dir)
{
    char command[128];
    int n = -1;
    snprintf(command, sizeof command, "ls -A '%s' | wc -l", dir);
    FILE *f = popen(command, "r");
    assert_non_null(f);
    assert_int_equal(fscanf(f, "%d", &n), 1);
    pclose(f);
    return n;
}

static void keeps_the_old_file_on_failure(void **state)
{
    (void)state;
    char *dir = make_folder(), path[160];
    size_t n;
    tern_safetensors_writer *w;
    const tern_tensor m = tern_tensor_of((void *)numbers, TERN_F32, 2, (int64_t[]){ 2, 3 }),
        wrong = tern_tensor_of((void *)numbers, TERN_F32, 1, (int64_t[]){ 6 });
    const tern_named_tensor two[] = { { "m", m }, { "n", m } }, twice[] = { { "m", m }, { "m", m } },
        reserved[] = { { "__metadata__", m } }, bytes_name[] = { { "\xFF", m } };
    write_text(dir, "out.safetensors", "old");
    snprintf(path, sizeof path, "%s/out.safetensors", dir);
    expect_message(tern_safetensors_write(&message, path, twice, 2), TERN_ERR_ARGUMENT, "\"m\"|twice", "a name twice");
    expect_message(tern_safetensors_write(&message, path, reserved, 1), TERN_ERR_ARGUMENT, "__metadata__",
                   "a reserved name");
    expect_message(tern_safetensors_write(&message, path, bytes_name, 1), TERN_ERR_ARGUMENT, "UTF-8",
                   "a name that is no UTF-8");
    assert_int_equal(tern_safetensors_write_begin(&message, path, two, 2, NULL, 0, &w), TERN_OK);
    expect_message(tern_safetensors_write_put(&message, w, 0, &wrong), TERN_ERR_ARGUMENT, "declared",
                   "another shape than declared");
    assert_int_equal(tern_safetensors_write_put(&message, w, 1, &m), TERN_OK);
    expect_message(tern_safetensors_write_commit(&message, w), TERN_ERR_STATE, "tensor 0 of 2",
                   "a tensor was left out");
    tern_safetensors_write_close(w);
    struct rlimit old, tiny = { 100, RLIM_INFINITY };    /* [61] the disk takes no more */
    getrlimit(RLIMIT_FSIZE, &old);
    tiny.rlim_max = old.rlim_max;
    setrlimit(RLIMIT_FSIZE, &tiny);
    expect_message(tern_safetensors_write(&message, path, two, 2), TERN_ERR_IO, "out.safetensors|too large",
                   "[61] a write that fails");
    setrlimit(RLIMIT_FSIZE, &old);
    char *bytes = read_bytes(dir, "out.safetensors", &n);
    assert_string_equal(bytes, "old");
    assert_int_equal(count_files(dir), 1);
    free(bytes);
    snprintf(path, sizeof path, "%s/none/out.safetensors", dir);
    expect_message(tern_safetensors_write(&message, path, two, 2), TERN_ERR_IO, "No such file", "[61] no such folder");
    remove_folder(dir);
}

static void writes_metadata_that_reads_back(void **state)
{
    (void)state;
    char *dir = make_folder(), path[128];
    tern_safetensors_writer *w;
    tern_safetensors *file;
    const struct tern_st_pair pairs[] = { { "format", "pt" }, { "quant\"ized", "int8\n\xC3\xA9" } };
    const tern_named_tensor one[] = { { "n\xC3\xA4me", tern_tensor_of((void *)numbers, TERN_F32, 0, NULL) } };
    snprintf(path, sizeof path, "%s/m.safetensors", dir);
    assert_int_equal(tern_safetensors_write_begin(&message, path, one, 1, pairs, 2, &w), TERN_OK);
    assert_int_equal(tern_safetensors_write_put(&message, w, 0, &one[0].tensor), TERN_OK);
    assert_int_equal(tern_safetensors_write_commit(&message, w), TERN_OK);
    tern_safetensors_write_close(w);
    assert_int_equal(tern_safetensors_open(&message, dir, "m.safetensors", &file), TERN_OK);
    assert_string_equal(tern_safetensors_metadata(file, "quant\"ized"), "int8\n\xC3\xA9");
    const tern_stored *t = tern_safetensors_find(file, "n\xC3\xA4me");
    assert_true(t && t->rank == 0 && !memcmp(t->data, numbers, 4) && (uintptr_t)t->data % alignof(double) == 0);
    tern_safetensors_close(file);
    remove_folder(dir);
}

int main(void)
{
    signal(SIGXFSZ, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_bad_headers),
        cmocka_unit_test(refuses_header_sizes),
        cmocka_unit_test(refuses_a_huge_header_without_touching_it),
        cmocka_unit_test(refuses_depth),
        cmocka_unit_test(takes_a_million_tensors),
        cmocka_unit_test(reads_what_is_good),
        cmocka_unit_test(reads_a_checkpoint_of_transformers),
        cmocka_unit_test(names_what_the_system_says),
        cmocka_unit_test(writes_whole_files),
        cmocka_unit_test(keeps_the_old_file_on_failure),
        cmocka_unit_test(writes_metadata_that_reads_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
