"""The section `leakage`: what is done where random folds share entities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from xentexp.errors import InputError, unknown_name
from xentexp.experiments.analysis.leakage import Leak, find_leak, folds_without
from xentexp.experiments.config.checks import known_keys
from xentexp.experiments.datasets import Dataset
from xentexp.experiments.datasets.repeats import check_key
from xentexp.experiments.folds import CrossValidation, Fold

CHECKS = ("compare", "warn", "ignore")
"""Warn and fit on grouped folds too; warn; do not look."""


def read_leakage(
    section: Mapping[str, Any], dataset: Dataset, cv: CrossValidation, folds: Sequence[Fold]
) -> tuple[Leak | None, tuple[Fold, ...], tuple[str, ...] | None]:
    """Look for a leak as the configuration says.

    Parameters
    ----------
    section : mapping
        ``check``, one of ``CHECKS``, and ``key``: columns that identify an entity, or None for
        the groups of the data set, or what is found.
    dataset : Dataset
        That is run on.
    cv : CrossValidation
        How its folds were drawn.
    folds : sequence of Fold
        What was drawn.

    Returns
    -------
    leak : Leak or None
        What the folds share.
    folds_apart : tuple of Fold
        Folds that share nothing, for a comparison; empty for none.
    key : tuple of str or None
        The columns, for the data card.

    Raises
    ------
    InputError
        For anything else in the section, and where the entities are too few for folds.
    """
    known_keys("key of leakage", section, ("check", "key"))
    check, key = section["check"], section["key"]
    if check not in CHECKS:
        raise unknown_name("leakage.check", check, CHECKS)
    if key is not None:
        if check == "ignore":
            raise InputError("leakage.key is not for leakage.check=ignore; leave one of them out")
        key = check_key(dataset.X, key, "leakage.key")
    leak = None if check == "ignore" else find_leak(dataset, cv, folds, key)
    grouped: Sequence[Fold] = ()
    if leak is not None and check == "compare":
        grouped = folds_without(leak, dataset, cv)
    return leak, tuple(grouped), key
