"""Writes src/text/unicode_tables.c: kinds of characters as the tokenizers library sees them.

The library mixes several versions of Unicode (the Rust standard library's, Oniguruma's, those of two older crates), and the libraries that
tern uses have their own. Every table here is what the library answers for each character by itself, asked through its Python package; a table
of differences is taken against Unicode 14, the oldest version that PCRE2 comes with here (unicodedata of Python 3.11 has that version too).

    build-venv/bin/python tools/make_unicode_tables.py > src/text/unicode_tables.c        (tokenizers 0.23.3, Python 3.11)
"""
import sys
import unicodedata

from tokenizers import Regex, normalizers, pre_tokenizers

CHARS = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]


def ranges(chars):
    out = []
    for c in sorted(chars):
        if out and out[-1][1] == c - 1:
            out[-1][1] = c
        else:
            out.append([c, c])
    return out


def write_lines(items, per_line):
    for i in range(0, len(items), per_line):
        print("    " + " ".join(items[i:i + per_line]))


def write_ranges(name, chars, what):
    rows = ["{ 0x%x, 0x%x }," % (a, b) for a, b in ranges(chars)]
    print("\n/* %s */\nconst unicode_range unicode_%s[] = {" % (what, name))
    write_lines(rows, 6)
    print("};\nconst size_t unicode_%s_n = sizeof unicode_%s / sizeof *unicode_%s;" % (name, name, name))


def parts(tokenizer, text):
    return len(tokenizer.pre_tokenize_str(text))


def removed(normalizer, chars=CHARS):
    return {c for c in chars if normalizer.normalize_str(chr(c)) == ""}


def bert(**on):
    options = dict(clean_text=False, handle_chinese_chars=False, strip_accents=False, lowercase=False)
    options.update(on)
    return normalizers.BertNormalizer(**options)


def matches(expression):
    split = pre_tokenizers.Split(Regex(expression), "removed")
    return {c for c in CHARS if not split.pre_tokenize_str(chr(c))}


def scripts():
    """Each character's script as a number, 0 where it never begins a piece (the library's "Any")."""
    split = pre_tokenizers.UnicodeScripts()

    def same(a, b):
        return parts(split, chr(a) + chr(b)) == 1

    representatives, table, last = [ord("a")], {}, 0
    for c in CHARS:
        if c == 0x20:
            continue
        if same(ord("a"), c) and same(0x4E00, c):
            continue
        order = [last] + [i for i in range(len(representatives)) if i != last]
        found = next((i for i in order if same(representatives[i], c)), None)
        if found is None:
            found = len(representatives)
            representatives.append(c)
        table[c] = last = found
    return table


def frozen():
    """Characters that the library's normal forms leave alone though Unicode 14 or 15 gives them a decomposition or a combining class."""
    forms = {name: getattr(normalizers, name)() for name in ("NFC", "NFD", "NFKC", "NFKD")}
    out = set()
    for c in CHARS:
        text = chr(c)
        if any(forms[f].normalize_str(text) == text != unicodedata.normalize(f, text) for f in ("NFD", "NFKD")):
            out.add(c)
        klass = unicodedata.combining(text)
        probe, order = ("\u0334", text) if klass > 1 else (text, "\u0301")
        if klass and forms["NFD"].normalize_str(text) == text and forms["NFD"].normalize_str(order + probe) != probe + order:
            out.add(c)
    return out | {c for c in CHARS if unicodedata.category(chr(c)) == "Cn"} - matches("\\p{Cn}")    # assigned later than its tables


def main():
    spaces, words, digits = pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Whitespace(), pre_tokenizers.Digits(True)
    punctuation = pre_tokenizers.Punctuation("isolated")
    around = {c: "a" + chr(c) + "a" for c in CHARS}
    print("/* Kinds of characters as the tokenizers library sees them: see unicode_tables.h. Written by tools/make_unicode_tables.py; used by unicode.c. */")
    print('#include "text/unicode_tables.h"')
    write_ranges("word", {c for c in CHARS if parts(words, around[c]) == 1}, "\\w of Rust's regular expressions")
    write_ranges("punctuation", {c for c in CHARS if parts(punctuation, around[c]) == 3}, "punctuation, ASCII's symbols among it")
    write_ranges("numeric", {c for c in CHARS if parts(digits, around[c]) == 3}, "N")
    write_ranges("mark", removed(normalizers.StripAccents()), "M, as StripAccents has it")
    write_ranges("nonspacing", {c for c in removed(bert(strip_accents=True))}, "Mn, as BertNormalizer has it")
    write_ranges("control", removed(bert(clean_text=True)) - {0, 0xFFFD}, "the control characters of BertNormalizer")
    write_ranges("frozen", frozen(), "left alone by the normal forms")
    assert {c for c in CHARS if parts(spaces, around[c]) > 1} == matches("\\s")

    print("\n/* Lower case that utf8proc 2.8 does not know. */\nconst unicode_pair unicode_lower_later[] = {")
    lower = normalizers.Lowercase()
    pairs = [(c, lower.normalize_str(chr(c))) for c in CHARS if unicodedata.category(chr(c)) == "Cn" or c in (0xA7D2, 0xA7D4)]
    write_lines(["{ 0x%x, 0x%x }," % (c, ord(t)) for c, t in pairs if t != chr(c)], 8)
    print("};\nconst size_t unicode_lower_later_n = sizeof unicode_lower_later / sizeof *unicode_lower_later;")

    print("\n/* Characters that Oniguruma has and Unicode 14 has not, by general category; \"Al\": alphabetic all the same. */")
    print("const unicode_later unicode_later_categories[] = {")
    rows = []
    for name in ("Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nd", "Nl", "No", "Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po", "Sm", "Sc", "Sk", "So", "Cf"):
        later = {c for c in matches("\\p{%s}" % name) if unicodedata.category(chr(c)) == "Cn"}
        rows += ['{ 0x%x, 0x%x, "%s" },' % (a, b, name) for a, b in ranges(later)]
    letters = {c for c in CHARS if unicodedata.category(chr(c))[0] == "L"}
    alphabetic = {c for c in matches("\\p{Alphabetic}") if unicodedata.category(chr(c)) in ("Cn", "Mn", "Mc", "So")} - letters
    rows += ['{ 0x%x, 0x%x, "Al" },' % (a, b) for a, b in ranges(alphabetic)]
    rows += ['{ 0x%x, 0x%x, "Han" },' % (a, b) for a, b in ranges({c for c in matches("\\p{Han}") if unicodedata.category(chr(c)) == "Cn"})]
    write_lines(rows, 4)
    print("};\nconst size_t unicode_later_categories_n = sizeof unicode_later_categories / sizeof *unicode_later_categories;")

    print("\n/* Scripts, by number; what is in no range begins no piece. Hiragana, Katakana and Han count as one. */\nconst unicode_script unicode_scripts[] = {")
    rows, table, start = [], scripts(), None
    for c in sorted(table) + [None]:
        if start is not None and (c is None or c != before + 1 or table[c] != table[start]):
            rows.append("{ 0x%x, 0x%x, %d }," % (start, before, table[start]))
            start = None
        if start is None:
            start = c
        before = c
    write_lines(rows, 5)
    print("};\nconst size_t unicode_scripts_n = sizeof unicode_scripts / sizeof *unicode_scripts;")


if __name__ == "__main__":
    sys.exit(main())
