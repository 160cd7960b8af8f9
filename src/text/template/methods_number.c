/* The methods of Python's ints, floats and dict views, dict.fromkeys, and those that tern has not
 * because they make bytes. Called through the tables. Source: Python 3.11, "Additional Methods on
 * Integer Types" and "on Float". */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/ctx.h"
#include "text/template/template.h"

#define METHOD(name) static bool name(tpl_render *r, tpl_value self, const tpl_args *args, tpl_value *out)

static bool no_args(tpl_render *r, tpl_value self, const char *name, const tpl_args *args)
{
    const char *type = tpl_type_name(self);
    if (args->n_keys) return tpl_raise(r, "TypeError", "%s.%s() takes no keyword arguments", type, name);
    return !args->n || tpl_raise(r, "TypeError", "%s.%s() takes no arguments (%u given)", type, name, args->n);
}

static uint64_t magnitude(int64_t i)
{
    return i < 0 ? -(uint64_t)i : (uint64_t)i;
}

METHOD(bit_length)
{
    uint64_t n = magnitude(tpl_whole(self));
    *out = tpl_int(n ? 64 - __builtin_clzll(n) : 0);
    return no_args(r, self, "bit_length", args);
}

METHOD(bit_count)
{
    *out = tpl_int(__builtin_popcountll(magnitude(tpl_whole(self))));
    return no_args(r, self, "bit_count", args);
}

METHOD(conjugate)
{
    *out = self.kind == TPL_FLOAT ? self : tpl_int(tpl_whole(self));
    return no_args(r, self, "conjugate", args);
}

/* The lowest terms of a double: its mantissa as an odd integer, and a power of two. */
static bool ratio_of(tpl_render *r, double f, int64_t *above, int64_t *below)
{
    int exponent;
    if (isnan(f)) return tpl_raise(r, "ValueError", "cannot convert NaN to integer ratio");
    if (isinf(f)) return tpl_raise(r, "OverflowError", "cannot convert Infinity to integer ratio");
    double mantissa = frexp(f, &exponent);
    for (int i = 0; i < 60 && mantissa != floor(mantissa); i++, exponent--) mantissa *= 2;
    *above = (int64_t)mantissa;
    *below = 1;
    bool fits = exponent <= 0 ? exponent > -63
                              : exponent < 63 && !__builtin_mul_overflow(*above, (int64_t)1 << exponent, above);
    if (!fits) return tpl_raise(r, "OverflowError", "an integer of more than 64 bits");
    if (exponent < 0) *below = (int64_t)1 << -exponent;
    return true;
}

METHOD(as_integer_ratio)
{
    int64_t above = 0, below = 1;
    if (!no_args(r, self, "as_integer_ratio", args)) return false;
    if (self.kind != TPL_FLOAT) above = tpl_whole(self);
    else if (!ratio_of(r, self.f, &above, &below)) return false;
    return tpl_pair_of(&r->pool, tpl_int(above), tpl_int(below), out);
}

METHOD(is_integer)
{
    *out = tpl_bool(isfinite(self.f) && self.f == floor(self.f));
    return no_args(r, self, "is_integer", args);
}

METHOD(hex)
{
    char shown[64];
    int exponent = 0;
    if (!no_args(r, self, "hex", args)) return false;
    if (!isfinite(self.f) || self.f == 0) {
        const char *sign = signbit(self.f) && !isnan(self.f) ? "-" : "", *size = isinf(self.f) ? "inf" : "0x0.0p+0";
        snprintf(shown, sizeof shown, "%s%s", sign, isnan(self.f) ? "nan" : size);
        return tpl_str(&r->pool, shown, out);
    }
    double mantissa = frexp(fabs(self.f), &exponent);
    int shift = exponent < -1021 ? -1021 : exponent;      /* subnormal numbers keep the smallest exponent */
    int64_t bits = (int64_t)ldexp(mantissa, exponent - shift + 53);
    snprintf(shown, sizeof shown, "%s0x%d.%013llxp%+d", self.f < 0 ? "-" : "", (int)(bits >> 52),
             (unsigned long long)(bits & ((1LL << 52) - 1)), shift - 1);
    return tpl_str(&r->pool, shown, out);
}

METHOD(bytes)
{
    (void)self;
    (void)args;
    (void)out;
    return tpl_refuse(r, "a method that makes or takes bytes");
}

const tpl_function tpl_methods_whole[] = {
    { "bit_length", bit_length }, { "bit_count", bit_count }, { "conjugate", conjugate },
    { "as_integer_ratio", as_integer_ratio },
    { "to_bytes", bytes },        { "from_bytes", bytes },    { NULL, NULL },
};
const tpl_function tpl_methods_real[] = {
    { "is_integer", is_integer }, { "hex", hex }, { "fromhex", bytes }, { "conjugate", conjugate },
    { "as_integer_ratio", as_integer_ratio }, { NULL, NULL },
};
const tpl_function tpl_methods_bytes[] = { { "encode", bytes }, { NULL, NULL } };

/* ---- dicts ---- */

bool tpl_dict_fromkeys(tpl_render *r, tpl_value self, const tpl_args *args, tpl_value *out)
{
    tpl_value item, fill = tpl_none();
    (void)self;
    if (args->n_keys) return tpl_raise(r, "TypeError", "dict.fromkeys() takes no keyword arguments");
    if (!args->n) return tpl_raise(r, "TypeError", "fromkeys expected at least 1 argument, got 0");
    if (args->n > 2) return tpl_raise(r, "TypeError", "fromkeys expected at most 2 arguments, got %u", args->n);
    if (args->n == 2) fill = args->positional[1];
    tpl_dict *dict = tpl_dict_new(&r->pool);
    tpl_iter *it = dict ? tpl_iterate(r, args->positional[0]) : NULL;
    if (!it) return false;
    for (int got; (got = tpl_next(r, it, &item));)
        if (got < 0 || !tpl_check_hashable(r, item) || !tpl_dict_set(&r->pool, dict, item, fill)) return false;
    *out = (tpl_value){ .kind = TPL_DICT, .dict = dict };
    return true;
}

METHOD(isdisjoint)
{
    tpl_value other, item;
    bool there = false;
    if (!tpl_bind(r, "isdisjoint", args, "other", 1, &other)) return false;
    tpl_iter *it = tpl_iterate(r, other);
    if (!it) return false;
    for (int got; !there && (got = tpl_next(r, it, &item));)
        if (got < 0 || !tpl_contains(r, self, item, &there)) return false;
    *out = tpl_bool(!there);
    return true;
}

const tpl_function tpl_methods_view[] = { { "isdisjoint", isdisjoint }, { NULL, NULL } };
