"""Data sets of openml.org."""

from __future__ import annotations

import dataclasses
import socket
import warnings
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError

import pandas as pd

from xentexp.errors import InputError
from xentexp.experiments.datasets._arguments import Path
from xentexp.experiments.datasets._base import Card, Dataset
from xentexp.experiments.datasets._prepare import make_dataset

TIMEOUT_SECONDS = 10.0

CARD = Card(
    name="openml",
    title="A data set of OpenML",
    source="https://www.openml.org",
    licence="stated by OpenML for each data set",
    target="the column of the parameter target; by default the default target of OpenML",
    traps=(
        "A name has several versions with different content; an id is unique.",
        "Values of nominal columns are text: the label '1', not 1.",
        "Some data sets contain repeated persons, or features that reveal the outcome; OpenML does "
        "not document this.",
    ),
    reference="Vanschoren, J., van Rijn, J. N., Bischl, B. and Torgo, L. (2013). OpenML: "
    "networked science in machine learning. SIGKDD Explorations 15(2), 49-60.",
)


def load_openml(
    id: int | None = None,
    data_name: str | None = None,
    version: int | None = None,
    target: str | None = None,
    cache_dir: Path | None = None,
    ordered: bool = False,
) -> Dataset:
    """Download a data set from OpenML, or read it from the cache.

    Parameters
    ----------
    id : int, default=None
        Number of the data set on OpenML. Pass either `id`, or `data_name` and `version`.
    data_name : str, default=None
        Name of the data set on OpenML; requires `version`.
    version : int, default=None
        Version of the data set with that name.
    target : str, default=None
        Column to predict. The default is the default target of the data set on OpenML.
    cache_dir : str or path-like, default=None
        Folder for downloaded files. The default is the data folder of scikit-learn.
    ordered : bool, default=False
        Whether the classes are ordered numbers such as grades; then losses for ordered classes
        are computed by default.

    Returns
    -------
    Dataset
        Features and labels. The card has the title, source and licence that OpenML states;
        warnings of OpenML are added to its traps.

    Raises
    ------
    InputError
        If neither `id` nor `data_name` and `version` are passed, the data set cannot be
        downloaded, or it has no single target.

    See Also
    --------
    sklearn.datasets.fetch_openml : Function that downloads the data.

    Examples
    --------
    >>> from xentexp.experiments.datasets import load_openml
    >>> load_openml(id=31).card.title  # doctest: +SKIP
    'credit-g (OpenML, version 1)'
    """
    choice = _choice(id, data_name, version)
    description = ", ".join(f"{key} {value!r}" for key, value in choice.items())
    bunch, notes = _fetch(
        description,
        **choice,
        target_column="default-target" if target is None else target,
        data_home=None if cache_dir is None else str(cache_dir),
    )
    if not isinstance(bunch.target, pd.Series):
        raise InputError(
            f"openml: {description} does not have a single default target; set target to one of "
            f"{', '.join(map(str, bunch.frame.columns))}"
        )
    details = bunch.details
    card = dataclasses.replace(
        CARD,
        title=f"{details.get('name', description)} (OpenML, version {details.get('version', '?')})",
        source=str(bunch.url),
        licence=str(details.get("licence", "not stated")),
        target=str(bunch.target.name),
        traps=(*CARD.traps, *notes),
        reference=str(details["citation"]) if details.get("citation") else None,
        ordered=ordered,
    )
    return make_dataset(bunch.data, bunch.target, card)


def _choice(id: int | None, data_name: str | None, version: int | None) -> dict[str, Any]:
    """Arguments of ``fetch_openml`` that identify the data set."""
    if id is not None and data_name is None and version is None:
        return {"data_id": id}
    if id is None and data_name is not None and version is not None:
        return {"name": data_name, "version": version}
    raise InputError(
        "openml: either id, or data_name and version must be set; got "
        f"id={id!r}, data_name={data_name!r}, version={version!r}"
    )


def _fetch(description: str, **arguments: Any) -> tuple[Any, list[str]]:
    """Download a data set; return scikit-learn's bunch and the warnings of OpenML."""
    from sklearn.datasets import fetch_openml

    before = socket.getdefaulttimeout()
    # Without a timeout, scikit-learn waits forever, four times, if a firewall drops packets.
    socket.setdefaulttimeout(TIMEOUT_SECONDS)
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            bunch = fetch_openml(**arguments, as_frame=True, parser="auto", n_retries=1, delay=0.5)
    except (OSError, HTTPException) as error:
        if isinstance(error, HTTPError):
            error.close()
        raise InputError(
            f"openml: {description} cannot be downloaded ({error}); check the network, or set "
            "cache_dir to a folder that contains an earlier download"
        ) from error
    except (ValueError, KeyError) as error:
        reason = str(error.args[0]).rstrip(".") if error.args else repr(error)
        raise InputError(
            f"openml: {description} cannot be loaded ({reason}); check the parameters"
        ) from error
    finally:
        socket.setdefaulttimeout(before)
    texts = dict.fromkeys(str(warning.message) for warning in caught)
    return bunch, [text for text in texts if "openml" in text.lower() or "inactive" in text]
