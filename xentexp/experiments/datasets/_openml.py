"""Any data set of openml.org."""

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
    target="the one that OpenML calls the default target, or the parameter target",
    traps=(
        "Names have several versions with different content: an id is exact.",
        "Labels and codes are text, '1' and not 1, where OpenML calls a column nominal.",
        "Some data sets repeat persons or tell the outcome in a feature; OpenML does not say so.",
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
    """Fetch a data set from OpenML, or from the cache if it was fetched before.

    Parameters
    ----------
    id : int, optional
        OpenML's number of the data set. Either this or data_name and version.
    data_name : str, optional
        OpenML's name of the data set; needs ``version``.
    version : int, optional
        OpenML's version of that name.
    target : str, optional
        Column to predict; when None, the one that OpenML calls the default target.
    cache_dir : str or path, optional
        Where the files are kept; when None, scikit-learn's data folder.
    ordered : bool
        Whether the classes are grades, in the order of their numbers.

    Returns
    -------
    Dataset
        Its card has the title, the source and the licence that OpenML states, and the warnings
        that OpenML gives as traps.

    Raises
    ------
    InputError
        If it is not clear which data set is meant, it cannot be fetched, or it has no target.
    """
    choice = _choice(id, data_name, version)
    said = ", ".join(f"{key} {value!r}" for key, value in choice.items())
    bunch, notes = _fetch(
        said,
        **choice,
        target_column="default-target" if target is None else target,
        data_home=None if cache_dir is None else str(cache_dir),
    )
    if not isinstance(bunch.target, pd.Series):
        raise InputError(
            f"openml: {said} has no single default target; set target to one of "
            f"{', '.join(map(str, bunch.frame.columns))}."
        )
    details = bunch.details
    card = dataclasses.replace(
        CARD,
        title=f"{details.get('name', said)} (OpenML, version {details.get('version', '?')})",
        source=str(bunch.url),
        licence=str(details.get("licence", "not stated")),
        target=str(bunch.target.name),
        traps=(*CARD.traps, *notes),
        reference=str(details["citation"]) if details.get("citation") else None,
        ordered=ordered,
    )
    return make_dataset(bunch.data, bunch.target, card)


def _choice(id: int | None, data_name: str | None, version: int | None) -> dict[str, Any]:
    """Arguments of ``fetch_openml`` that say which data set is meant."""
    if id is not None and data_name is None and version is None:
        return {"data_id": id}
    if id is None and data_name is not None and version is not None:
        return {"name": data_name, "version": version}
    raise InputError(
        f"openml: id is {id!r}, data_name {data_name!r} and version {version!r}; set either id, "
        "or data_name and version."
    )


def _fetch(said: str, **arguments: Any) -> tuple[Any, list[str]]:
    """Fetch; return scikit-learn's bunch and what OpenML warns about."""
    from sklearn.datasets import fetch_openml

    before = socket.getdefaulttimeout()
    # scikit-learn waits for ever, four times over, where a firewall swallows packets.
    socket.setdefaulttimeout(TIMEOUT_SECONDS)
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            bunch = fetch_openml(**arguments, as_frame=True, parser="auto", n_retries=1, delay=0.5)
    except (OSError, HTTPException) as error:
        if isinstance(error, HTTPError):
            error.close()
        raise InputError(
            f"openml: {said} cannot be fetched ({error}); check the network, or set cache_dir "
            "to a folder where it was kept before."
        ) from error
    except (ValueError, KeyError) as error:
        reason = str(error.args[0]).rstrip(".") if error.args else repr(error)
        raise InputError(
            f"openml: {said} cannot be used ({reason}); check the parameters."
        ) from error
    finally:
        socket.setdefaulttimeout(before)
    texts = dict.fromkeys(str(warning.message) for warning in caught)
    return bunch, [text for text in texts if "openml" in text.lower() or "inactive" in text]
