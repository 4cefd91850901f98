/* Buffers of plain memory, for what is put together before it is handed out; rows go into a chunk
 * (buffer.c).  Raw memory, which takes no GIL: Python only counts it.
 *
 * Fresh memory costs about as much as encoding into it (page faults).  So what is large comes in pieces of a
 * few sizes, and pieces that come free are kept for the next buffer, of this encoder or of another.  The GIL
 * is held whenever there is something to do here, which is what keeps two threads apart. */
#include "rowbinary.h"

#define FIRST_SIZE 256 /* there may be thousands of such buffers, and most stay small */
#define SMALL ((size_t)4 << 10) /* more is worth a piece, where one is kept */
#define BEFORE ((size_t)8 << 20) /* a column has the other rows of its block too */

/* --- pieces ------------------------------------------------------------------------------------------------- */

#define SMALLEST ((size_t)64 << 10) /* less is left to malloc, which keeps it too */
#define SIZES 8                     /* each twice the one before: up to 8 MiB */
#define LARGEST (SMALLEST << (SIZES - 1))
#define GROWING 2
#if defined(__SANITIZE_ADDRESS__) || defined(RB_FUZZING)
#define KEPT ((size_t)0) /* whoever uses memory that was given back is to be found out */
#else
#define KEPT ((size_t)8 << 20) /* bytes of all pieces together */
#endif

typedef struct piece piece;
struct piece {
    piece *next;
};

static struct {
    piece *free[SIZES];
    size_t bytes;
} pool;

/* A piece begins with a line of the cache.  What was allocated for it stands before it. */
static void *new_piece(size_t size)
{
    uint8_t *memory = PyMem_RawMalloc(size + RB_LINE);
    if (!memory)
        return NULL;
    uint8_t *p = memory + RB_LINE - (uintptr_t)memory % RB_LINE; /* malloc's own places: 16 bytes before at least */
    memcpy(p - sizeof memory, &memory, sizeof memory);
    return p;
}

static void free_piece(void *p)
{
    uint8_t *memory;
    memcpy(&memory, (uint8_t *)p - sizeof memory, sizeof memory);
    PyMem_RawFree(memory);
}

static int is_piece(size_t size)
{
    return size >= SMALLEST && size <= LARGEST;
}

static piece *pop(int i)
{
    piece *p = pool.free[i];
    pool.free[i] = p->next;
    pool.bytes -= SMALLEST << i;
    return p;
}

static int class_of(size_t size)
{
    int i = 0;
    while (SMALLEST << i < size)
        i++;
    return i;
}

/* Memory for `*size` bytes or more, how many is told; NULL without memory.  A buffer that grows may get one of
 * `spare` classes more, where such a piece is kept: it will not have to move again so soon. */
static void *take_piece(size_t *size, int spare)
{
    int least = class_of(*size), i = least + spare < SIZES ? least + spare : SIZES - 1;
    while (i > least && !pool.free[i])
        i--;
    *size = SMALLEST << i;
    return pool.free[i] ? pop(i) : new_piece(*size);
}

/* Give memory back.  Where too much of it is kept the smallest pieces go. */
static void give_back(void *memory, size_t size)
{
    if (!is_piece(size)) {
        PyMem_RawFree(memory);
        return;
    }
    piece *p = memory;
    int i = class_of(size);
    p->next = pool.free[i];
    pool.free[i] = p;
    pool.bytes += size;
    for (i = 0; pool.bytes > KEPT; i += !pool.free[i])
        if (pool.free[i])
            free_piece(pop(i));
}

/* --- buffers ------------------------------------------------------------------------------------------------ */

/* Move the first `used` bytes of the buffer to memory for `room`; on failure nothing has changed. */
static int move_to(rb_buffer *b, size_t room, size_t used, int spare)
{
    size_t before = (size_t)(b->end - b->start);
    int to_piece = is_piece(room), from_piece = is_piece(before);
    uint8_t *moved = to_piece     ? take_piece(&room, spare)
                     : from_piece ? PyMem_RawMalloc(room)
                                  : PyMem_RawRealloc(b->start, room);
    if (!moved)
        return -1;
    if (to_piece || from_piece) {
        if (used)
            memcpy(moved, b->start, used);
        give_back(b->start, before);
    }
    b->start = moved;
    b->p = moved + used;
    b->end = moved + room;
    return 0;
}

/* The `grow` of such a buffer. */
int RB_COLD rb_memory_grow(rb_buffer *b, size_t need)
{
    size_t used = rb_size(b), room = (size_t)(b->end - b->start);
    if (need > RB_MAX_ROW || used > b->mark + RB_MAX_ROW + BEFORE)
        return -1;
    size_t wanted = room ? (room < SMALLEST / 4 ? 4 : 2) * room : FIRST_SIZE;
    if (wanted < used + need)
        wanted = used + need;
    if (wanted > SMALL && wanted < SMALLEST && pool.free[0])
        return move_to(b, SMALLEST, used, GROWING); /* it is there, and saves the next moves */
    return move_to(b, wanted, used, GROWING);
}

/* Room for as many bytes as the buffer is likely to get, in one move; -1 without memory for that. */
int rb_memory_expect(rb_buffer *b, size_t room)
{
    return move_to(b, room, rb_size(b), 0);
}

/* The buffer is empty afterwards and can be used again. */
void rb_memory_free(rb_buffer *b)
{
    give_back(b->start, (size_t)(b->end - b->start));
    b->start = b->p = b->end = NULL;
    b->mark = 0;
}

/* Empty the buffer but for its first `kept` bytes.  Its memory stays for what comes next, unless little of it
 * has been in use for a while. */
void rb_memory_reset(rb_buffer *b, size_t kept)
{
    size_t used = rb_size(b), room = (size_t)(b->end - b->start), faded = b->peak - b->peak / 8;
    b->peak = used > faded ? used : faded;
    b->mark = 0;
    if (b->start)
        b->p = b->start + kept;
    if (room >= SMALLEST && b->peak < room / 4)
        move_to(b, kept + b->peak + FIRST_SIZE, kept, 0); /* without memory for that it stays */
}
