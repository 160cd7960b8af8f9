/* Unicode properties by name: see properties.h. */
#include "text/properties.h"

#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <strings.h>

#include "text/unicode_tables.h"

/* Names of sets, as PCRE2's short names or, where they begin with a backslash or a digit, as items.
 * Long names of categories are those of Unicode's PropertyValueAliases.txt; \w, [[:punct:]] and
 * their like are Oniguruma's (doc/RE);
 * outside a class its \w takes Latin-1's superscripts and fractions too ("WordAlone"). */
static const struct { const char *name, *parts[5]; } sets[] = {
    { "Letter", { "L" } }, { "UppercaseLetter", { "Lu" } }, { "LowercaseLetter", { "Ll" } },
    { "TitlecaseLetter", { "Lt" } }, { "ModifierLetter", { "Lm" } },
    { "OtherLetter", { "Lo" } }, { "Mark", { "M" } }, { "NonspacingMark", { "Mn" } }, { "SpacingMark", { "Mc" } },
    { "EnclosingMark", { "Me" } },
    { "Number", { "N" } }, { "DecimalNumber", { "Nd" } }, { "LetterNumber", { "Nl" } }, { "OtherNumber", { "No" } },
    { "Punctuation", { "P" } },
    { "ConnectorPunctuation", { "Pc" } }, { "DashPunctuation", { "Pd" } }, { "OpenPunctuation", { "Ps" } },
    { "ClosePunctuation", { "Pe" } },
    { "InitialPunctuation", { "Pi" } }, { "FinalPunctuation", { "Pf" } }, { "OtherPunctuation", { "Po" } },
    { "Symbol", { "S" } }, { "MathSymbol", { "Sm" } },
    { "CurrencySymbol", { "Sc" } }, { "ModifierSymbol", { "Sk" } }, { "OtherSymbol", { "So" } },
    { "Separator", { "Z" } }, { "SpaceSeparator", { "Zs" } },
    { "LineSeparator", { "Zl" } }, { "ParagraphSeparator", { "Zp" } }, { "Other", { "C" } }, { "Control", { "Cc" } },
    { "Format", { "Cf" } },
    { "Surrogate", { "Cs" } }, { "PrivateUse", { "Co" } }, { "Unassigned", { "Cn" } }, { "Alpha", { "Alphabetic" } },
    { "Digit", { "Nd" } },
    { "Alnum", { "Alphabetic", "Nd" } }, { "Upper", { "Uppercase" } }, { "Lower", { "Lowercase" } },
    { "Punct", { "P", "S" } },
    { "Word", { "Alphabetic", "M", "Nd", "Pc" } },
    { "WordAlone", { "Alphabetic", "M", "Nd", "Pc", "\\x{b2}\\x{b3}\\x{b9}\\x{bc}-\\x{be}" } }, { "Cntrl", { "Cc" } },
    { "Blank", { "\\t", "Zs" } }, { "XDigit", { "0-9A-Fa-f" } }, { "ASCII", { "\\x00-\\x7f" } },
    { "Space", { "\\t-\\r \\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}" } },
    { "WhiteSpace",
      { "\\t-\\r \\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}" } },
};

/* Properties that are no scripts. */
static const char *const binary[] = {
    "Any", "Alphabetic", "Uppercase", "Lowercase", "Ideographic", "Emoji", "EmojiPresentation", "EmojiModifier",
    "EmojiModifierBase", "EmojiComponent",
    "ExtendedPictographic", "Cased", "CaseIgnorable", "Dash", "Diacritic", "Extender", "HexDigit", "ASCIIHexDigit",
    "IDStart", "IDContinue", "XIDStart",
    "XIDContinue", "JoinControl", "Math", "QuotationMark", "VariationSelector", "DefaultIgnorableCodePoint",
    "GraphemeExtend", "GraphemeBase",
};

/* True if a character of this category, or of script Han, that PCRE2 may not know belongs to the
 * set. */
static bool later_belongs(const char *category, const char *set)
{
    if (!strcasecmp(set, "Alphabetic")) return category[0] == 'L' || !strcmp(category, "Nl") || !strcmp(category, "Al");
    if (!strcasecmp(set, "Uppercase") || !strcasecmp(set, "Lowercase"))
        return !strcmp(category, toupper((unsigned char)*set) == 'U' ? "Lu" : "Ll");
    if (!strcmp(category, "Al")) return false;
    return set[1] ? !strcasecmp(category, set)
                  : category[0] == toupper((unsigned char)*set) && strcmp(category, "Han") != 0;
}

static void add_part(bytes *items, const char *part)
{
    char range[48];
    bool known = strlen(part) <= 2;
    if (*part == '\\' || *part == '0') {
        bytes_text(items, part);
        return;
    }
    for (size_t i = 0; i < sizeof binary / sizeof *binary; i++) known |= !strcasecmp(binary[i], part);
    bytes_text(items, known ? "\\p{" : "\\p{sc:");
    bytes_text(items, part);
    bytes_text(items, "}");
    for (size_t i = 0; i < unicode_later_categories_n; i++) {
        const unicode_later *l = &unicode_later_categories[i];
        if (!later_belongs(l->name, part)) continue;
        snprintf(range, sizeof range, l->first == l->last ? "\\x{%x}" : "\\x{%x}-\\x{%x}", (unsigned)l->first,
                 (unsigned)l->last);
        bytes_text(items, range);
    }
}

void property_items(bytes *items, const char *name)
{
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
        if (strcasecmp(sets[i].name, name)) continue;
        for (int k = 0; k < 5 && sets[i].parts[k]; k++) add_part(items, sets[i].parts[k]);
        return;
    }
    add_part(items, name);
}
