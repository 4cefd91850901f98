/* What rowbinary._kernels offers: bytes in, bytes or integers out, the GIL released. */
void rb_city128(const uint8_t *data, size_t size, uint64_t out[2]);
void rb_frame_header(uint8_t method, const uint8_t *payload, size_t payload_size, uint32_t raw_size,
                     uint8_t out[25]);

/* rb_source.h, where the comments are; cffi makes sure that these are the same. */
enum { RB_AS_IS, RB_WHOLE, RB_WIDE, RB_REAL, RB_TEXT, RB_HALVES, RB_CODED, RB_LIST, RB_STRUCT,
       RB_CELLS };
enum { RB_I8, RB_I16, RB_I32, RB_I64, RB_U8, RB_U16, RB_U32, RB_U64, RB_F16, RB_F32, RB_F64,
       RB_I128, RB_BITS, RB_ENDS32, RB_ENDS64, RB_VIEWS, RB_EACH, RB_PADDED };
enum { RB_NO_NULLS, RB_VALID_BITS, RB_NULL_BYTES, RB_LEAST };

typedef struct rb_source rb_source;
struct rb_source {
    uint8_t shape, load, nulls;
    uint8_t nullable;
    uint8_t low_cardinality;
    uint8_t exact;
    uint8_t digits;
    int8_t power;
    uint32_t width;
    uint32_t child_count;
    int64_t length;
    int64_t offset;
    int64_t stride;
    int64_t each;
    int64_t low, high, times, over;
    const uint8_t *data;
    const uint8_t *ends;
    const uint8_t *validity;
    const uint8_t *const *pieces;
    int64_t piece_count;
    const rb_source *children;
};

typedef struct {
    const rb_source *source;
    int64_t start, count;
} rb_piece;

typedef struct {
    uint8_t *start;
    uint64_t size, used, need;
} rb_scratch;

int64_t rb_utf8_of_ucs4(const uint8_t *data, int64_t stride, int64_t characters, int64_t count,
                        int64_t *ends, uint8_t *out);
int64_t rb_rows_measure(const rb_source *columns, int64_t column_count, int marked, int64_t from,
                        int64_t to, uint64_t enough, uint64_t *size);
int rb_rows_write(const rb_source *columns, int64_t column_count, int marked, int64_t from, int64_t count,
                  uint8_t *out, uint64_t size);
int64_t rb_other_length(const rb_source *one, const rb_source *other, int64_t from, int64_t to);
int64_t rb_column_measure(const rb_piece *pieces, int64_t piece_count, rb_scratch *scratch);
int rb_column_fill(const rb_piece *pieces, int64_t piece_count, rb_scratch *scratch, uint8_t *out,
                   uint64_t size);
