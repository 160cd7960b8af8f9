/* Python's operators on a template's values: arithmetic, comparison, membership, truth, length,
 * slices. Called by eval.c and the filters. Integers have 64 bits; what would need more is an
 * error, never a wrong number. */
#include <math.h>
#include <string.h>

#include "base/ctx.h"
#include "text/template/template.h"

static const char *op_name(int op)
{
    static const char single[][2] = { "+", "-", "*", "/", "%" };
    for (size_t i = 0; i < 5; i++)
        if (single[i][0] == op) return single[i];
    return op == OP_POW ? "** or pow()" : "//";
}

static bool overflow(tpl_render *r)
{
    return tpl_raise(r, "OverflowError", "an integer of more than 64 bits");
}

/* ---- numbers ---- */

static bool divide_whole(tpl_render *r, int op, int64_t a, int64_t b, tpl_value *out)
{
    if (b == 0)
        return tpl_raise(r, "ZeroDivisionError",
                         op == '%' ? "integer modulo by zero" : "integer division or modulo by zero");
    if (b == -1) {
        if (op == '%') return *out = tpl_int(0), true;
        return a == INT64_MIN ? overflow(r) : (*out = tpl_int(-a), true);
    }
    int64_t q = a / b, rest = a % b;
    if (rest && (rest < 0) != (b < 0)) {
        rest += b;
        q--;
    }
    *out = tpl_int(op == '%' ? rest : q);
    return true;
}

static bool power_whole(tpl_render *r, int64_t base, int64_t exponent, tpl_value *out)
{
    int64_t result = 1;
    if (exponent < 0) {
        if (base == 0) return tpl_raise(r, "ZeroDivisionError", "0.0 cannot be raised to a negative power");
        *out = tpl_float(pow((double)base, (double)exponent));
        return true;
    }
    while (exponent) {
        if (exponent & 1 && __builtin_mul_overflow(result, base, &result)) return overflow(r);
        exponent >>= 1;
        if (exponent && __builtin_mul_overflow(base, base, &base)) return overflow(r);
    }
    *out = tpl_int(result);
    return true;
}

static bool whole(tpl_render *r, int op, int64_t a, int64_t b, tpl_value *out)
{
    int64_t result;
    switch (op) {
    case '+':
        if (__builtin_add_overflow(a, b, &result)) return overflow(r);
        break;
    case '-':
        if (__builtin_sub_overflow(a, b, &result)) return overflow(r);
        break;
    case '*':
        if (__builtin_mul_overflow(a, b, &result)) return overflow(r);
        break;
    case '/':
        if (b == 0) return tpl_raise(r, "ZeroDivisionError", "division by zero");
        *out = tpl_float((double)a / (double)b);
        return true;
    case OP_POW: return power_whole(r, a, b, out);
    default: return divide_whole(r, op, a, b, out);
    }
    *out = tpl_int(result);
    return true;
}

static double floor_mod(double a, double b)
{
    double m = fmod(a, b);
    if (m == 0) return copysign(0.0, b);
    return (m < 0) != (b < 0) ? m + b : m;
}

/* CPython's float floor division: through the remainder, so that it and % agree. */
static double floor_div(double a, double b)
{
    double m = fmod(a, b), q = (a - m) / b;
    if (m != 0 && (m < 0) != (b < 0)) q -= 1;
    if (q == 0) return copysign(0.0, a / b);
    double f = floor(q);
    return q - f > 0.5 ? f + 1 : f;
}

static bool real(tpl_render *r, int op, double a, double b, tpl_value *out)
{
    double result = 0;
    if (b == 0 && op == '/') return tpl_raise(r, "ZeroDivisionError", "float division by zero");
    if (b == 0 && op == '%') return tpl_raise(r, "ZeroDivisionError", "float modulo");
    if (b == 0 && op == OP_FLOOR) return tpl_raise(r, "ZeroDivisionError", "float floor division by zero");
    switch (op) {
    case '+': result = a + b; break;
    case '-': result = a - b; break;
    case '*': result = a * b; break;
    case '/': result = a / b; break;
    case '%': result = floor_mod(a, b); break;
    case OP_FLOOR: result = floor_div(a, b); break;
    default:
        if (a == 0 && b < 0) return tpl_raise(r, "ZeroDivisionError", "0.0 cannot be raised to a negative power");
        if (a < 0 && b != floor(b) && isfinite(b)) return tpl_refuse(r, "a complex number");
        result = pow(a, b);
        if (isinf(result) && isfinite(a) && isfinite(b))
            return tpl_raise(r, "OverflowError", "(34, 'Numerical result out of range')");
    }
    *out = tpl_float(result);
    return true;
}

bool tpl_negate(tpl_render *r, tpl_value v, bool minus, tpl_value *out)
{
    if (v.kind == TPL_UNDEFINED) return tpl_fail_undefined(r, v);
    if (v.kind == TPL_FLOAT) return *out = tpl_float(minus ? -v.f : v.f), true;
    if (!tpl_is_whole(v))
        return tpl_raise(r, "TypeError", "bad operand type for unary %c: '%s'", minus ? '-' : '+', tpl_type_name(v));
    if (minus && tpl_whole(v) == INT64_MIN) return overflow(r);
    *out = tpl_int(minus ? -tpl_whole(v) : tpl_whole(v));
    return true;
}

/* ---- sequences ---- */

static bool repeat(tpl_render *r, tpl_value v, int64_t times, tpl_value *out)
{
    if (times < 0 || !v.n) times = 0;
    if (v.kind == TPL_STR && (uint64_t)times > r->pool.max_text_bytes / (v.n ? v.n : 1)) {
        if (!r->pool.status)
            r->pool.status = tern_fail(r->pool.ctx, TERN_ERR_LIMIT,
                                       "the template writes more than its limit of %zu bytes", r->pool.max_text_bytes);
        return false;
    }
    if (v.kind == TPL_STR) {
        tpl_text *text = tpl_text_new(&r->pool, 0);
        if (!text) return false;
        for (int64_t i = 0; i < times; i++)
            if (!tpl_work(&r->pool, 1) || !tpl_put_str(&r->pool, text, v)) return false;
        *out = tpl_text_value(text);
        out->sub = v.sub;
        return true;
    }
    tpl_array *array = tpl_array_new(&r->pool, 0);
    if (!array) return false;
    for (int64_t i = 0; i < times; i++)
        for (uint32_t k = 0; k < v.n; k++)
            if (!tpl_work(&r->pool, 1) || !tpl_append(&r->pool, array, tpl_items(v)[k])) return false;
    *out = tpl_list_of(array, (tpl_kind)v.kind);
    return true;
}

/* The left list's array is extended in place where nothing stands behind it: a list that grows in a
 * loop costs what it holds. */
static bool join_lists(tpl_render *r, tpl_value a, tpl_value b, tpl_value *out)
{
    tpl_array *array = a.array;
    if (a.at + a.n != array->used) {
        if (!(array = tpl_array_new(&r->pool, (size_t)a.n + b.n))) return false;
        for (uint32_t i = 0; i < a.n; i++)
            if (!tpl_append(&r->pool, array, tpl_items(a)[i])) return false;
        a.at = 0;
    }
    if (!tpl_work(&r->pool, b.n)) return false;
    for (uint32_t i = 0; i < b.n; i++)
        if (!tpl_append(&r->pool, array, tpl_items(b)[i])) return false;
    *out = (tpl_value){ .kind = a.kind, .at = a.at, .n = a.n + b.n, .array = array };
    return true;
}

static bool join_strings(tpl_render *r, tpl_value a, tpl_value b, tpl_value *out)
{
    uint8_t markup = a.sub | b.sub;
    if (markup && !a.sub && !tpl_escape(r, a, &a)) return false;
    if (markup && !b.sub && !tpl_escape(r, b, &b)) return false;
    if (!tpl_concat(&r->pool, a, b, out)) return false;
    out->sub = markup;
    return true;
}

bool tpl_binary(tpl_render *r, int op, tpl_value a, tpl_value b, tpl_value *out)
{
    bool a_sequence = a.kind == TPL_STR || a.kind == TPL_LIST || a.kind == TPL_TUPLE;
    bool b_sequence = b.kind == TPL_STR || b.kind == TPL_LIST || b.kind == TPL_TUPLE;
    if (op == '%' && a.kind == TPL_STR) return tpl_percent(r, a, b, out);
    if (a.kind == TPL_UNDEFINED) return tpl_fail_undefined(r, a);
    if (b.kind == TPL_UNDEFINED) return tpl_fail_undefined(r, b);
    if (tpl_is_number(a) && tpl_is_number(b)) {
        if (tpl_is_whole(a) && tpl_is_whole(b)) return whole(r, op, tpl_whole(a), tpl_whole(b), out);
        return real(r, op, tpl_real(a), tpl_real(b), out);
    }
    if (op == '*' && a_sequence && tpl_is_whole(b)) return repeat(r, a, tpl_whole(b), out);
    if (op == '*' && b_sequence && tpl_is_whole(a)) return repeat(r, b, tpl_whole(a), out);
    if (op == '*' && (a_sequence || b_sequence))
        return tpl_raise(r, "TypeError", "can't multiply sequence by non-int of type '%s'",
                         tpl_type_name(a_sequence ? b : a));
    if (op == '+' && a.kind == b.kind && a.kind == TPL_STR) return join_strings(r, a, b, out);
    if (op == '+' && a.kind == b.kind && a_sequence) return join_lists(r, a, b, out);
    if (op == '+' && a_sequence && !(a.kind == TPL_STR && a.sub)) {
        const char *type = a.kind == TPL_STR ? "str" : tpl_type_name(a);
        return tpl_raise(r, "TypeError", "can only concatenate %s (not \"%s\") to %s", type, tpl_type_name(b), type);
    }
    return tpl_raise(r, "TypeError", "unsupported operand type(s) for %s: '%s' and '%s'", op_name(op), tpl_type_name(a),
                     tpl_type_name(b));
}

/* ---- truth, length ---- */

bool tpl_truth(tpl_value v)
{
    switch ((tpl_kind)v.kind) {
    case TPL_MISSING:
    case TPL_UNDEFINED:
    case TPL_NONE: return false;
    case TPL_BOOL: return v.b;
    case TPL_INT: return v.i != 0;
    case TPL_FLOAT: return v.f != 0;
    case TPL_STR:
    case TPL_LIST:
    case TPL_TUPLE: return v.n != 0;
    case TPL_DICT:
    case TPL_VIEW: return v.dict->n != 0;
    case TPL_RANGE: return v.range->n != 0;
    default: return true;
    }
}

bool tpl_length(tpl_render *r, tpl_value v, int64_t *out)
{
    tpl_value length;
    switch ((tpl_kind)v.kind) {
    case TPL_UNDEFINED: *out = 0; return true;
    case TPL_STR: *out = (int64_t)tpl_chars(v); return tpl_work(&r->pool, v.text->ascii ? 0 : v.n / 32);
    case TPL_LIST:
    case TPL_TUPLE: *out = v.n; return true;
    case TPL_DICT:
    case TPL_VIEW: *out = v.dict->n; return true;
    case TPL_RANGE: *out = v.range->n; return true;
    case TPL_LOOP:
        if (!tpl_loop_attr(r, v.loop, "length", &length)) return false;
        *out = length.i;
        return true;
    default: return tpl_raise(r, "TypeError", "object of type '%s' has no len()", tpl_type_name(v));
    }
}

/* ---- comparison ---- */

static int sign_of(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

static int order_strings(tpl_value a, tpl_value b)
{
    int c = memcmp(tpl_data(a), tpl_data(b), a.n < b.n ? a.n : b.n);
    return c ? c : sign_of(a.n, b.n);
}

/* a op b for op one of < > <= >=, given as its text. */
bool tpl_less(tpl_render *r, tpl_value a, tpl_value b, const char *op, bool *out)
{
    int order;
    if (a.kind == TPL_UNDEFINED) return tpl_fail_undefined(r, a);
    if (b.kind == TPL_UNDEFINED) return tpl_fail_undefined(r, b);
    if (tpl_is_number(a) && tpl_is_number(b)) {
        double x = tpl_real(a), y = tpl_real(b);
        if (isnan(x) || isnan(y)) return *out = false, true;
        order = tpl_is_whole(a) && tpl_is_whole(b) ? sign_of(tpl_whole(a), tpl_whole(b)) : (x > y) - (x < y);
    } else if (a.kind == TPL_STR && b.kind == TPL_STR) {
        if (!tpl_work(&r->pool, a.n / 32)) return false;
        order = order_strings(a, b);
    } else if (a.kind == b.kind && (a.kind == TPL_LIST || a.kind == TPL_TUPLE)) {
        uint32_t i = 0;
        while (i < a.n && i < b.n && tpl_equal(&r->pool, tpl_items(a)[i], tpl_items(b)[i])) i++;
        if (!tpl_work(&r->pool, i)) return false;
        if (i < a.n && i < b.n) return tpl_less(r, tpl_items(a)[i], tpl_items(b)[i], op, out);
        order = sign_of(a.n, b.n);
    } else {
        return tpl_raise(r, "TypeError", "'%s' not supported between instances of '%s' and '%s'", op, tpl_type_name(a),
                         tpl_type_name(b));
    }
    *out = op[0] == '<' ? order < 0 : order > 0;
    if (op[1] && order == 0) *out = true;
    return true;
}

static bool find_in_string(tpl_render *r, tpl_value text, tpl_value part, bool *out)
{
    if (part.kind != TPL_STR)
        return tpl_raise(r, "TypeError", "'in <string>' requires string as left operand, not %s", tpl_type_name(part));
    *out = memmem(tpl_data(text), text.n, tpl_data(part), part.n) != NULL;
    return tpl_work(&r->pool, text.n / 32);
}

bool tpl_contains(tpl_render *r, tpl_value container, tpl_value item, bool *out)
{
    tpl_value got;
    switch ((tpl_kind)container.kind) {
    case TPL_STR: return find_in_string(r, container, item, out);
    case TPL_DICT:
        return tpl_check_hashable(r, item) && (*out = tpl_dict_find(&r->pool, container.dict, item) != NULL, true);
    case TPL_VIEW:
        if (container.sub == TPL_KEYS)
            return tpl_check_hashable(r, item) && (*out = tpl_dict_find(&r->pool, container.dict, item) != NULL, true);
        break;
    case TPL_NONE:
    case TPL_BOOL:
    case TPL_INT:
    case TPL_FLOAT:
    case TPL_NAMESPACE:
    case TPL_MACRO:
    case TPL_FUNCTION:
    case TPL_METHOD:
        return tpl_raise(r, "TypeError", "argument of type '%s' is not iterable", tpl_type_name(container));
    default: break;
    }
    tpl_iter *it = tpl_iterate(r, container);
    if (!it) return false;
    for (*out = false; !*out;) {
        int more = tpl_next(r, it, &got);
        if (more < 0) return false;
        if (!more) break;
        *out = tpl_equal(&r->pool, got, item);
    }
    return true;
}

bool tpl_compare(tpl_render *r, int op, tpl_value a, tpl_value b, bool *out)
{
    static const struct {
        int op;
        const char *text;
    } orders[] = { { OP_LT, "<" }, { OP_GT, ">" }, { OP_LE, "<=" }, { OP_GE, ">=" } };
    if (op == OP_IN || op == OP_NOT_IN) {
        if (!tpl_contains(r, b, a, out)) return false;
        *out = *out == (op == OP_IN);
        return true;
    }
    if (op == OP_EQ || op == OP_NE) {
        *out = tpl_equal(&r->pool, a, b) == (op == OP_EQ);
        return tpl_work(&r->pool, a.kind == TPL_STR ? a.n / 32 : 1);
    }
    for (size_t i = 0; i < 4; i++)
        if (orders[i].op == op) return tpl_less(r, a, b, orders[i].text, out);
    return false;
}

/* ---- slices ---- */

static bool slice_index(tpl_render *r, tpl_value v, int64_t fallback, int64_t *out)
{
    *out = fallback;
    if (v.kind == TPL_NONE) return true;
    if (!tpl_is_whole(v))
        return tpl_raise(r, "TypeError", "slice indices must be integers or None or have an __index__ method");
    *out = tpl_whole(v);
    return true;
}

/* Where a slice begins and how many items it has, as Python's slice.indices does. */
static void clamp(int64_t n, int64_t step, tpl_value start, tpl_value stop, int64_t *from, int64_t *to, int64_t *count)
{
    int64_t low = step < 0 ? -1 : 0, high = step < 0 ? n - 1 : n;
    int64_t a;
    if (start.kind == TPL_NONE) a = step < 0 ? high : low;
    else a = tpl_whole(start);
    int64_t b;
    if (stop.kind == TPL_NONE) b = step < 0 ? low : high;
    else b = tpl_whole(stop);
    if (start.kind != TPL_NONE) {
        if (a < 0) a = a + n < low ? low : a + n;
        else if (a > high) a = high;
    }
    if (stop.kind != TPL_NONE) {
        if (b < 0) b = b + n < low ? low : b + n;
        else if (b > high) b = high;
    }
    *from = a;
    *to = b;
    if (step > 0) *count = b > a ? (b - a - 1) / step + 1 : 0;
    else if (a > b) *count = (a - b - 1) / -step + 1;
    else *count = 0;
}

static bool slice_string(tpl_render *r, tpl_value s, int64_t from, int64_t step, int64_t count, tpl_value *out)
{
    if (!tpl_work(&r->pool, s.text->ascii ? 1 : s.n / 16)) return false;
    if (step == 1 || count <= 1) {
        size_t begin = tpl_byte_of(s, (size_t)(count ? from : 0));
        tpl_value rest = tpl_cut(s, begin, s.n);
        *out = tpl_cut(rest, 0, tpl_byte_of(rest, (size_t)count));
        return true;
    }
    size_t n = tpl_chars(s), k = 0;
    uint32_t *at = tpl_get(&r->pool, n + 1, sizeof *at);
    tpl_text *text = tpl_text_new(&r->pool, (size_t)count);
    if (!at || !text || !tpl_work(&r->pool, (size_t)count)) return false;
    for (uint32_t i = 0; i < s.n; i++)
        if (((unsigned char)tpl_data(s)[i] & 0xC0) != 0x80) at[k++] = i;
    at[n] = s.n;
    for (int64_t i = 0; i < count; i++)
        if (!tpl_put_str(&r->pool, text, tpl_cut(s, at[from + i * step], at[from + i * step + 1]))) return false;
    *out = tpl_text_value(text);
    out->sub = s.sub;
    return true;
}

static bool cut_range(tpl_render *r, const tpl_range *of, int64_t from, int64_t to, int64_t by, tpl_range *out)
{
    int64_t before, span;
    if (__builtin_mul_overflow(of->step, by, &out->step) || __builtin_mul_overflow(of->step, from, &before) ||
        __builtin_add_overflow(of->start, before, &out->start) || __builtin_mul_overflow(of->step, to, &span) ||
        __builtin_add_overflow(of->start, span, &out->stop))
        return overflow(r);
    return true;
}

bool tpl_slice(tpl_render *r, tpl_value object, tpl_value start, tpl_value stop, tpl_value step, tpl_value *out)
{
    int64_t by, n, from, to, count, ignored;
    if (object.kind == TPL_UNDEFINED) return tpl_fail_undefined(r, object);
    if (object.kind == TPL_DICT) return tpl_raise(r, "TypeError", "unhashable type: 'slice'");
    if (object.kind != TPL_STR && object.kind != TPL_LIST && object.kind != TPL_TUPLE && object.kind != TPL_RANGE)
        return tpl_raise(r, "TypeError", "'%s' object is not subscriptable", tpl_type_name(object));
    if (!slice_index(r, step, 1, &by) || !slice_index(r, start, 0, &ignored) || !slice_index(r, stop, 0, &ignored))
        return false;
    if (by == 0) return tpl_raise(r, "ValueError", "slice step cannot be zero");
    if (by == INT64_MIN) by++;
    if (!tpl_length(r, object, &n)) return false;
    clamp(n, by, start, stop, &from, &to, &count);
    if (object.kind == TPL_STR) return slice_string(r, object, from, by, count, out);
    if (object.kind == TPL_RANGE) {
        tpl_range *range = tpl_get(&r->pool, 1, sizeof *range);
        if (!range) return false;
        if (!cut_range(r, object.range, from, to, by, range)) return false;
        range->n = count;
        *out = (tpl_value){ .kind = TPL_RANGE, .range = range };
        return true;
    }
    if (by == 1) {
        *out = (tpl_value){ .kind = object.kind, .at = object.at + (uint32_t)(count ? from : 0), .n = (uint32_t)count,
                            .array = object.array };
        return true;
    }
    tpl_array *array = tpl_array_new(&r->pool, (size_t)count);
    if (!array || !tpl_work(&r->pool, (size_t)count)) return false;
    for (int64_t i = 0; i < count; i++)
        if (!tpl_append(&r->pool, array, tpl_items(object)[from + i * by])) return false;
    *out = tpl_list_of(array, (tpl_kind)object.kind);
    return true;
}
