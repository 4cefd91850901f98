/* Whether a text could be a date or time to the server's best-effort reader.  No Python.h here.
 *
 * A filter in front of rowbinary._text_dates.retype_string: it must let everything pass that is
 * recognised there, and stop as much as possible of what is not (identifiers, versions, paths). */
#ifndef RB_DATES_H
#define RB_DATES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

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
    static const char *const words[] = {
        "am", "pm", "utc", "gmt", "msk", "msd", "january", "february", "march", "april", "may", "june", "july",
        "august", "september", "october", "november", "december", "monday", "tuesday", "wednesday", "thursday",
        "friday", "saturday", "sunday"};
    char lower[10];
    if (size < 2 || size > 9)
        return 0;
    for (size_t i = 0; i < size; i++)
        lower[i] = (char)(text[i] | 0x20);
    for (size_t w = 0; w < sizeof words / sizeof *words; w++) {
        size_t length = strlen(words[w]);
        if ((size == length || (size == 3 && length > 3)) && memcmp(lower, words[w], size) == 0)
            return 1;
    }
    return 0;
}

/* `text` is ASCII. */
static inline int rb_maybe_date(const uint8_t *text, size_t size)
{
    size_t digits = 0, marks = 0;
    if (size < 6 || size > 50)
        return 0;
    for (size_t i = 0; i < size;) {
        uint8_t c = text[i];
        if (rb_is_digit(c)) {
            digits++;
            i++;
        } else if (rb_is_letter(c)) {
            /* T and Z are marks of their own; what follows them is read as a new word */
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

#endif
