"""Store models that predict new rows as logged models of MLflow, and register them."""

from __future__ import annotations

import contextlib
import re
import shutil
import tempfile
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow.entities as entities
import numpy as np
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from xentexp._safe_text import printable
from xentexp.errors import InputError, StoreError
from xentexp.experiments._serving.model_file import CLOUDPICKLE
from xentexp.experiments._serving.package import (
    DECISION,
    Form,
    ServingModel,
    copy_code,
    modules_in_pickle,
    requirements,
    same_predictions,
    skops_form,
)
from xentexp.experiments._tracking.connect import deferred_signals, responds, store_errors
from xentexp.experiments._tracking.items import Tag
from xentexp.experiments._tracking.names import MODEL, TRUST
from xentexp.experiments._tracking.store import Store


@dataclass(frozen=True)
class Registered:
    """Version of a registered model."""

    name: str
    version: str
    alias: str


@dataclass(frozen=True)
class LoggedModel:
    """A model in the store that can predict."""

    name: str
    uri: str  # models:/m-...
    run_id: str  # run of the model
    form: str  # format of its file
    note: str  # sentence on trust; empty if all types of the file are known
    registered: Registered | None = None

    def to_document(self) -> dict[str, Any]:
        """Entry of the JSON document of a run."""
        registered = self.registered
        return {
            "name": self.name,
            "uri": self.uri,
            "run_id": self.run_id,
            "format": self.form,
            "trust": self.note or None,
            "registered": None
            if registered is None
            else {
                "name": registered.name,
                "version": registered.version,
                "alias": registered.alias,
            },
        }


def log_model(
    store: Store, run_id: str, model: ServingModel, metrics: Sequence[str] = ()
) -> LoggedModel:
    """Store a model as a logged model of a run, with the run's values of `metrics`."""
    client = store.client
    name = model.metadata["model"]
    logged, ready = None, False
    with tempfile.TemporaryDirectory() as temporary, store_errors(store.uri):
        run = client.get_run(run_id)
        try:
            with deferred_signals():
                logged = client.create_logged_model(
                    store.experiment_id,
                    name=_allowed(name),
                    source_run_id=run_id,
                    model_type="classifier",
                    params=dict(run.data.params),
                )
            # A large model takes long: signals are not deferred.
            folder = Path(temporary) / "model"
            form = _save(model, logged, run_id, folder)
            client.log_model_artifacts(logged.model_id, str(folder))
            stored = LoggedModel(name, f"models:/{logged.model_id}", run_id, form.name, form.note)
            with deferred_signals():  # so that it is linked completely or not at all
                client.log_outputs(run_id, [entities.LoggedModelOutput(logged.model_id, 0)])
                if values := _values(client, run, logged.model_id, metrics):
                    client.log_batch(run_id, metrics=values)
                if form.note:
                    client.set_logged_model_tags(logged.model_id, {TRUST: printable(form.note)})
                client.finalize_logged_model(logged.model_id, entities.LoggedModelStatus.READY)
                ready = True
                tags = [Tag(MODEL, stored.uri), *([Tag(TRUST, form.note)] if form.note else [])]
                store.log(run_id, tags)
        except BaseException:
            if logged is not None and not ready and responds(store.uri):
                # The error or signal that stopped it is shown, not that its status is unknown.
                with contextlib.suppress(StoreError), deferred_signals(), store_errors(store.uri):
                    failed = entities.LoggedModelStatus.FAILED
                    client.finalize_logged_model(logged.model_id, failed)
            raise
    return stored


def _allowed(name: str) -> str:
    """Name of a model as MLflow takes it for a logged model."""
    return re.sub(r"[/:.%\"']", "_", printable(name, one_line=True))


def _values(
    client: MlflowClient, run: entities.Run, model_id: str, metrics: Sequence[str]
) -> list[entities.Metric]:
    """Metrics of a run once more, linked to its model; the same time, so that they stay one."""
    return [
        entities.Metric(metric.key, metric.value, metric.timestamp, metric.step, model_id=model_id)
        for key in metrics
        if key in run.data.metrics
        for metric in client.get_metric_history(run.info.run_id, key)
    ]


def _save(model: ServingModel, logged: Any, run_id: str, folder: Path) -> Form:
    """Write the model in the first format that loads again with the same predictions."""
    try:
        form = skops_form(model.pipeline)
        _write(model, logged, run_id, folder, form)
        if same_predictions(model, folder, trust=bool(form.unknown)):
            return form
        why = "other predictions after it was stored with skops"
    except Exception as error:  # whatever the types of a model raise in skops
        why = str(error.__cause__ or error).split("\n")[0]
        why = f"skops cannot store it ({type(error).__name__}: {why})"
    shutil.rmtree(folder, ignore_errors=True)
    form = Form(CLOUDPICKLE, why=printable(why, one_line=True))
    try:
        _write(model, logged, run_id, folder, form)
        same = same_predictions(model, folder, trust=True)
    except Exception as error:  # whatever the code of a model raises in cloudpickle
        raise InputError(
            f"model {model.metadata['model']} cannot be stored: {error}; set models.log=none, or "
            f"leave the model out"
        ) from error
    if not same:
        raise InputError(
            f"model {model.metadata['model']} cannot be stored: it predicts other values after it "
            f"was loaded again; set models.log=none, or leave the model out"
        )
    return form


def _write(model: ServingModel, logged: Any, run_id: str, folder: Path, form: Form) -> None:
    import mlflow.sklearn
    from mlflow.models import Model, ModelSignature
    from mlflow.types import ColSpec, DataType, Schema, TensorSpec

    types: Any = form.types
    if form.name == CLOUDPICKLE:
        import cloudpickle

        types = modules_in_pickle(cloudpickle.dumps(model.pipeline))
    columns: list[ColSpec | TensorSpec] = [
        ColSpec(DataType.string if name in model.texts else DataType.double, str(name))
        for name in model.example
    ]
    outputs = _outputs(model)
    metadata = {
        **model.metadata,
        "format": form.name,
        "unknown_types": list(form.unknown),
        **({"trust": form.note} if form.note else {}),
    }
    described = Model(
        artifact_path=logged.artifact_location,
        model_uuid=logged.model_id,
        model_id=logged.model_id,
        run_id=run_id,
    )
    with warnings.catch_warnings(), tempfile.TemporaryDirectory() as code:
        warnings.simplefilter("ignore")
        mlflow.sklearn.save_model(
            model.pipeline,
            str(folder),
            code_paths=[str(copy_code(Path(code)))],
            mlflow_model=described,
            serialization_format=form.name,
            signature=ModelSignature(Schema(columns), Schema([TensorSpec(*outputs)])),
            input_example=model.example,
            pip_requirements=requirements(types),
            pyfunc_predict_fn=model.response,
            metadata=metadata,
            skops_trusted_types=list(form.types) or None,
        )
        if model.response == DECISION:
            _replace_loader(folder)


def _outputs(model: ServingModel) -> tuple[Any, tuple[int, ...]]:
    shape = (-1,) if model.response == DECISION and model.n_classes == 2 else (-1, model.n_classes)
    return np.dtype(np.float64), shape


def _replace_loader(folder: Path) -> None:
    """MLflow's loader of scikit-learn models cannot predict decision scores."""
    from mlflow.models import Model

    described = Model.load(str(folder))
    described.flavors["python_function"]["loader_module"] = (
        "xentexp.experiments._serving.decision_scores"
    )
    described.save(str(folder / "MLmodel"))


def check_registry(store: Store) -> None:
    """Raise an InputError if the store has no registry of models."""
    try:
        store.client.search_registered_models(max_results=1)
    except Exception as error:  # MLflow does not say with one type of error what is missing
        raise InputError(
            f"tracking.register needs a store with a model registry, such as an SQLite file or a "
            f"server; got {printable(str(error), one_line=True)}; leave tracking.register out"
        ) from error


def register_model(store: Store, stored: LoggedModel, name: str, alias: str) -> Registered:
    """Make a stored model a new version of a registered model, with an alias."""
    client = store.client
    model_id = stored.uri.removeprefix("models:/")
    with deferred_signals(), store_errors(store.uri):
        source = client.get_logged_model(model_id).artifact_location
        try:
            client.create_registered_model(name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        version = client.create_model_version(
            name, source, run_id=stored.run_id, model_id=model_id
        ).version
        client.set_registered_model_alias(name, alias, str(version))
    return Registered(name, str(version), alias)
