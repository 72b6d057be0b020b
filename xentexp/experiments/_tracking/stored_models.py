"""Find a stored model by run, name, version or alias, and download its folder."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow.artifacts
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from xentexp.errors import InputError, unknown_name
from xentexp.experiments._tracking.connect import SQLITE
from xentexp.experiments._tracking.find_runs import StoredModel, find_models
from xentexp.experiments._tracking.names import MODEL
from xentexp.experiments._tracking.read_back import all_pages

_LOGGED = re.compile(r"(?:models:/)?(?P<id>m-[0-9a-f]{32})")
_ALIAS = re.compile(r"(?:models:/)?(?P<name>[^/@:]+)@(?P<alias>[^/@:]+)")
_VERSION = re.compile(r"(?:models:/)?(?P<name>[^/@:]+)/(?P<version>\d+)")


@dataclass(frozen=True)
class FoundModel:
    """A model of the store."""

    address: str
    """As MLflow writes it: models:/m-..., or models:/NAME/VERSION."""
    run_id: str | None
    location: str
    """Address of its folder."""
    model_id: str | None


def find_stored_model(client: MlflowClient, word: str, experiment: str | None = None) -> FoundModel:
    """Model of a run (of several models: its winner), a name, an alias, a version or an id."""
    if found := _LOGGED.fullmatch(word):
        return _logged(client, found["id"])
    if found := _ALIAS.fullmatch(word):
        return _registered(client, found["name"], alias=found["alias"])
    if found := _VERSION.fullmatch(word):
        return _registered(client, found["name"], version=found["version"])
    if word.startswith("models:/"):
        raise InputError(
            f"model must be models:/m-ID, models:/NAME@ALIAS or models:/NAME/VERSION; got {word!r}"
        )
    return _of_run(client, find_models(client, word, experiment))


def download_model(client: MlflowClient, uri: str, model: FoundModel, folder: Path) -> Path:
    """Folder of a model, downloaded to `folder` unless it is here."""
    if uri.startswith(SQLITE) and model.model_id is not None:
        # The store may have been moved with its folder; MLflow stores the old place.
        home = Path(uri.removeprefix(SQLITE)).parent
        local = home / "mlartifacts" / "models" / model.model_id / "artifacts"
        if (local / "MLmodel").is_file():
            return local
    try:
        downloaded = mlflow.artifacts.download_artifacts(
            artifact_uri=model.location, dst_path=str(folder), tracking_uri=uri
        )
    except Exception as error:  # MLflow has a library for each kind of address
        raise InputError(
            f"the files of the model {model.address} cannot be read: {error}"
        ) from error
    return Path(downloaded)


def _of_run(client: MlflowClient, models: tuple[StoredModel, ...]) -> FoundModel:
    one = models[0]
    if len(models) > 1:
        winner = client.get_run(one.parent).data.tags.get(MODEL)
        if winner is None:
            raise InputError(
                f"run {one.parent[:8]} has no stored model of its winner; write the name of a "
                f"model ({', '.join(model.name for model in models[:8])}), or {_AGAIN}"
            )
        return _of_tag(client, winner)
    if one.error is not None:
        raise InputError(
            f"{one.name} ({one.run_id[:8]}) has no stored model, because it failed: {one.error}"
        )
    if MODEL not in one.tags:
        raise InputError(
            f"{one.name} ({one.run_id[:8]}) has no stored model, since by default only the winner "
            f"of a run has one; {_AGAIN}"
        )
    return _of_tag(client, one.tags[MODEL])


_AGAIN = "run the models again with `xentexp run models.log=all`"


def _of_tag(client: MlflowClient, address: str) -> FoundModel:
    found = _LOGGED.fullmatch(address)
    if found is None:
        raise InputError(
            f"the tag {MODEL} of the run must be models:/m-ID; got {address!r}; {_AGAIN}"
        )
    return _logged(client, found["id"])


def _logged(client: MlflowClient, model_id: str) -> FoundModel:
    try:
        model = client.get_logged_model(model_id)
    except MlflowException as error:
        if error.error_code not in _ABSENT:
            raise
        raise InputError(
            f"the stored model models:/{model_id} does not exist (or was deleted) in this tracking "
            f"store; {_AGAIN}, or write another model"
        ) from error
    return FoundModel(
        f"models:/{model_id}", model.source_run_id or None, str(model.artifact_location), model_id
    )


_ABSENT = ("RESOURCE_DOES_NOT_EXIST", "NOT_FOUND")


def _registered(
    client: MlflowClient, name: str, *, alias: str | None = None, version: str | None = None
) -> FoundModel:
    try:
        if alias is not None:
            found = client.get_model_version_by_alias(name, alias)
        else:
            found = client.get_model_version(name, str(version))
    except MlflowException as error:
        # An alias that does not exist is an invalid value for MLflow.
        if error.error_code not in (*_ABSENT, "INVALID_PARAMETER_VALUE"):
            raise
        raise _not_registered(client, name, alias, version) from error
    address = f"models:/{found.name}/{found.version}"
    source = _LOGGED.fullmatch(str(found.source))
    model_id = str(found.model_id or (source["id"] if source else "")) or None
    location = str(client.get_model_version_download_uri(found.name, str(found.version)))
    return FoundModel(address, found.run_id or None, location, model_id)


def _not_registered(
    client: MlflowClient, name: str, alias: str | None, version: str | None
) -> InputError:
    known: dict[str, Any] = {m.name: m for m in all_pages(client.search_registered_models)}
    if name not in known:
        return unknown_name("registered model", name, known)
    if alias is not None:
        return unknown_name(f"alias of the registered model {name!r}", alias, known[name].aliases)
    quoted = name.replace("'", "''")
    versions = all_pages(client.search_model_versions, f"name = '{quoted}'")
    numbers = sorted(int(model.version) for model in versions)
    return unknown_name(
        f"version of the registered model {name!r}", version or "", map(str, numbers)
    )
