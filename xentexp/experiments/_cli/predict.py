"""`xentexp predict`: predictions of a stored model for the rows of a file."""

from __future__ import annotations

import argparse
import contextlib
import tempfile
from collections.abc import Generator, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from xentexp._inputs.asarray import precision
from xentexp._inputs.columns import Predictions
from xentexp._inputs.labels import plain_text
from xentexp._inputs.options import check_integer
from xentexp._inputs.rows import Rows
from xentexp.errors import InputError, printable
from xentexp.experiments._cli.class_columns import split_names
from xentexp.experiments._cli.score import FILE_OPTIONS, as_options
from xentexp.experiments._cli.signals import terminable
from xentexp.experiments._cli.terminal import print_json, say
from xentexp.experiments._formatting import and_list, counted, fixed, harmless
from xentexp.experiments._new_files import FileOption, check_new, check_not_read, write_new

if TYPE_CHECKING:
    import pandas as pd
    from sklearn.pipeline import Pipeline

    from xentexp._numerics import Array
    from xentexp.experiments._serving.columns import TrainingColumns
    from xentexp.experiments._serving.drift import ColumnDrift, DriftCounter
    from xentexp.experiments._serving.new_rows import NewRows
    from xentexp.experiments._tracking.stored_models import FoundModel
    from xentexp.experiments.datasets._batches import Batches

_OUT = FileOption("--out", "pass --overwrite")
_MOST_LISTED = 10


@terminable()
def predict(options: argparse.Namespace) -> int:
    """`xentexp predict MODEL FILE --out FILE`."""
    out: Path = options.out
    if out.suffix.lower() not in (".csv", ".parquet"):
        raise InputError(f"--out must end with .csv or .parquet; got {out.name}")
    check_new(out, _OUT, overwrite=options.overwrite)
    check_not_read(out, [options.file], _OUT)
    check_integer("--batch-rows", options.batch_rows, 1)

    from xentexp.experiments._serving.drift import DriftCounter
    from xentexp.experiments._serving.model_file import readable
    from xentexp.experiments._serving.new_rows import NewRows
    from xentexp.experiments._tracking.connect import store_file, store_uri
    from xentexp.experiments.datasets._batches import open_batches
    from xentexp.experiments.datasets._files import FileOptions

    uri = store_uri(options.store)
    store = store_file(uri)
    if store is not None:
        check_not_read(out, [store], _OUT)
    with _file_errors():
        given = {key: getattr(options, key) for key in FILE_OPTIONS}
        file = open_batches(options.file, "predict", FileOptions(**given))
    keep = _kept(options.keep, file)
    found, model, columns = _loaded(options, uri)
    with readable():
        predicted = _Predicted(model)
        _try(model, columns, predicted)
    for name in keep:
        if name in predicted.names:
            raise InputError(
                f"--keep must not name a column that the output has anyway; got {name!r}; rename "
                f"it in {file.path.name}"
            )
    drift = DriftCounter(columns)
    with _file_errors():
        rows = NewRows(
            file,
            columns,
            "predict",
            size=options.batch_rows,
            keep=keep,
            decimal=options.decimal,
            dayfirst=options.dayfirst,
        )
        write = _write_csv if out.suffix.lower() == ".csv" else _write_parquet
        write_new(
            out,
            lambda path: write(path, _batches(rows, predicted, drift), keep, predicted, file),
            _OUT,
            overwrite=options.overwrite,
        )
    drifted = drift.result()
    notes = [as_options(note) for note in file.notes]
    if options.json:
        document = {
            "file": str(out),
            "model": found.address,
            "run_id": found.run_id,
            "rows": rows.n_rows,
            "classes": predicted.classes,
            "columns": [*keep, *predicted.names],
            "drift": [_described(column) for column in drifted],
            "notes": notes,
        }
        print_json(document)
    else:
        say(f"Predictions: {out} ({counted(rows.n_rows, 'row')}, model {found.address})")
        for note in notes:
            say(f"note: {note}", stderr=True)
    for line in _warnings(drifted, file.path.name):
        say(line, stderr=True)
    return 0


def _loaded(options: argparse.Namespace, uri: str) -> tuple[FoundModel, Pipeline, TrainingColumns]:
    """Stored model, where it was found, and its first step."""
    from sklearn.pipeline import Pipeline

    from xentexp.experiments._serving.columns import TrainingColumns
    from xentexp.experiments._serving.model_file import load_model, readable
    from xentexp.experiments._tracking.connect import open_client, store_errors
    from xentexp.experiments._tracking.stored_models import download_model, find_stored_model

    client = open_client(uri, create=False)
    with (
        store_errors(uri),
        # The threads of a download that failed may still write.
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
    ):
        found = find_stored_model(client, options.model, options.experiment)
        model = load_model(download_model(client, uri, found, Path(folder)), trust=options.trust)
    with readable():
        columns = model[0] if isinstance(model, Pipeline) else None
    if not isinstance(columns, TrainingColumns):
        raise InputError(
            f"the model {found.address} must be one that xentexp stored, whose first step knows "
            f"the columns of the training rows; got {type(model).__name__}"
        )
    return found, model, columns


def _try(model: Pipeline, columns: TrainingColumns, predicted: _Predicted) -> None:
    """Predict the rows of the model's example: only the types of a stored model are checked."""
    from xentexp.experiments._serving.drift import DriftCounter
    from xentexp.experiments._serving.refit import example_rows

    names = [column["name"] for column in columns.columns_]
    if not names or names != list(columns.feature_names_in_):
        raise ValueError("its columns and their names differ")
    drift = DriftCounter(columns)
    rows = example_rows(model)
    columns.transform(rows.astype(str))
    X = columns.transform(rows)
    predicted.values(X)
    drift.add(X)
    drift.result()


@dataclass(frozen=True)
class _Batch:
    kept: pd.DataFrame
    predicted: pd.DataFrame


class _Predicted:
    """Predictions of a model, with a column for each class."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self.classes: list[Any] = list(model.classes_.tolist())
        self._proba = hasattr(model, "predict_proba")
        kind, named = "proba", self.classes
        if not self._proba:
            # Of two classes, the decision scores are those of the second.
            kind, named = "decision", self.classes[1:] if len(self.classes) == 2 else self.classes
        self.names = [f"{kind}_{plain_text(label)}" for label in named]

    def frame(self, X: pd.DataFrame, first: int) -> pd.DataFrame:
        """Predictions of some rows of the file, of which the first one has the number `first`."""
        import pandas as pd

        values = self.values(X)
        if len(values):
            self._check(values, first)
        return pd.DataFrame(values.reshape(len(X), -1), columns=self.names)

    def values(self, X: pd.DataFrame) -> Array:
        """Predictions of some rows, which may be invalid."""
        from xentexp.scorers import predict as predict_rows

        try:
            proba, decision = predict_rows(
                self._model, X, self.classes, proba=self._proba, decision=not self._proba
            )
        except Exception as error:  # a model may fail in any way
            reason = str(error).strip().partition("\n")[0]
            raise InputError(
                f"predict: the model failed on these rows ({type(error).__name__}: {reason})"
            ) from error
        values = proba if self._proba else decision
        assert values is not None
        return values

    def _check(self, values: Array, first: int) -> None:
        """Raise an InputError for predictions that are refused in cross-validation too."""
        import pandas as pd

        from xentexp.experiments.datasets._files import with_rows_of_file

        kind: Literal["proba", "decision"] = "proba" if self._proba else "decision"
        name = "the predictions"
        checked = Predictions(values, kind, name=name, eps=precision(values, values))
        try:
            checked.block(Rows(slice(0, len(values))))
        except InputError as error:
            reason = str(error).partition("; pass normalize")[0]  # an option of Python only
            reason = with_rows_of_file(reason, pd.RangeIndex(first, first + len(values)))
            raise InputError(
                f"predict: the model must predict finite scores, or probabilities that sum to 1: "
                f"{reason} (rows are counted from 0, the columns are {_listed(self.names)}); "
                f"nothing is written; choose another model, or run the models again with `xentexp "
                f"run`"
            ) from error


def _batches(rows: NewRows, predicted: _Predicted, drift: DriftCounter) -> Generator[_Batch]:
    first = 0
    with contextlib.closing(iter(rows)) as prepared:
        for X, kept in prepared:
            drift.add(X)
            yield _Batch(kept.reset_index(drop=True), predicted.frame(X, first))
            first += len(X)


def _write_csv(
    path: Path, batches: Iterator[_Batch], keep: Sequence[str], predicted: _Predicted, file: Batches
) -> None:
    del file  # CSV has no types
    header = [str(harmless(name)) for name in (*keep, *predicted.names)]
    with path.open("w", encoding="utf-8", newline="") as stream:
        for i, batch in enumerate(batches):
            frame = batch.kept.map(harmless).join(batch.predicted)
            frame.to_csv(stream, index=False, header=header if i == 0 else False)


def _write_parquet(
    path: Path, batches: Iterator[_Batch], keep: Sequence[str], predicted: _Predicted, file: Batches
) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = [file.kinds.get(name, pa.string()) for name in keep]
    fields = [*zip(keep, kinds, strict=True), *((name, pa.float64()) for name in predicted.names)]
    schema = pa.schema(fields)
    with pq.ParquetWriter(path, schema) as writer:
        for batch in batches:
            frame = batch.kept.join(batch.predicted)
            writer.write_table(pa.Table.from_pandas(frame, schema, preserve_index=False))


@contextlib.contextmanager
def _file_errors() -> Iterator[None]:
    """Name options of the command line instead of parameters of `load_table`."""
    try:
        yield
    except InputError as error:
        raise InputError(as_options(str(error))) from error


def _kept(text: str | None, file: Batches) -> list[str]:
    names = [] if text is None else split_names(text, file.names)
    if len(set(names)) < len(names):
        raise InputError(f"columns of --keep must be different; got {text}")
    return names


def _described(column: ColumnDrift) -> dict[str, Any]:
    bins = [{"bin": label, "training": e, "new": a} for label, e, a in column.bins]
    return {**asdict(column), "level": column.level, "bins": bins}


def _warnings(drifted: Sequence[ColumnDrift], name: str) -> Iterator[str]:
    """Lines on columns whose distribution differs from that of the training rows."""
    for level, words in (("large", "differ much"), ("moderate", "differ somewhat")):
        found = [column for column in drifted if column.level == level]
        if found:
            shown = _listed([f"{_shown(c.column)} {fixed(c.psi, 2)}" for c in found])
            start = "warning" if level == "large" else "note"
            one = len(found) == 1
            yield (
                f"{start}: {counted(len(found), 'column')} of {name} "
                f"{words.replace('differ', 'differs') if one else words} from the training rows "
                f"(population stability index: {shown})"
                + ("; the predictions may be wrong" if level == "large" else "")
            )
    unseen = [column for column in drifted if column.unseen]
    if unseen:
        unseen.sort(key=lambda column: -(column.unseen or 0.0))
        shown = _listed([f"{_shown(c.column)} {c.unseen or 0.0:.1%}" for c in unseen])
        yield f"note: rows with categories that the training rows do not have: {shown}"


def _listed(texts: Sequence[str]) -> str:
    return and_list(texts, most=_MOST_LISTED)


def _shown(name: str) -> str:
    return printable(name, 60)
