/* Whether a text could be a date or time to the server's best-effort reader.  Plain C.
 *
 * A filter in front of rowbinary._text_dates.retype_string: it must let everything pass that is
 * recognised there, and stop as much as possible of what is not (identifiers, versions, paths). */
#ifndef RB_DATES_H
#define RB_DATES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "rb_bytes.h"

static inline int rb_is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static inline int rb_is_letter(uint8_t c)
{
    return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
}

/* The words that a date may hold, other than T and Z. */
static inline int rb_is_date_word(const uint8_t *text, size_t size)
{
    char lower[10];
    if (size < 2 || size > 9)
        return 0;
    for (size_t i = 0; i < size; i++)
        lower[i] = (char)(text[i] | 0x20);
    const char *rest; /* what follows the first three letters of the long form */
#define RB_KEY(a, b, c) ((uint32_t)(a) | (uint32_t)(b) << 8 | (uint32_t)(c) << 16)
    switch (RB_KEY(lower[0], lower[1], size == 2 ? 0 : lower[2])) {
    case RB_KEY('a', 'm', 0):
    case RB_KEY('p', 'm', 0):
        return 1;
    case RB_KEY('u', 't', 'c'):
    case RB_KEY('g', 'm', 't'):
    case RB_KEY('m', 's', 'k'):
    case RB_KEY('m', 's', 'd'):
    case RB_KEY('m', 'a', 'y'):
        rest = "";
        break;
    case RB_KEY('j', 'a', 'n'):
        rest = "uary";
        break;
    case RB_KEY('f', 'e', 'b'):
        rest = "ruary";
        break;
    case RB_KEY('m', 'a', 'r'):
        rest = "ch";
        break;
    case RB_KEY('a', 'p', 'r'):
        rest = "il";
        break;
    case RB_KEY('j', 'u', 'n'):
        rest = "e";
        break;
    case RB_KEY('j', 'u', 'l'):
        rest = "y";
        break;
    case RB_KEY('a', 'u', 'g'):
        rest = "ust";
        break;
    case RB_KEY('s', 'e', 'p'):
        rest = "tember";
        break;
    case RB_KEY('o', 'c', 't'):
        rest = "ober";
        break;
    case RB_KEY('n', 'o', 'v'):
    case RB_KEY('d', 'e', 'c'):
        rest = "ember";
        break;
    case RB_KEY('m', 'o', 'n'):
    case RB_KEY('f', 'r', 'i'):
    case RB_KEY('s', 'u', 'n'):
        rest = "day";
        break;
    case RB_KEY('t', 'u', 'e'):
        rest = "sday";
        break;
    case RB_KEY('w', 'e', 'd'):
        rest = "nesday";
        break;
    case RB_KEY('t', 'h', 'u'):
        rest = "rsday";
        break;
    case RB_KEY('s', 'a', 't'):
        rest = "urday";
        break;
    default:
        return 0;
    }
#undef RB_KEY
    return size == 3 || (size == 3 + strlen(rest) && memcmp(lower + 3, rest, size - 3) == 0);
}

/* What a date can begin with: for its first character the second and the third as bits, 1 to 26 for letters of either
 * case, 0 for anything else.  A table, since texts that come by turns make branches hard to foresee. */
typedef struct {
    uint32_t second, third;
} rb_start;

#define RB_BIT(letter) ((uint32_t)2 << ((letter) - 'a'))
#define RB_NO_LETTER ((uint32_t)1)
#define RB_ANY ((uint32_t)-1)
#define RB_WORDS(letter, second, third) [letter] = {second, third}, [(letter) - 32] = {second, third}
static const rb_start rb_starts[128] = {
    RB_WORDS('a', RB_BIT('m') | RB_BIT('p') | RB_BIT('u'), RB_NO_LETTER | RB_BIT('r') | RB_BIT('g')),
    RB_WORDS('d', RB_BIT('e'), RB_BIT('c')),
    RB_WORDS('f', RB_BIT('e') | RB_BIT('r'), RB_BIT('b') | RB_BIT('i')),
    RB_WORDS('g', RB_BIT('m'), RB_BIT('t')),
    RB_WORDS('j', RB_BIT('a') | RB_BIT('u'), RB_BIT('n') | RB_BIT('l')),
    RB_WORDS('m', RB_BIT('a') | RB_BIT('o') | RB_BIT('s'),
             RB_BIT('r') | RB_BIT('y') | RB_BIT('n') | RB_BIT('k') | RB_BIT('d')),
    RB_WORDS('n', RB_BIT('o'), RB_BIT('v')),
    RB_WORDS('o', RB_BIT('c'), RB_BIT('t')),
    RB_WORDS('p', RB_BIT('m'), RB_NO_LETTER),
    RB_WORDS('s', RB_BIT('a') | RB_BIT('e') | RB_BIT('u'), RB_BIT('t') | RB_BIT('p') | RB_BIT('n')),
    RB_WORDS('t', RB_BIT('h') | RB_BIT('u'), RB_BIT('u') | RB_BIT('e')),
    RB_WORDS('u', RB_BIT('t'), RB_BIT('c')),
    RB_WORDS('w', RB_BIT('e'), RB_BIT('d')),
    ['0'] = {RB_ANY, RB_ANY}, ['1'] = {RB_ANY, RB_ANY}, ['2'] = {RB_ANY, RB_ANY}, ['3'] = {RB_ANY, RB_ANY},
    ['4'] = {RB_ANY, RB_ANY}, ['5'] = {RB_ANY, RB_ANY}, ['6'] = {RB_ANY, RB_ANY}, ['7'] = {RB_ANY, RB_ANY},
    ['8'] = {RB_ANY, RB_ANY}, ['9'] = {RB_ANY, RB_ANY}, [' '] = {RB_ANY, RB_ANY}, ['+'] = {RB_ANY, RB_ANY},
    ['-'] = {RB_ANY, RB_ANY}, ['Z'] = {RB_ANY, RB_ANY}, /* a mark that may come first; T comes behind a date only */
};
#undef RB_BIT
#undef RB_NO_LETTER
#undef RB_ANY
#undef RB_WORDS

/* The bit of a character in those. */
static inline uint32_t rb_letter_bit(uint8_t c)
{
    uint32_t letter = (uint32_t)(c | 0x20) - 'a';
    return letter < 26 ? letter + 1 : 0;
}

/* Whether a date can begin with the first three of these characters. */
static inline int rb_begins_date(const uint8_t *text)
{
    rb_start start = rb_starts[text[0] & 127];
    return (int)(start.second >> rb_letter_bit(text[1]) & start.third >> rb_letter_bit(text[2]) & 1);
}

/* Whether the letter at `i`, which begins a word, begins one that no date has.  After T and Z, marks of their own, a
 * word may go on. */
static inline int rb_begins_other_word(const uint8_t *text, size_t size, size_t i)
{
    return text[i] != 'T' && text[i] != 'Z' &&
           (i + 1 == size || !(rb_starts[text[i]].second >> rb_letter_bit(text[i + 1]) & 1));
}

/* The whole filter; `text` is ASCII, of 6 to 50 bytes. */
static int rb_looks_like_date(const uint8_t *text, size_t size)
{
    size_t digits = 0, marks = 0;
    for (size_t i = 0; i < size;) {
        uint8_t c = text[i];
        if (rb_is_digit(c)) {
            digits++;
            i++;
        } else if (rb_is_letter(c)) {
            if (rb_begins_other_word(text, size, i))
                return 0;
            /* what follows T and Z is read as a new word */
            while (i < size && (text[i] == 'T' || text[i] == 'Z'))
                i++;
            size_t start = i;
            while (i < size && rb_is_letter(text[i]))
                i++;
            if (i > start && !rb_is_date_word(text + start, i - start) &&
                !(text[start - (start > 0)] == 'T' && rb_is_date_word(text + start - 1, i - start + 1)))
                return 0;
            marks += 1;
        } else if (c == ' ' || c == ',' || c == '/' || c == ':' || c == '+' || c == '-') {
            marks++;
            i++;
        } else if (c == '.') {
            /* a fraction of a second: a time, and so another mark, stands before it */
            if (!marks)
                return 0;
            i++;
        } else {
            return 0;
        }
    }
    return digits >= 3 && (marks || digits < size);
}

/* `text` is ASCII.  What mostly comes is stopped by its size or by its first three characters. */
static inline int rb_maybe_date(const uint8_t *text, size_t size)
{
    return size - 6 <= 50 - 6 && rb_begins_date(text) && rb_looks_like_date(text, size);
}

/* --- ISO 8601 in its plain forms ------------------------------------------------------------------ */

typedef struct {
    int64_t days;    /* since 1970-01-01 */
    int64_t seconds; /* since the epoch; of a text without a zone as if it were UTC */
    uint32_t nanos;
    int has_time, has_fraction, has_zone;
} rb_moment;

/* Two digits, or -1. */
static inline int rb_two_digits(const uint8_t *text)
{
    return rb_is_digit(text[0]) && rb_is_digit(text[1]) ? (text[0] - '0') * 10 + text[1] - '0' : -1;
}

/* `Z`, `+hh`, `+hhmm` or `+hh:mm` to the end of the text; 0 when it is something else. */
static inline int rb_read_zone(const uint8_t *text, size_t size, int64_t *offset)
{
    *offset = 0;
    if (size == 1 && text[0] == 'Z')
        return 1;
    if ((size != 3 && size != 5 && size != 6) || (text[0] != '+' && text[0] != '-') || (size == 6 && text[3] != ':'))
        return 0;
    int hours = rb_two_digits(text + 1), minutes = size == 3 ? 0 : rb_two_digits(text + size - 2);
    if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59)
        return 0;
    *offset = (text[0] == '-' ? -1 : 1) * (int64_t)(hours * 3600 + minutes * 60);
    return 1;
}

/* `YYYY-MM-DD`, then `T` or a blank, `hh:mm[:ss[.fraction]]`, and a zone.  0 for every other text, also
 * for days and times that do not exist. */
static inline int rb_read_moment(const uint8_t *text, size_t size, rb_moment *moment)
{
    static const uint8_t lengths[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    memset(moment, 0, sizeof *moment);
    if (size < 10 || size > 35 || text[4] != '-' || text[7] != '-')
        return 0;
    int century = rb_two_digits(text), year = rb_two_digits(text + 2), month = rb_two_digits(text + 5);
    int day = rb_two_digits(text + 8);
    if (century < 0 || year < 0 || month < 1 || month > 12 || day < 1)
        return 0;
    year += century * 100;
    int leap = month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    if (year < 1 || day > lengths[month - 1] + leap)
        return 0;
    moment->days = rb_days(year, month, day);
    moment->seconds = moment->days * 86400;
    if (size == 10)
        return 1;
    if (size < 16 || (text[10] != 'T' && text[10] != ' ') || text[13] != ':')
        return 0;
    int hour = rb_two_digits(text + 11), minute = rb_two_digits(text + 14), second = 0;
    size_t at = 16;
    if (size >= 19 && text[16] == ':') {
        second = rb_two_digits(text + 17);
        at = 19;
    }
    if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59)
        return 0;
    moment->has_time = 1;
    if (at == 19 && at < size && text[at] == '.') {
        uint32_t unit = 100000000;
        size_t start = ++at;
        for (; at < size && rb_is_digit(text[at]); at++, unit /= 10)
            moment->nanos += (uint32_t)(text[at] - '0') * unit;
        if (at == start || at - start > 9)
            return 0;
        moment->has_fraction = 1;
    }
    int64_t offset = 0;
    if (at < size && !rb_read_zone(text + at, size - at, &offset))
        return 0;
    moment->has_zone = at < size;
    moment->seconds += hour * 3600 + minute * 60 + second - offset;
    return 1;
}

#endif
