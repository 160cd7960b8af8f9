/* strftime_now: Python's strftime in the C locale, for a local time without a zone. Called through
 * the table of functions. */
#include <stdio.h>
#include <string.h>

#include "base/ctx.h"
#include "text/template/template.h"

static const char *const months[] = { "January", "February", "March",     "April",   "May",      "June",
                                      "July",    "August",   "September", "October", "November", "December" };
static const char *const days[] = { "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday" };

static bool leap(int64_t y)
{
    return (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
}

static int day_of_year(const tern_clock *c)      /* 0.. */
{
    static const int before[] = { 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334 };
    return before[c->month - 1] + c->day - 1 + (c->month > 2 && leap(c->year));
}

/* 0: Sunday. Source: Gauss's formula for the weekday of 1 January. */
static int weekday(const tern_clock *c)
{
    int64_t y = c->year - 1;
    return (int)((1 + y * 365 + y / 4 - y / 100 + y / 400 + day_of_year(c)) % 7);
}

/* The ISO 8601 week and the year that it belongs to. */
static int iso_week(const tern_clock *c, int64_t *year)
{
    int day = (weekday(c) + 6) % 7, week = (day_of_year(c) - day + 10) / 7;
    *year = c->year;
    if (week < 1) {
        tern_clock last = { .year = --*year, .month = 12, .day = 31 };
        return iso_week(&last, year);
    }
    if (week == 53) {      /* it may be the first of the next year */
        tern_clock next = { .year = c->year + 1, .month = 1, .day = 1 };
        if ((weekday(&next) + 6) % 7 <= 3) return *year = c->year + 1, 1;
    }
    return week;
}

static bool put_code(tpl_render *r, tpl_text *text, const tern_clock *c, char code, char flag)
{
    char shown[64];
    int64_t iso_year;
    int hour12 = c->hour % 12 ? c->hour % 12 : 12, wday = weekday(c), yday = day_of_year(c), n = 0, width = 2;
    const char *more = NULL;
    char pad = flag == '_' ? ' ' : '0';
    shown[0] = 0;
    switch (code) {
    case 'Y': snprintf(shown, sizeof shown, "%lld", (long long)c->year); return tpl_puts(&r->pool, text, shown);
    case 'C': n = (int)(c->year / 100); break;
    case 'y': n = (int)(c->year % 100); break;
    case 'm': n = c->month; break;
    case 'd': n = c->day; break;
    case 'e':
        n = c->day;
        pad = flag == '0' ? '0' : ' ';
        break;
    case 'H': n = c->hour; break;
    case 'k':
        n = c->hour;
        pad = flag == '0' ? '0' : ' ';
        break;
    case 'I': n = hour12; break;
    case 'l':
        n = hour12;
        pad = flag == '0' ? '0' : ' ';
        break;
    case 'M': n = c->minute; break;
    case 'S': n = c->second; break;
    case 'f':
        n = c->microsecond;
        width = 6;
        break;
    case 'j':
        n = yday + 1;
        width = 3;
        break;
    case 'U': n = (yday + 7 - wday) / 7; break;
    case 'W': n = (yday + 7 - (wday + 6) % 7) / 7; break;
    case 'V': n = iso_week(c, &iso_year); break;
    case 'u':
        n = wday ? wday : 7;
        width = 1;
        break;
    case 'w':
        n = wday;
        width = 1;
        break;
    case 'G':
        iso_week(c, &iso_year);
        snprintf(shown, sizeof shown, "%lld", (long long)iso_year);
        return tpl_puts(&r->pool, text, shown);
    case 'g':
        iso_week(c, &iso_year);
        n = (int)(iso_year % 100);
        break;
    case 'B': return tpl_puts(&r->pool, text, months[c->month - 1]);
    case 'b':
    case 'h': return tpl_put(&r->pool, text, months[c->month - 1], 3, true);
    case 'A': return tpl_puts(&r->pool, text, days[wday]);
    case 'a': return tpl_put(&r->pool, text, days[wday], 3, true);
    case 'p': return tpl_puts(&r->pool, text, c->hour < 12 ? "AM" : "PM");
    case 'P': return tpl_puts(&r->pool, text, c->hour < 12 ? "am" : "pm");
    case 'n': return tpl_puts(&r->pool, text, "\n");
    case 't': return tpl_puts(&r->pool, text, "\t");
    case '%': return tpl_puts(&r->pool, text, "%");
    case 'z':
    case 'Z': return true;      /* there is no zone */
    case 'D':
    case 'x': more = "m/d/y"; break;
    case 'T':
    case 'X': more = "H:M:S"; break;
    case 'R': more = "H:M"; break;
    case 'F': more = "Y-m-d"; break;
    case 'r': more = "I:M:S p"; break;
    case 'c': more = "a b e H:M:S Y"; break;
    default: return tpl_refuse(r, "strftime's %%%c", code);
    }
    for (; more && *more; more++) {
        bool letter = (*more >= 'a' && *more <= 'z') || (*more >= 'A' && *more <= 'Z');
        if (letter ? !put_code(r, text, c, *more, 0) : !tpl_put(&r->pool, text, more, 1, true)) return false;
    }
    if (more) return true;
    if (flag == '-') snprintf(shown, sizeof shown, "%d", n);
    else snprintf(shown, sizeof shown, pad == ' ' ? "%*d" : "%0*d", width, n);
    return tpl_puts(&r->pool, text, shown);
}

bool tpl_strftime(tpl_render *r, tpl_value format, tpl_value *out)
{
    const char *f = tpl_data(format);
    tpl_text *text = tpl_text_new(&r->pool, format.n + 16);
    for (size_t i = 0, from = 0; text && i <= format.n; i++) {
        if (i < format.n && f[i] != '%') continue;
        if (!tpl_put_str(&r->pool, text, tpl_cut(format, from, i))) return false;
        if (i == format.n) break;
        char flag = i + 1 < format.n && f[i + 1] && strchr("-_0^#", f[i + 1]) ? f[++i] : 0;
        if (flag == '^' || flag == '#') return tpl_refuse(r, "strftime's flag %c", flag);
        if (i + 1 >= format.n) return tpl_refuse(r, "a %% at the end of strftime's format");
        if (!put_code(r, text, r->clock, f[++i], flag)) return false;
        from = i + 1;
    }
    if (text) *out = tpl_text_value(text);
    return text != NULL;
}
