/* Keys met before in the documents of RowBinary, with the path that each leads to.
 *
 * Documents of one source have the same keys in about the same order, and mostly the very same key
 * objects.  A trail belongs to a place where objects are found: the cell itself, the object at a key, the
 * objects in the list at a key.  It holds a step for each key seen there, with the bytes of the path, and
 * each step knows which one came after it last time.  So the usual key costs one comparison, its path one
 * copy; the next guess is a look-up by the hash that every key of a dict has.
 *
 * Nothing here is needed for the bytes to be right.  What is too long or too much is not remembered, and a
 * trail whose guesses are wrong is left alone for a while. */
#ifndef TRAIL_H
#define TRAIL_H

#include "rowbinary.h"

#define RB_PATH_ROOM 64    /* bytes of the longest path remembered, its length included */
#define RB_MAX_STEPS 4096  /* of an encoder */
#define RB_BAD_OBJECTS 8   /* after so many a trail rests */
#define RB_TRAIL_REST 512

typedef struct {
    PyObject *key;    /* an exact str; strong, so that its address means this text */
    uint32_t next;    /* which step came after this one */
    uint8_t size;     /* of `path` */
    uint8_t dotted;   /* whether the key has a dot */
    rb_trail *object; /* of the dict found here, and of those in the list found here; NULL before the first */
    rb_trail *items;
    uint8_t path[RB_PATH_ROOM]; /* length and text */
} rb_step;

typedef struct {
    uint32_t hash; /* the low half */
    uint32_t step; /* 1 + index; 0 is free */
} rb_slot;

struct rb_trail {
    rb_step *steps;
    rb_slot *table;
    uint32_t count, mask;
    uint32_t guess;  /* the step that should come next */
    uint32_t last;   /* the one that came last; it learns what came after it */
    uint32_t misses; /* wrong guesses in the object being walked */
    uint32_t bad;    /* objects in a row in which most were wrong */
    uint32_t rest;   /* objects that are walked without the trail, as it leads nowhere */
};

rb_step *rb_trail_search(rb_encoder *e, rb_trail *trail, PyObject *key);
rb_trail *rb_trail_of(rb_trail **place);
void rb_trail_free(rb_trail *trail);

/* The trail for the next object, NULL for none: keys that come in any order are written sooner than looked up. */
static inline rb_trail *rb_trail_open(rb_trail *trail)
{
    if (!trail)
        return NULL;
    if (RB_UNLIKELY(trail->rest)) {
        trail->rest--;
        return NULL;
    }
    trail->misses = 0;
    return trail;
}

/* After an object of `count` keys. */
static inline void rb_trail_close(rb_trail *trail, Py_ssize_t count)
{
    if (!trail)
        return;
    trail->bad = 2 * (Py_ssize_t)trail->misses > count ? trail->bad + 1 : 0;
    if (RB_UNLIKELY(trail->bad == RB_BAD_OBJECTS)) {
        trail->bad = 0;
        trail->rest = RB_TRAIL_REST;
    }
}

/* The step of `key`; NULL when it is not remembered.  Valid until the next search. */
static inline rb_step *rb_trail_step(rb_encoder *e, rb_trail *trail, PyObject *key)
{
    rb_step *step = &trail->steps[trail->guess];
    if (RB_UNLIKELY(step->key != key)) {
        step = rb_trail_search(e, trail, key);
        if (!step)
            return NULL;
    }
    trail->last = (uint32_t)(step - trail->steps);
    trail->guess = step->next;
    return step;
}

#endif
