/* Asking for memory before it is needed.
 *
 * Rows are scattered over memory, and a load that finds nothing in the cache costs as much as writing several cells.
 * A processor waits for some twenty lines at a time, and with more than that it stands still: so cells of rows further
 * on are asked for one by one, each while another one is written. */
#ifndef FETCH_H
#define FETCH_H

#include <Python.h>
#include <stdint.h>

#include "../core/rb_buffer.h"

/* Ask for the line of the cache that an address is in.  A function that did nothing but __builtin_prefetch has
 * no effect as GCC sees it, and calls of it are left out: the empty instruction is an effect.
 *
 * What is asked for should be mapped.  A line of NULL costs a walk through the tables of pages each time. */
static RB_INLINE void rb_fetch_line(const void *p)
{
    __builtin_prefetch(p);
    __asm__ volatile("" : : "r"(p));
}

/* The bytes of an object that its writer reads, less one: they can reach into a second line.  Objects begin at
 * multiples of 16, so half of the small ones do not. */
#define RB_REACH 47      /* of most: a number, a datetime, the head of a dict or list */
#define RB_REACH_TEXT 64 /* of a short str, whose text is behind its head; of a Decimal or tuple */

static RB_INLINE void rb_prefetch(const void *object, unsigned reach)
{
    rb_fetch_line(object);
    rb_fetch_line((const void *)((uintptr_t)object + reach));
}

/* A row of so many columns, if it is a tuple: its head has not come yet, and does not say. */
static inline void rb_prefetch_tuple(const void *row, Py_ssize_t columns)
{
    Py_ssize_t size = (Py_ssize_t)(offsetof(PyTupleObject, ob_item) + (size_t)columns * sizeof(PyObject *));
    for (Py_ssize_t at = 0; at < size && at < 1024; at += 64)
        rb_fetch_line((const char *)row + at);
}

#endif
