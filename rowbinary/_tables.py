"""Whatever holds columns, as batches of sources: Arrow, NumPy, pandas, mappings and sequences of these."""

from __future__ import annotations

import ctypes
import dataclasses
import itertools
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ._arrow import has_arrow, sources_of
from ._sources import PER_SECOND, Batch, Source, read
from .errors import EncodeError


def batches(table: Any, names: Sequence[str], *, ignore_extra: bool) -> Iterator[Batch]:
    """The columns `names` of `table`, which are found by name where it has names, else by position."""
    if _is_pandas(table, "DataFrame"):
        labels = list(map(str, table.columns))
        if len(set(labels)) < len(labels):
            raise EncodeError("the table has two columns of one name")
        table = {label: table[name] for label, name in zip(labels, table.columns, strict=True)}
    elif getattr(getattr(table, "dtype", None), "names", None):
        table = {name: table[name] for name in table.dtype.names}
    elif has_arrow(table):
        for source in sources_of(table):
            yield from _rows(source, names, ignore_extra)
        return
    if isinstance(table, Mapping):
        _check_names(list(table), names, ignore_extra)
        columns = [table[name] for name in names]
    else:
        columns = list(table)
        if len(columns) != len(names):
            raise EncodeError(f"{len(columns)} columns instead of {len(names)}")
    yield from aligned([list(chunks_of(column)) for column in columns], names)


def _check_names(found: Sequence[object], names: Sequence[str], ignore_extra: bool) -> None:
    if missing := [name for name in names if name not in found]:
        raise EncodeError("the table has no such column", column=missing[0])
    if len(set(found)) < len(found):
        raise EncodeError("the table has two columns of one name")
    extra = [name for name in found if name not in names]
    if extra and not ignore_extra:
        raise EncodeError("the schema has no such column", column=str(extra[0]))


def _rows(source: Source, names: Sequence[str], ignore_extra: bool) -> Iterator[Batch]:
    """A struct is a batch of rows, anything else a batch of one column."""
    if source.kind != "struct":
        if len(names) != 1:
            raise EncodeError(f"one column instead of {len(names)}")
        yield (source,)
        return
    if source.nulls:
        raise EncodeError("rows of a table cannot be NULL")
    _check_names(source.names, names, ignore_extra)
    columns = (source.children[source.names.index(name)] for name in names)
    yield tuple(
        dataclasses.replace(part(column, source.offset, source.length), keep=source) for column in columns
    )


def part(source: Source, start: int, length: int) -> Source:
    """`length` values from `start` on."""
    keep = source.keep if source.kind == "objects" else source
    return dataclasses.replace(source, offset=source.offset + start, length=length, keep=keep)


def aligned(columns: list[list[Source]], names: Sequence[str]) -> Iterator[Batch]:
    """Chunks that end at different rows are cut where any of them ends."""
    lengths = [sum(chunk.length for chunk in chunks) for chunks in columns]
    for name, length in zip(names, lengths, strict=True):
        if length != lengths[0]:
            raise EncodeError(f"{length} values, the first column has {lengths[0]}", column=name)
    ends = sorted({end for chunks in columns for end in itertools.accumulate(c.length for c in chunks)})
    cut = [_cut(chunks, ends) for chunks in columns]
    yield from zip(*cut, strict=True)


def _cut(chunks: list[Source], ends: list[int]) -> Iterator[Source]:
    ends = [end for end in ends if end]
    start = first = 0
    rest = iter(chunks)
    chunk = next(rest, None)
    for end in ends:
        while chunk is not None and start >= first + chunk.length:
            first += chunk.length
            chunk = next(rest, None)
        assert chunk is not None
        yield (
            part(chunk, start - first, end - start)
            if (start, end) != (first, first + chunk.length)
            else chunk
        )
        start = end


def chunks_of(column: Any) -> Iterator[Source]:
    """The sources of one column."""
    if _is_pandas(column) and hasattr(column, "dtype"):
        yield from _pandas(column)
    elif has_arrow(column):
        yield from sources_of(column)
    elif hasattr(column, "__array_interface__"):
        import numpy as np

        yield numpy_source(np.asanyarray(column))
    elif isinstance(column, str | bytes) or not isinstance(column, Iterable):
        raise TypeError(f"a column has to be an array, a series or a sequence, not {type(column).__name__}")
    else:
        yield objects(list(column))


def objects(values: list[Any]) -> Source:
    """Python values: the row encoder writes them."""
    return Source("objects", len(values), keep=values)


# --- NumPy --------------------------------------------------------------------------------------------


def numpy_source(array: Any) -> Source:
    """A NumPy array; those of more dimensions are lists of equal lengths."""
    if array.ndim == 0:
        raise TypeError("a column has to have a dimension")
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    if array.ndim > 1:
        return _matrix(array)
    if getattr(array, "mask", None) is not None and hasattr(array, "filled") and not array.dtype.names:
        return _masked_array(array)
    source, width = _described(array), array.dtype.itemsize
    match array.dtype.kind:
        case "b":
            source.kind, source.unit = "uint", "bool"
        case "i":
            source.kind = "int"
        case "u":
            source.kind = "uint"
        case "f" if width in (2, 4, 8):
            source.kind = "float"
        case "M" | "m":
            return _moments(array)
        case "S" if width:
            source.kind, source.layout = "bytes", "padded"
        case "U" if width:
            return _texts(array)
        case "V" if array.dtype.names:
            source.kind, source.names = "struct", array.dtype.names
            source.children = tuple(numpy_source(array[name]) for name in source.names)
        case _:
            return objects([_plain(value) for value in array])
    return source


def _masked_array(array: Any) -> Source:
    """An array of numpy.ma; fields of a structured one have masks of their own."""
    if array.dtype.kind in "mM":
        return numpy_source(array.filled(array.dtype.type("NaT")))
    mask = array.mask if array.mask.ndim else array.mask | [False] * len(array)
    return masked(numpy_source(array.data), mask)


def _described(array: Any) -> Source:
    """What all arrays of one dimension have."""
    source = Source("null", len(array), stride=array.strides[0], width=array.dtype.itemsize, keep=array)
    source.data = array.__array_interface__["data"][0] if len(array) else 0
    return source


def _plain(value: Any) -> Any:
    """Strings of NumPy's StringDType can be missing."""
    return None if type(value).__name__ in ("NAType", "NaTType") else value


def _matrix(array: Any) -> Source:
    if not array.flags.c_contiguous:
        array = array.copy(order="C")
    count, each = len(array), array.shape[1]
    flat = array.reshape((count * each, *array.shape[2:]))
    return Source("list", count, layout="each", each=each, children=(numpy_source(flat),), keep=array)


def _moments(array: Any) -> Source:
    """datetime64 and timedelta64: points in time are in UTC, as the row encoder has it."""
    import numpy as np

    letter = array.dtype.kind
    unit, count = np.datetime_data(array.dtype)
    if count != 1 or unit not in (*PER_SECOND, "h", "m", "W", "M", "Y") or (letter, unit) in _NO_LENGTH:
        return objects([None if np.isnat(value) else value for value in array])
    if letter == "M" and unit in "WMY":
        unit = "D"
    elif unit not in PER_SECOND or (letter, unit) == ("m", "D"):
        unit = "s"
    converted = array.astype(f"{letter}8[{unit}]", copy=False)
    if converted is not array and ((converted.astype(array.dtype) != array) & ~np.isnat(array)).any():
        return objects([None if np.isnat(value) else value for value in array])  # it was too much for 64 bits
    source = _described(converted)
    source.unit, source.nulls = unit, "least"
    source.kind = "duration" if letter == "m" else "date" if unit == "D" else "timestamp"
    source.zone = None if letter == "m" else "UTC"
    return source


_NO_LENGTH = {("m", "M"), ("m", "Y")}


def _texts(array: Any) -> Source:
    """Fixed widths of UCS-4 to UTF-8 with ends: what kernels and servers read."""
    try:
        from ._compile import utf8_of_ucs4
    except ImportError:  # not compiled
        return objects(array.tolist())
    found = utf8_of_ucs4(array)
    if found is None:
        return objects(array.tolist())
    ends, data = found
    source = Source("text", len(array), layout="ends", width=8, keep=(ends, data))
    source.ends, source.data = address(ends), address(data)
    return source


def address(buffer: bytes | bytearray) -> int:
    """Where a buffer is in memory."""
    if isinstance(buffer, bytes):
        return ctypes.cast(ctypes.c_char_p(buffer), ctypes.c_void_p).value or 0
    return ctypes.addressof(ctypes.c_char.from_buffer(buffer)) if buffer else 0


def _values_of(chunks: list[Source]) -> list[Any]:
    return [read(chunk, index, None) for chunk in chunks for index in range(chunk.length)]


def masked(source: Source, mask: Any) -> Source:
    """`source` with NULL where `mask`, an array of bools, is set."""
    if source.kind == "objects":
        pairs = zip(source.keep, mask.tolist(), strict=True)  # type: ignore[call-overload]
        return objects([None if null else value for value, null in pairs])
    if not mask.any():
        return source
    if source.offset or source.nulls:
        return masked(objects(_values_of([source])), mask)
    nulls = bytes(mask.astype("u1"))
    return dataclasses.replace(source, nulls="bytes", validity=address(nulls), keep=(source.keep, nulls))


# --- pandas -------------------------------------------------------------------------------------------


def _is_pandas(value: object, name: str = "") -> bool:
    kind = type(value)
    return kind.__module__.partition(".")[0] == "pandas" and (not name or kind.__name__ == name)


def _pandas(series: Any) -> Iterator[Source]:
    """A Series or an Index.  NaN, NaT and NA are NULL where the dtype says that values can be missing, and in
    columns of objects; in a column of floats NaN is a number."""
    pd: Any = sys.modules["pandas"]

    if not isinstance(series, pd.Series):
        series = pd.Series(series)
    dtype = series.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        yield _categories(series.cat.codes.to_numpy(), list(chunks_of(dtype.categories)))
    elif isinstance(dtype, pd.DatetimeTZDtype):
        source = numpy_source(np_moments(series, dtype.unit))
        source.zone = str(dtype.tz)
        yield source
    elif isinstance(dtype, pd.ArrowDtype) or getattr(dtype, "storage", "") == "pyarrow":
        yield from sources_of(series.array.__arrow_array__())
    elif hasattr(dtype, "numpy_dtype"):  # Int64, boolean, Float32 and so on
        missing = series.isna().to_numpy()
        values = series.to_numpy(dtype.numpy_dtype, na_value=dtype.numpy_dtype.type(0))
        yield masked(numpy_source(values), missing)
    elif dtype.kind == "O" or not hasattr(dtype, "itemsize") or pd.api.types.is_extension_array_dtype(dtype):
        missing = series.isna().to_numpy()
        yield masked(objects(list(series)), missing)
    else:
        yield numpy_source(series.to_numpy())


def np_moments(series: Any, unit: str) -> Any:
    """The points in time of a series with a zone, in UTC."""
    import numpy as np

    return np.asarray(series, dtype=f"datetime64[{unit}]")


def _categories(codes: Any, chunks: list[Source]) -> Source:
    values = chunks[0] if len(chunks) == 1 else objects(_values_of(chunks))
    source = dataclasses.replace(numpy_source(codes), kind="coded", unit="i", children=(values,))
    return masked(source, codes < 0)
