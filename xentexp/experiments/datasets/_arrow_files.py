"""Parquet and Arrow files of any size, and folders of Parquet files, read in batches of rows."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pandas as pd

from xentexp.errors import InputError
from xentexp.experiments.datasets._files import ARROW, check_typed, reject_duplicates
from xentexp.experiments.datasets._unpack import Limit

if TYPE_CHECKING:
    import pyarrow as pa


class ArrowPart(Protocol):
    """One file of a table whose columns have types."""

    path: Path
    schema: pa.Schema

    def batches(self, columns: Sequence[str], size: int) -> Iterator[pa.RecordBatch]:
        """Some columns, in batches of at most `size` rows."""
        ...


class ArrowTable:
    """Table whose values have types: a file, or the Parquet files of a folder, sorted by name."""

    typed = True
    commas_are_decimal = False

    def __init__(self, path: Path, where: str, limit: Limit) -> None:
        import pyarrow.types as arrow_types

        self.path, self.where, self.notes = path, where, list[str]()
        self.parts: list[ArrowPart] = _parts(path, where, limit)
        schema = self.parts[0].schema
        self.names = [str(name) for name in schema.names]
        reject_duplicates(self.names, self.parts[0].path, where)
        # A dictionary differs between batches; its values do not.
        self.kinds: dict[str, Any] = {
            field.name: field.type.value_type
            if arrow_types.is_dictionary(field.type)
            else field.type
            for field in schema
        }
        for part in self.parts[1:]:
            self._check_columns(part)

    def _check_columns(self, part: ArrowPart) -> None:
        """Raise an InputError unless a file has the columns of the first file."""
        first = self.parts[0].path.relative_to(self.path)
        name = part.path.relative_to(self.path)
        reason = None
        kinds = {field.name: field.type for field in part.schema}
        for column, kind in self.kinds.items():
            if column not in kinds:
                reason = f"{name} does not have the column {column!r} of {first}"
            elif getattr(kinds[column], "value_type", kinds[column]) != kind:
                reason = (
                    f"the column {column!r} has the type {kinds[column]} in {name} but {kind} in "
                    f"{first}"
                )
        if more := [column for column in kinds if column not in self.kinds]:
            reason = f"{name} has the column {more[0]!r}, which {first} does not have"
        if reason is not None:
            raise InputError(
                f"{self.where}: all files of {self.path.name} must have the same columns; "
                f"{reason}; write the files again with one schema"
            )

    def batches(self, columns: Sequence[str], size: int) -> Generator[pa.RecordBatch]:
        """Some columns in batches of at most `size` rows, which are not empty."""
        empty = True
        for part in self.parts:
            with contextlib.closing(self.batches_of(part, columns, size)) as batches:
                for batch in batches:
                    empty = False
                    yield batch
        if empty:
            raise InputError(f"{self.where}: {self.path.name} must have at least one row; got none")

    def batches_of(
        self, part: ArrowPart, columns: Sequence[str], size: int
    ) -> Generator[pa.RecordBatch]:
        """Some columns of one file."""
        with arrow_errors(part.path, self.where):
            for batch in part.batches(list(columns), size):
                if len(batch):
                    yield batch.select(list(columns))

    def read(self, columns: Sequence[str], size: int) -> Generator[pd.DataFrame]:
        """Some columns as data frames."""
        with contextlib.closing(self.batches(columns, size)) as batches:
            for batch in batches:
                # Integers beside missing values stay integers, whatever is in the other rows.
                frame: pd.DataFrame = batch.to_pandas(
                    types_mapper=_nullable, ignore_metadata=True, date_as_object=True
                )
                yield frame[list(columns)]


def _parts(path: Path, where: str, limit: Limit) -> list[ArrowPart]:
    if not path.is_dir():
        kind = _IpcFile if path.name.lower().endswith(ARROW) else _ParquetFile
        return [kind(path, where, limit)]
    files = sorted(
        file
        for file in path.rglob("*")
        if file.name.lower().endswith(".parquet")
        and not file.is_dir()  # a link to no file is an error
        and not any(name[0] in "._" for name in file.relative_to(path).parts)
    )
    if not files:
        raise InputError(
            f"{where}: the folder {path.absolute()} must have at least one .parquet file; got none"
        )
    folders = _values_of_folders(path, files)
    return [
        _ParquetFile(file, where, limit, constants)
        for file, constants in zip(files, folders, strict=True)
    ]


def _values_of_folders(path: Path, files: Sequence[Path]) -> list[dict[str, Any]]:
    """Columns that the names of folders state, as in ``year=2024/part.parquet``, of each file."""
    if not any("=" in name for file in files for name in file.relative_to(path).parts[:-1]):
        return [{} for _ in files]
    import pyarrow as pa
    import pyarrow.dataset as dataset
    from pyarrow.fs import LocalFileSystem

    names = [str(file) for file in files]
    layout = dataset.FileSystemFactoryOptions(
        str(path), dataset.HivePartitioning.discover(), exclude_invalid_files=False
    )
    factory = dataset.FileSystemDatasetFactory(
        LocalFileSystem(), names, dataset.ParquetFileFormat(), layout
    )
    # The last schema is that of the folders, whose types fit to the values of all of them. Files
    # may have the same columns with other types, which are read.
    found = factory.finish(factory.inspect_schemas()[-1])
    values = {
        fragment.path: dataset.get_partition_keys(fragment.partition_expression)
        for fragment in found.get_fragments()
    }
    return [
        {
            key: pa.scalar(value, type=found.schema.field(key).type)
            for key, value in values[name].items()
        }
        for name in names
    ]


class _ParquetFile:
    def __init__(
        self, path: Path, where: str, limit: Limit, constants: Mapping[str, Any] | None = None
    ) -> None:
        import pyarrow.parquet as pq

        check_typed(path, where)
        self.path, self._constants = path, dict(constants or {})
        with arrow_errors(path, where), pq.ParquetFile(path) as file:
            self.schema = file.schema_arrow
            groups = [file.metadata.row_group(i) for i in range(file.metadata.num_row_groups)]
        for group in groups:
            limit.check(group.total_byte_size, " in each row group")
        for name, value in self._constants.items():
            if name not in self.schema.names:
                import pyarrow as pa

                self.schema = self.schema.append(pa.field(name, value.type))

    def batches(self, columns: Sequence[str], size: int) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa
        import pyarrow.parquet as pq

        # With pre_buffer, all row groups that were read stay in memory.
        with pq.ParquetFile(self.path, pre_buffer=False, buffer_size=1 << 20) as file:
            own = [name for name in columns if name in file.schema_arrow.names]
            # Without a column, a batch has no number of rows.
            read = own or file.schema_arrow.names[:1]
            for batch in file.iter_batches(size, columns=read, use_threads=False):
                for name in columns:
                    if name not in own:
                        same = pa.repeat(self._constants[name], len(batch))
                        batch = batch.append_column(name, same)
                yield batch


class _IpcFile:
    def __init__(self, path: Path, where: str, limit: Limit) -> None:
        self._is_file = check_typed(path, where) == b"ARRO"
        self.path, self._limit = path, limit
        with arrow_errors(path, where), self._open() as reader:
            self.schema = reader.schema

    @contextlib.contextmanager
    def _open(self, columns: Sequence[str] | None = None) -> Iterator[Any]:
        import pyarrow as pa

        fields = None if columns is None else [self.schema.get_field_index(c) for c in columns]
        options = pa.ipc.IpcReadOptions(use_threads=False, included_fields=fields)
        opened = pa.ipc.open_file if self._is_file else pa.ipc.open_stream
        with pa.OSFile(str(self.path)) as stream, opened(stream, options=options) as reader:
            yield reader

    def batches(self, columns: Sequence[str], size: int) -> Iterator[pa.RecordBatch]:
        with self._open(columns) as reader:
            stored = (
                (reader.get_batch(i) for i in range(reader.num_record_batches))
                if self._is_file
                else iter(reader)
            )
            for batch in stored:
                self._limit.check(batch.nbytes, " in each record batch")
                for start in range(0, len(batch), size):
                    yield batch.slice(start, size)


@contextlib.contextmanager
def arrow_errors(path: Path, where: str) -> Iterator[None]:
    """Turn errors of pyarrow into an InputError that names the file."""
    try:
        yield
    except InputError:
        raise
    except (ValueError, OSError) as error:  # base classes of all pyarrow errors
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        kind = "Arrow" if path.name.lower().endswith(ARROW) else "Parquet"
        raise InputError(
            f"{where}: {path.name} is a damaged {kind} file ({reason}); write it again"
        ) from error


def _nullable(kind: Any) -> Any:
    """Dtype of pandas for integers of Arrow; None for its usual one."""
    import pyarrow.types as arrow_types

    if arrow_types.is_signed_integer(kind):
        return pd.Int64Dtype()
    return pd.UInt64Dtype() if arrow_types.is_unsigned_integer(kind) else None
