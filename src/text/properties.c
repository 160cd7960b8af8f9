/* Unicode properties by name: see properties.h. */
#include "text/properties.h"

#include <strings.h>

/* Long names of general categories, which PCRE2 knows by their short ones only (Unicode's PropertyValueAliases.txt). */
static const struct { const char *name, *items; } long_names[] = {
    { "Letter", "\\p{L}" }, { "UppercaseLetter", "\\p{Lu}" }, { "LowercaseLetter", "\\p{Ll}" }, { "TitlecaseLetter", "\\p{Lt}" },
    { "ModifierLetter", "\\p{Lm}" }, { "OtherLetter", "\\p{Lo}" }, { "Mark", "\\p{M}" }, { "NonspacingMark", "\\p{Mn}" },
    { "SpacingMark", "\\p{Mc}" }, { "EnclosingMark", "\\p{Me}" }, { "Number", "\\p{N}" }, { "DecimalNumber", "\\p{Nd}" },
    { "LetterNumber", "\\p{Nl}" }, { "OtherNumber", "\\p{No}" }, { "Punctuation", "\\p{P}" }, { "ConnectorPunctuation", "\\p{Pc}" },
    { "DashPunctuation", "\\p{Pd}" }, { "OpenPunctuation", "\\p{Ps}" }, { "ClosePunctuation", "\\p{Pe}" }, { "InitialPunctuation", "\\p{Pi}" },
    { "FinalPunctuation", "\\p{Pf}" }, { "OtherPunctuation", "\\p{Po}" }, { "Symbol", "\\p{S}" }, { "MathSymbol", "\\p{Sm}" },
    { "CurrencySymbol", "\\p{Sc}" }, { "ModifierSymbol", "\\p{Sk}" }, { "OtherSymbol", "\\p{So}" }, { "Separator", "\\p{Z}" },
    { "SpaceSeparator", "\\p{Zs}" }, { "LineSeparator", "\\p{Zl}" }, { "ParagraphSeparator", "\\p{Zp}" }, { "Other", "\\p{C}" },
    { "Control", "\\p{Cc}" }, { "Format", "\\p{Cf}" }, { "Surrogate", "\\p{Cs}" }, { "PrivateUse", "\\p{Co}" }, { "Unassigned", "\\p{Cn}" },
    { "Alpha", "\\p{Alphabetic}" }, { "Digit", "\\p{Nd}" }, { "Alnum", "\\p{Alphabetic}\\p{Nd}" }, { "Upper", "\\p{Uppercase}" },
    { "Lower", "\\p{Lowercase}" }, { "Punct", "\\p{P}$+<=>^`|~" }, { "Word", "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}" }, { "Cntrl", "\\p{Cc}" },
    { "Space", "\\t-\\r \\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}" },
    { "WhiteSpace", "\\t-\\r \\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}" },
    { "Blank", "\\t\\p{Zs}" }, { "XDigit", "0-9A-Fa-f" }, { "ASCII", "\\x00-\\x7f" },
};

void property_items(bytes *items, const char *name)
{
    for (size_t i = 0; i < sizeof long_names / sizeof *long_names; i++)
        if (!strcasecmp(long_names[i].name, name)) {
            bytes_text(items, long_names[i].items);
            return;
        }
    bytes_text(items, "\\p{");
    bytes_text(items, name);
    bytes_text(items, "}");
}
