/* The results as a roofline picture: see bench.h. Rates over multiply-adds per byte, both
 * logarithmic; below the slope of the bandwidth and the flat roofs of each instruction set each row
 * is a dot. The names of roofs stand beside the plot; those of dots are put where nothing else is
 * yet.
 * Source: Williams, Waterman & Patterson 2009, "Roofline". */
#include <math.h>
#include <string.h>

#include "cli/bench/bench.h"
#include "cli/machine.h"

enum { WIDTH = 1120, HEIGHT = 700, LEFT = 80, RIGHT = 820, TOP = 70, BOTTOM = 630, LETTER = 7, LINE = 15, DOT = 5,
       MOST_BOXES = 512, MOST_ROOFS = 96, MOST_LINES = 192 };

/* told apart by all eyes: Okabe & Ito 2008 */
static const char *const colours[] = { "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#A6761D", "#56B4E9" };

typedef struct box {
    double x0, y0, x1, y1;
} box;

typedef struct picture {
    FILE *out;
    const bench_report *r;
    double x_low, x_high, y_low, y_high;    /* of the axes */
    /* where dots and names are; roofs and slopes, from (x0, y0) to (x1, y1) */
    box taken[MOST_BOXES], line[MOST_LINES];
    size_t n_taken, n_line;
} picture;

/* A dot: one rate of one row. */
typedef struct dot {
    double intensity, rate;    /* multiply-adds per byte, and per second */
    int threads;
    bool square;
    char name[64];
} dot;

/* ---- Which dots there are ---- */

static dot dot_of(bench_work work, double per_s, int threads, bool square)
{
    return (dot){ .intensity = work.bytes > 0 ? work.flops / work.bytes : 0, .rate = per_s * work.flops,
                  .threads = threads, .square = square };
}

/* The first batch of the list is that of the first row, and comes again with each length of the
 * prompt. */
static bool has_prompt(const bench_report *r, size_t at)
{
    return r->result[at].batch == r->result[0].batch;
}

/* The prompts of all batches have as many tokens together and lie on one spot: the first batch has
 * the dot. Returns how many there are, for out 0 to 2. */
static int dots_of(const bench_report *r, size_t at, dot out[2])
{
    const bench_result *row = &r->result[at];
    long long batch = row->batch, tokens = row->prompt_tokens;
    int n = 0;
    if (row->encoder) {
        out[n] = dot_of(row->prompt, row->prompt_per_s.median, row->threads, true);
        snprintf(out[n++].name, sizeof out->name, "x%lld of %lld tokens", batch, tokens);
        return n;
    }
    if (has_prompt(r, at)) {
        out[n] = dot_of(row->prompt, row->prompt_per_s.median, row->threads, true);
        snprintf(out[n++].name, sizeof out->name, batch > 1 ? "prompts x%lld of %lld" : "prompt %lld",
                 batch > 1 ? batch : tokens, tokens);
    }
    out[n] = dot_of(row->decode, row->decode_per_s.median, row->threads, false);
    if (batch > 1) snprintf(out[n++].name, sizeof out->name, "decode x%lld at %lld", batch, tokens);
    else snprintf(out[n++].name, sizeof out->name, "decode at %lld", tokens);
    return n;
}

static void each_dot(picture *p, void (*fn)(picture *p, const dot *d))
{
    dot d[2];
    for (size_t i = 0; i < p->r->n_result; i++)
        for (int k = 0, n = dots_of(p->r, i, d); k < n; k++)
            if (d[k].intensity > 0 && d[k].rate > 0) fn(p, &d[k]);
}

/* ---- Where things lie ---- */

static double x_of(const picture *p, double intensity)
{
    return LEFT + (RIGHT - LEFT) * log(intensity / p->x_low) / log(p->x_high / p->x_low);
}

static double y_of(const picture *p, double rate)
{
    return BOTTOM - (BOTTOM - TOP) * log(rate / p->y_low) / log(p->y_high / p->y_low);
}

static void include(double value, double *low, double *high)
{
    if (!(*low <= value)) *low = value;
    if (!(*high >= value)) *high = value;
}

static void include_dot(picture *p, const dot *d)
{
    include(d->intensity, &p->x_low, &p->x_high);
    include(d->rate, &p->y_low, &p->y_high);
}

/* Thread counts are those of the rows, in their order; -1: none has so many. */
static int colour_of(const bench_report *r, int threads)
{
    int n = 0;
    for (size_t i = 0; i < r->n_result; i++) {
        if (r->result[i].threads == threads) return n % (int)(sizeof colours / sizeof *colours);
        n += i + 1 < r->n_result && r->result[i + 1].threads != r->result[i].threads;
    }
    return -1;
}

/* The scalar set is far below the others, and shown where it is the one in use. */
static bool is_roof(const bench_report *r, const bench_peak *peak)
{
    return colour_of(r, peak->threads) >= 0 && (peak->table->rank > 0 || !strcmp(r->isa, peak->table->isa));
}

static void make_axes(picture *p)
{
    p->x_low = p->y_low = NAN;
    p->x_high = p->y_high = NAN;
    each_dot(p, include_dot);
    for (size_t i = 0; i < p->r->limits.n_peak; i++) {
        const bench_peak *peak = &p->r->limits.peak[i];
        double read = bench_read_limit(&p->r->limits, peak->threads);
        if (!is_roof(p->r, peak)) continue;
        include(peak->rate.median, &p->y_low, &p->y_high);
        if (read > 0) include(peak->rate.median / read, &p->x_low, &p->x_high);
    }
    p->x_low /= 2;
    p->x_high *= 2;
    p->y_low /= 2;
    p->y_high *= 2;
}

/* ---- Drawing ---- */

static void put_escaped(FILE *out, const char *shown)
{
    for (; *shown; shown++) {
        if (*shown == '<') fputs("&lt;", out);
        else if (*shown == '&') fputs("&amp;", out);
        else if ((unsigned char)*shown >= 0x20 && (unsigned char)*shown < 0x7F) fputc(*shown, out);
        else fputc('?', out);
    }
}

static void put_text(const picture *p, double x, double y, const char *anchor, const char *colour, const char *shown)
{
    fprintf(p->out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\" fill=\"%s\">", x, y, anchor, colour);
    put_escaped(p->out, shown);
    fputs("</text>\n", p->out);
}

static void put_line(const picture *p, double x0, double y0, double x1, double y1, const char *colour, double width)
{
    fprintf(p->out, "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"%s\" stroke-width=\"%.1f\"/>\n", x0,
            y0, x1, y1, colour, width);
}

/* A line that names keep away from. */
static void put_limit(picture *p, double x0, double y0, double x1, double y1, const char *colour, double width)
{
    if (p->n_line < MOST_LINES) p->line[p->n_line++] = (box){ x0, y0, x1, y1 };
    put_line(p, x0, y0, x1, y1, colour, width);
}

static const char *power(double v, char *text, size_t size)
{
    snprintf(text, size, v < 1000 ? "%.3g" : "%.0f", v);
    return text;
}

/* Lines at 1, 2 and 5 of each power of ten where there are few, else at the powers. */
static void draw_ticks(const picture *p, bool across)
{
    double low = across ? p->x_low : p->y_low / 1e9, high = across ? p->x_high : p->y_high / 1e9;
    bool few = log10(high / low) < 3;
    char text[32];
    for (double ten = pow(10, floor(log10(low))); ten < high; ten *= 10)
        for (int step = 0; step < (few ? 3 : 1); step++) {
            static const double steps[] = { 1, 2, 5 };
            double v = ten * steps[step], at;
            if (v < low || v > high) continue;
            at = across ? x_of(p, v) : y_of(p, v * 1e9);
            if (across) put_line(p, at, TOP, at, BOTTOM, "#e4e4e4", 1);
            else put_line(p, LEFT, at, RIGHT, at, "#e4e4e4", 1);
            if (across) put_text(p, at, BOTTOM + 18, "middle", "#444", power(v, text, sizeof text));
            else put_text(p, LEFT - 8, at + 4, "end", "#444", power(v, text, sizeof text));
        }
}

static void draw_frame(const picture *p)
{
    const tern_model_info *m = &p->r->model;
    char shown[256], cpu[128];
    fprintf(p->out, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" "
            "font-family=\"DejaVu Sans, Verdana, sans-serif\" font-size=\"11\">\n", WIDTH, HEIGHT, WIDTH, HEIGHT);
    fprintf(p->out, "<rect width=\"%d\" height=\"%d\" fill=\"#fff\"/>\n", WIDTH, HEIGHT);
    snprintf(shown, sizeof shown, "%s, %.1f million parameters, stored %s, compute %s", p->r->architecture,
             (double)m->n_param / 1e6, m->stored, m->compute);
    fputs("<g font-size=\"15\">\n", p->out);
    put_text(p, LEFT, 30, "start", "#000", shown);
    fputs("</g>\n", p->out);
    snprintf(shown, sizeof shown, "%s, %s in use; tern %s", cli_cpu_name(cpu, sizeof cpu), p->r->isa, tern_version());
    put_text(p, LEFT, 50, "start", "#444", shown);
    draw_ticks(p, true);
    draw_ticks(p, false);
    fprintf(p->out, "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" fill=\"none\" stroke=\"#888\"/>\n", LEFT, TOP,
            RIGHT - LEFT, BOTTOM - TOP);
    put_text(p, (LEFT + RIGHT) / 2.0, BOTTOM + 42, "middle", "#000",
             "operations per byte that is read (a multiply-add is two)");
    fprintf(p->out, "<g transform=\"translate(22 %.1f) rotate(-90)\">", (TOP + BOTTOM) / 2.0);
    put_text(p, 0, 0, "middle", "#000", "GFLOP/s");
    fputs("</g>\n", p->out);
}

/* ---- Roofs ---- */

typedef struct roof {
    const bench_peak *peak;
    double y, label;    /* of the line, and of its name */
} roof;

/* Names from the top downwards, a line apart, each as near to its roof as those above and the frame
 * allow. */
static void spread_labels(roof *list, size_t n)
{
    for (size_t i = 1; i < n; i++)
        for (size_t k = i; k && list[k].y < list[k - 1].y; k--) {
            roof swap = list[k];
            list[k] = list[k - 1];
            list[k - 1] = swap;
        }
    for (size_t i = 0; i < n; i++)
        list[i].label = i && list[i - 1].label + LINE > list[i].y ? list[i - 1].label + LINE : list[i].y;
    double over = n ? list[n - 1].label - BOTTOM : 0;
    for (size_t i = n; over > 0 && i; i--) {
        double most = i == n ? BOTTOM : list[i].label - LINE;
        if (list[i - 1].label > most) list[i - 1].label = most;
    }
}

static void draw_roof(picture *p, const roof *r)
{
    const char *colour = colours[colour_of(p->r, r->peak->threads)];
    double read = bench_read_limit(&p->r->limits, r->peak->threads),
        knee = read > 0 ? r->peak->rate.median / read : p->x_low;
    char shown[96];
    put_limit(p, x_of(p, knee), r->y, RIGHT, r->y, colour, 1.5);
    put_line(p, RIGHT, r->y, RIGHT + 16, r->label, colour, 0.7);
    snprintf(shown, sizeof shown, "%s %s, %d thread%s: %.0f", tern_isa_short(r->peak->table), r->peak->type,
             r->peak->threads, r->peak->threads == 1 ? "" : "s", r->peak->rate.median / 1e9);
    put_text(p, RIGHT + 20, r->label + 4, "start", colour, shown);
}

static void draw_roofs(picture *p)
{
    roof list[MOST_ROOFS];
    size_t n = 0;
    for (size_t i = 0; i < p->r->limits.n_peak && n < MOST_ROOFS; i++)
        if (is_roof(p->r, &p->r->limits.peak[i]))
            list[n++] = (roof){ .peak = &p->r->limits.peak[i], .y = y_of(p, p->r->limits.peak[i].rate.median) };
    spread_labels(list, n);
    for (size_t i = 0; i < n; i++) draw_roof(p, &list[i]);
}

/* ---- Names where nothing else is ---- */

/* Whether the line leaves the box out: both ends are on one side of it, or all its corners on one
 * side of the line. */
static bool misses(const box *l, box b)
{
    if ((l->x0 < b.x0 && l->x1 < b.x0) || (l->x0 > b.x1 && l->x1 > b.x1) || (l->y0 < b.y0 && l->y1 < b.y0) ||
        (l->y0 > b.y1 && l->y1 > b.y1))
        return true;
    int above = 0;
    for (int corner = 0; corner < 4; corner++) {
        double x = corner & 1 ? b.x1 : b.x0, y = corner & 2 ? b.y1 : b.y0;
        above += (l->x1 - l->x0) * (y - l->y0) > (l->y1 - l->y0) * (x - l->x0);
    }
    return above == 0 || above == 4;
}

static bool is_free(const picture *p, box b, bool off_lines)
{
    if (b.x0 < LEFT + 2 || b.x1 > RIGHT - 2 || b.y0 < TOP + 2 || b.y1 > BOTTOM - 2) return false;
    for (size_t i = 0; i < p->n_taken; i++) {
        const box *t = &p->taken[i];
        if (b.x0 < t->x1 && t->x0 < b.x1 && b.y0 < t->y1 && t->y0 < b.y1) return false;
    }
    for (size_t i = 0; off_lines && i < p->n_line; i++)
        if (!misses(&p->line[i], b)) return false;
    return true;
}

static void take(picture *p, box b)
{
    if (p->n_taken < MOST_BOXES) p->taken[p->n_taken++] = b;
}

static double between(double v, double low, double high)
{
    if (v < low) return low;
    if (v > high) return high;
    return v;
}

/* From the point to the nearest one of the box, past all that is there but the point's own dot. */
static bool is_reached(const picture *p, double x, double y, box b)
{
    box way = { x, y, between(x, b.x0, b.x1), between(y, b.y0, b.y1) };
    for (size_t i = 0; i < p->n_taken; i++) {
        const box *t = &p->taken[i];
        bool own = x >= t->x0 && x <= t->x1 && y >= t->y0 && y <= t->y1;
        if (!own && !misses(&way, *t)) return false;
    }
    return true;
}

enum { NEAR_RINGS = 16, RINGS = 60, TURNS = 16 };

/* Around the point in wider and wider rings, to the right first. The near ones keep off the lines,
 * and are tried for a way there that crosses no name. */
static box place(const picture *p, double x, double y, double width)
{
    double away = DOT + 5;
    for (int pass = 0; pass < 2; pass++)
        for (int ring = 0; ring < (pass ? RINGS : NEAR_RINGS); ring++)
            for (int turn = 0; turn < TURNS; turn++) {
                double angle = turn * 2 * M_PI / TURNS, radius = away + 6.0 * ring,
                    cx = x + cos(angle) * (radius + width / 2), cy = y + sin(angle) * (radius + LINE / 2.0);
                box b = { cx - width / 2, cy - LINE / 2.0, cx + width / 2, cy + LINE / 2.0 };
                if (is_free(p, b, !pass) && (pass || is_reached(p, x, y, b))) return b;
            }
    return (box){ x + away, y - LINE / 2.0, x + away + width, y + LINE / 2.0 };
}

static void draw_name(picture *p, double x, double y, const char *shown, const char *colour)
{
    double away = DOT + 5;
    box b = place(p, x, y, (double)strlen(shown) * LETTER);
    take(p, b);
    double near_x = between(x, b.x0, b.x1), near_y = between(y, b.y0, b.y1);
    if (hypot(near_x - x, near_y - y) > 2 * away) put_limit(p, x, y, near_x, near_y, colour, 0.6);
    fputs("<g stroke=\"#fff\" stroke-width=\"3\">", p->out);    /* what passes behind the text is kept off them */
    put_text(p, (b.x0 + b.x1) / 2, (b.y0 + b.y1) / 2 + 4, "middle", "#fff", shown);
    fputs("</g>", p->out);
    put_text(p, (b.x0 + b.x1) / 2, (b.y0 + b.y1) / 2 + 4, "middle", colour, shown);
}

/* The slope of the bandwidth, up to the highest roof of that many threads. Its name, which is drawn
 * later, is at its lower end. */
static void draw_slopes(picture *p, bool names)
{
    for (size_t i = 0; i < p->r->limits.n_read; i++) {
        const bench_read *read = &p->r->limits.read[i];
        int colour = colour_of(p->r, read->threads);
        double top = 0, x = p->x_low, rate = read->rate.median;
        char shown[64];
        for (size_t k = 0; k < p->r->limits.n_peak; k++)
            if (p->r->limits.peak[k].threads == read->threads && p->r->limits.peak[k].rate.median > top)
                top = p->r->limits.peak[k].rate.median;
        if (colour < 0 || top <= 0 || rate <= 0) continue;
        if (x * rate < p->y_low) x = p->y_low / rate;
        snprintf(shown, sizeof shown, "%d thread%s: %.1f GB/s", read->threads, read->threads == 1 ? "" : "s",
                 rate / 1e9);
        if (names) draw_name(p, x_of(p, x * 1.1), y_of(p, x * 1.1 * rate), shown, colours[colour]);
        else put_limit(p, x_of(p, x), y_of(p, x * rate), x_of(p, top / rate), y_of(p, top), colours[colour], 1.5);
    }
}

static void take_dot(picture *p, const dot *d)
{
    double x = x_of(p, d->intensity), y = y_of(p, d->rate);
    take(p, (box){ x - DOT - 1, y - DOT - 1, x + DOT + 1, y + DOT + 1 });
}

static void draw_dot(picture *p, const dot *d)
{
    double x = x_of(p, d->intensity), y = y_of(p, d->rate);
    const char *colour = colours[colour_of(p->r, d->threads)];
    if (d->square)
        fprintf(p->out, "<rect class=\"dot\" x=\"%.1f\" y=\"%.1f\" width=\"%d\" height=\"%d\" fill=\"%s\">", x - DOT,
                y - DOT, 2 * DOT, 2 * DOT, colour);
    else fprintf(p->out, "<circle class=\"dot\" cx=\"%.1f\" cy=\"%.1f\" r=\"%d\" fill=\"%s\">", x, y, DOT, colour);
    fprintf(p->out, "<title>%s, %d thread%s: %.1f GFLOP/s at %.2f a byte</title></%s>\n", d->name, d->threads,
            d->threads == 1 ? "" : "s", d->rate / 1e9, d->intensity, d->square ? "rect" : "circle");
    draw_name(p, x, y, d->name, colour);
}

/* ---- The file ---- */

bool bench_svg_open(bench_svg *svg, const char *path)
{
    *svg = (bench_svg){ 0 };
    if (!cli_save_open(&svg->save, path)) {
        bench_svg_close(svg);
        return false;
    }
    svg->listed = svg->save.temporary;
    if (svg->listed) bench_temp_files_add(svg->save.temporary, NULL);
    return true;
}

bool bench_svg_write(bench_svg *svg, const bench_report *r)
{
    picture p = { .out = svg->save.file, .r = r };
    make_axes(&p);
    draw_frame(&p);
    draw_roofs(&p);
    draw_slopes(&p, false);
    each_dot(&p, take_dot);
    draw_slopes(&p, true);
    each_dot(&p, draw_dot);
    fputs("</svg>\n", p.out);
    return cli_save_commit(&svg->save);
}

void bench_svg_close(bench_svg *svg)
{
    if (svg->listed) bench_temp_files_settle(!svg->save.temporary);
    cli_save_close(&svg->save);
    *svg = (bench_svg){ 0 };
}
