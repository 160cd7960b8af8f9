"""The table of a run: for each mark and thread count tern's figure, the best peer's, their ratio or the share of a limit, and whether it holds. peers.py calls it; it reads samples only."""
import statistics


class Figures:
    """Samples of a run by (section, engine, entry, threads)."""

    def __init__(self, run):
        self.by = {}
        for s in run["samples"]:
            self.by.setdefault((s["section"], s["engine"], s["entry"], s["threads"]), []).append(s)

    def get(self, section, engine, entry, threads, value):
        """Every sample's value; value gets (answer, asked) and may give None."""
        found = [value(s["answer"], s["asked"]) for s in self.by.get((section, engine, entry, threads), [])]
        return [x for x in found if x is not None]

    def disturbed(self, section, entry, threads):
        return any(s["disturbed"] for (at, _, what, n), list_ in self.by.items() if (at, what, n) == (section, entry, threads) for s in list_)

    def moved(self, section, entry, threads, limit):
        """The limit, "peak" or "bandwidth", was another one behind tern's work than before it."""
        return any(self.get(section, "tern", entry, threads, lambda a, asked: a.get(limit + "_moved")))


def prompt_rate(a, asked):
    return asked["batch"] * asked["prompt"] / a["prompt_s"] if "prompt_s" in a else None


def decode_rate(a, asked):
    return asked["batch"] * asked["decode"] / a["decode_s"] if asked.get("decode") and a.get("decode_s", 0) > 0 else None


def text_rate(a, asked):
    return asked["batch"] / statistics.median(a["texts_s"]) if "texts_s" in a else None


def first_rate(a, asked):
    return 1 / a["first_s"] if "first_s" in a else None


COSINE_ENTRY = "32"    # the texts whose vectors are compared
RATES = {"prompt": prompt_rate, "decode": decode_rate, "texts": text_rate, "first": first_rate}


def cosine(a, b):
    dot = sum(x * y for x, y in zip(a, b))
    return dot / (sum(x * x for x in a) * sum(y * y for y in b)) ** 0.5


def least_cosine(figures, section, threads):
    """Of tern's vectors to those of sentence-transformers, the same texts one by one."""
    pairs = [figures.get(section, engine, COSINE_ENTRY, threads, lambda a, asked: a.get("vectors")) for engine in ("tern", "sentence-transformers")]
    if not all(pairs):
        return None
    return min(cosine(x, y) for x, y in zip(pairs[0][0], pairs[1][0]))


def highest_peak(a, *types):
    return max((p["gflop_per_s"]["median"] for p in a["machine"]["peaks"] if p["type"] in types), default=None)


def instruction_share(a, asked):
    """The share of the peak of the type's own instruction, where another one is faster and `tern bench` takes that as the limit."""
    own = highest_peak(a, a.get("type"))
    return a["peak_share"] * highest_peak(a, "f32", a["type"]) / own if own else None


# tern's own of a limit: what it is a share of says the name; the number that stands beside it.
SHARES = {"peak_share": (prompt_rate, lambda a, asked: a.get("peak_share")), "instruction_share": (prompt_rate, instruction_share),
          "bandwidth_share": (decode_rate, lambda a, asked: a.get("bandwidth_share")), "memory_share": (lambda a, asked: a.get("peak_mb"), lambda a, asked: a.get("memory_share"))}


def spread(values, digits=4):
    if not values:
        return "–"
    middle, low, high = statistics.median(values), min(values), max(values)
    return f"{middle:.{digits}g}" + (f" ({low:.{digits}g}..{high:.{digits}g})" if len(values) > 1 else "")


def compared(figures, mark, threads):
    """(tern's label, the peer's label, the figure); the figure is None where something was not measured."""
    section, entry, figure = mark["section"], mark["entry"], mark["figure"]
    if figure == "cosine":
        types = figures.get(section, "tern", COSINE_ENTRY, threads, lambda a, asked: a.get("type")) or []
        return "".join(f"--compute {t}" for t in sorted(set(types))), "", least_cosine(figures, section, threads)
    if figure in SHARES:
        rate, share = SHARES[figure]
        values = figures.get(section, "tern", entry, threads, share)
        return spread(figures.get(section, "tern", entry, threads, rate)), "", statistics.median(values) if values else None
    if figure == "latency_ms":
        ours = figures.get(section, "tern", entry, threads, lambda a, asked: statistics.median(a["texts_s"]) * 1e3)
        theirs = {e: figures.get(section, e, entry, threads, lambda a, asked: statistics.median(a["texts_s"]) * 1e3) for e in engines(figures, section)}
        best = min((e for e in theirs if theirs[e]), key=lambda e: statistics.median(theirs[e]), default=None)
        return spread(ours), f"{best} {spread(theirs[best])}" if best else "", statistics.median(ours) if ours else None
    if figure == "long":
        short, long = (figures.get(at, "tern", what, threads, prompt_rate) for at, what in (("tinyllama", "one"), (section, entry)))
        return not long and "" or f"{spread(long)} to {spread(short)} tokens/s", "", statistics.median(short) / statistics.median(long) if short and long else None
    if figure.startswith("beside "):
        rate = RATES[figure.split()[1]]
        two, one = figures.get(section, "tern", "busy", 2, rate), figures.get(section, "tern", "alone", 1, rate)
        return not two and "" or f"{spread(two)} to {spread(one)} tokens/s", "", statistics.median(two) / statistics.median(one) if two and one and threads == 2 else None
    rate = RATES[figure]
    ours = figures.get(section, "tern", entry, threads, rate)
    theirs = {e: figures.get(section, e, entry, threads, rate) for e in mark["peers"]}
    best = max((e for e in theirs if theirs[e]), key=lambda e: statistics.median(theirs[e]), default=None)
    ratio = statistics.median(ours) / statistics.median(theirs[best]) if ours and best else None
    return spread(ours), f"{best} {spread(theirs[best])}" if best else "", ratio


def engines(figures, section):
    return [e for e in dict.fromkeys(key[1] for key in figures.by if key[0] == section) if e != "tern"]


def verdict(mark, threads, value):
    must = mark["must"].get(threads) if isinstance(mark["must"], dict) else mark["must"]
    if value is None:
        return must, "not measured"
    reaches = (lambda limit: value <= limit) if mark["below"] else (lambda limit: value >= limit)
    if must is not None and not reaches(must):
        return must, "NO"
    return must, "aim" if mark["aim"] is not None and reaches(mark["aim"]) else "yes" if must is not None else "–" if mark["aim"] is None else "below aim"


LIMITS = {"peak_share": "peak", "instruction_share": "peak", "bandwidth_share": "bandwidth"}    # what moves


def remarks(figures, mark, threads, value):
    """What is to be known of a figure before it is believed."""
    at, limit = (mark["section"], mark["entry"], threads), LIMITS.get(mark["figure"])
    found = ["disturbed"] * figures.disturbed(*at) + ["limit moved"] * (limit is not None and figures.moved(*at, limit))
    found += ["above the limit"] * (mark["figure"] in ("peak_share", "bandwidth_share") and value is not None and value > 1)
    return f" ({', '.join(found)})" if found else ""


def number(x):
    return "–" if x is None else f"{x:.4g}" if x < 0.9995 or x > 1.0005 else f"{x:.6g}"


def marks_table(figures, marks, threads):
    lines = ["| mark | threads | tern | peer | figure | must | aim | holds |", "|---|---|---|---|---|---|---|---|"]
    for mark in marks:
        for n in threads:
            ours, theirs, value = compared(figures, mark, n)
            if value is None and not (ours.strip("–") or theirs):
                continue
            must, holds = verdict(mark, n, value)
            at_most = "≤ " if mark["below"] else ""
            lines.append(f"| {mark['what']} | {n} | {ours} | {theirs} | {number(value)} | {at_most * (must is not None)}{number(must)} | {at_most * (mark['aim'] is not None)}{number(mark['aim'])} | {holds}{remarks(figures, mark, n, value)} |")
    return lines


def speeds_table(figures, threads):
    """Every engine's speed on every entry: what the ratios are made of."""
    lines = ["| section | entry | engine | " + " | ".join(f"{n} thread{'s' * (n > 1)}" for n in threads) + " |", "|---|---|---|" + "---|" * len(threads)]
    for section, engine, entry in dict.fromkeys(key[:3] for key in figures.by):
        for name, rate in RATES.items():
            cells = [figures.get(section, engine, entry, n, rate) for n in threads]
            wanted = name != "prompt" or entry in ("one", "8192", "busy", "alone")
            if wanted and any(cells):
                unit = {"texts": "sentences/s", "first": "first tokens/s"}.get(name, f"{name} tokens/s")
                lines.append(f"| {section} | {entry}, {unit} | {engine} | " + " | ".join(spread(c) for c in cells) + " |")
    return lines


def text(run, marks):
    figures, m = Figures(run), run["machine"]
    threads = sorted({s["threads"] for s in run["samples"]})
    limits = {s["threads"]: s["answer"]["machine"] for s in run["samples"] if "machine" in s["answer"] and not s["asked"].get("beside")}
    head = [f"# tern and its peers, {run['date']}", "",
            f"{m['cpu']} (family {m['family']}, model {m['model']}), {m['cores']} cores, {m['memory_gib']} GiB; {', '.join(m['isa'])}; Linux {m['kernel']}. tern at commit {run['commit']}.",
            f"`{run['command']}`, {run['minutes']} minutes with what it waited. Medians (least..most) of the rounds; `tern bench` gives its own median for each round.", ""]
    head += ["Versions: " + "; ".join(f"{engine}: {version}" for engine, version in run["versions"].items()) + "."]
    if run["missing"]:
        head += ["Not measured: " + "; ".join(f"{name} ({why})" for name, why in run["missing"].items()) + "."]
    for n, limit in sorted(limits.items()):
        head += ["", f"Limits, as `tern bench --threads {n}` measured them last: " + limits_text(limit)]
    n = sum(s["disturbed"] for s in run["samples"])
    head += ["", f"{n} of {len(run['samples'])} measurements were disturbed by other processes." if n else "No measurement was disturbed by other processes.", ""]
    return "\n".join(head + marks_table(figures, marks, threads) + ["", "## Speeds", ""] + speeds_table(figures, threads))


def limits_text(machine):
    read = [f"{r['threads']}: {r['gb_per_s']['median']:.1f} GB/s" for r in machine["read"]]
    peaks = [f"{p['isa']} {p['type']} {p['threads']}: {p['gflop_per_s']['median']:.0f} GFLOP/s" for p in machine["peaks"] if p["isa"] != "scalar"]
    return f"reads by threads {', '.join(read)}; multiply-adds {', '.join(peaks)}."
