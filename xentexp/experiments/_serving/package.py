"""What a stored model needs besides its file: requirements, our classes, and its description."""

from __future__ import annotations

import pickletools
import shutil
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from xentexp import errors
from xentexp.experiments._serving.model_file import SKOPS, load_model, unknown_types
from xentexp.experiments._serving.refit import example_rows, is_numeric
from xentexp.experiments.datasets import Dataset

PROBA, DECISION = "predict_proba", "decision_function"

_NEEDED = (
    *("scikit-learn", "skops", "numpy", "scipy", "pandas", "pyarrow", "joblib", "threadpoolctl"),
    *("cloudpickle", "pyyaml"),
)
"""Distributions that a stored model imports, besides those of its own types."""

_DISTRIBUTIONS = {"xgboost": ("xgboost", "xgboost-cpu")}
"""Distributions that may bring a package, if their names are others."""

_LEFT_OUT = {  # folders of the package that a stored model does not import
    *("_analysis", "_cli", "_config", "_report", "_run_checks", "_tracking"),
    *("displays", "conf", "__pycache__"),
}

_CAUTION = (
    "This model file can run code when it is loaded ({reason}). Load it only from a store that you "
    "trust; `xentexp predict` needs --trust for it."
)


@dataclass(frozen=True)
class ServingModel:
    """A model fitted on all rows, as it is stored."""

    pipeline: Pipeline
    example: pd.DataFrame
    texts: frozenset[str]  # columns that a request sends as text; the others are numbers
    n_classes: int
    response: str  # PROBA or DECISION
    rows: pd.DataFrame  # to check that the stored model predicts the same; not stored
    metadata: dict[str, Any]


def serving_model(
    pipeline: Pipeline, dataset: Dataset, primary: str, value: float, model: str
) -> ServingModel:
    """Describe a pipeline of `with_columns` and the data that it was fitted on."""
    response = PROBA if hasattr(pipeline, PROBA) else DECISION
    metadata = {
        "xentexp_version": version("xentexp"),
        "model": model,
        "classes": [_plain(label) for label in pipeline.classes_],
        "output": "probability of each class, in the order of classes"
        if response == PROBA
        else "decision scores, because the model does not predict probabilities",
        "dataset": dataset.name,
        "dataset_digest": dataset.digest,
        "n_rows": len(dataset.y),
        "primary": primary,
        "cross_validated": value if np.isfinite(value) else None,
    }
    return ServingModel(
        pipeline=pipeline,
        example=example_rows(pipeline),
        texts=frozenset(c["name"] for c in pipeline[0].columns_ if not is_numeric(c)),
        n_classes=len(dataset.classes),
        response=response,
        rows=dataset.X.iloc[:200],
        metadata=metadata,
    )


def _plain(label: Any) -> Any:
    return label.item() if isinstance(label, np.generic) else label


def same_predictions(model: ServingModel, folder: Path, *, trust: bool) -> bool:
    """Whether the stored file loads again and predicts the same for the example and real rows."""
    loaded = load_model(folder, trust=trust)
    return all(
        np.array_equal(
            getattr(model.pipeline, model.response)(rows),
            getattr(loaded, model.response)(rows),
            equal_nan=True,
        )
        for rows in (model.example, model.rows)
    )


@dataclass(frozen=True)
class Form:
    """Format of a model file, and what must be said about it."""

    name: str
    types: tuple[str, ...] = ()  # that skops itself does not trust
    unknown: tuple[str, ...] = ()  # that we do not know either
    why: str = ""  # reason for a format other than skops

    @property
    def note(self) -> str:
        """Sentence on trust; empty for a file whose types are all known."""
        if self.name != SKOPS:
            return _CAUTION.format(reason=f"its format is {self.name}, because {self.why}")
        if self.unknown:
            names = _listed(self.unknown)
            return _CAUTION.format(reason=f"types that xentexp does not know: {names}")
        return ""


def _listed(names: Sequence[str]) -> str:
    return f"{', '.join(names[:5])}{', ...' if len(names) > 5 else ''}"


def skops_form(pipeline: Pipeline) -> Form:
    """The format skops with the types of a pipeline; raises whatever skops raises."""
    import skops.io

    data = skops.io.dumps(pipeline)
    types = skops.io.get_untrusted_types(data=data)
    return Form(SKOPS, tuple(types), tuple(unknown_types(data)))


def requirements(names: Iterable[str]) -> list[str]:
    """Installed versions of what a stored model needs; `names` of its types or modules."""
    listed = [f"{name}=={version(name)}" for name in _NEEDED]
    packages = {name.partition(".")[0] for name in names}
    known = {"xentexp", "sklearn", *(entry.partition("==")[0] for entry in listed)}
    for package in sorted(packages - known):
        # `packages_distributions` would read the file lists of all installed packages.
        for distribution in _DISTRIBUTIONS.get(package, (package,)):
            with suppress(PackageNotFoundError, ValueError):
                number = version(distribution).partition("+")[0]  # PyPI has no local versions
                listed.append(f"{distribution}=={number}")
                break
    return listed


def modules_in_pickle(data: bytes) -> set[str]:
    """Texts of a pickle that may be names of modules."""
    return {
        text
        for _, argument, _ in pickletools.genops(data)
        if isinstance(argument, str)
        for text in argument.split(" ")  # one opcode has module and name
        if all(part.isidentifier() for part in text.split("."))
    }


def copy_code(folder: Path) -> Path:
    """Copy the modules of xentexp that a stored model may import to `folder`."""
    source = Path(errors.__file__).parent

    def ignore(directory: str, names: list[str]) -> list[str]:
        return [
            name
            for name in names
            if name in _LEFT_OUT or not (name.endswith(".py") or Path(directory, name).is_dir())
        ]

    return Path(shutil.copytree(source, folder / "xentexp", ignore=ignore))
