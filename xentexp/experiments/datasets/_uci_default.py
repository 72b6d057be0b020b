"""Default of credit card clients, bundled."""

from __future__ import annotations

import gzip
from importlib import resources

import pandas as pd

from xentexp.experiments.datasets._base import Card, Dataset
from xentexp.experiments.datasets._prepare import make_dataset

CATEGORIES = ("SEX", "EDUCATION", "MARRIAGE")

CARD = Card(
    name="uci_default",
    title="Default of credit card clients (Taiwan, 2005)",
    source="UCI Machine Learning Repository, https://doi.org/10.24432/C55S3H (bundled)",
    licence="CC BY 4.0",
    target="default: 1 if the client did not pay in October 2005, else 0",
    traps=(
        "EDUCATION 0, 5 and 6 and MARRIAGE 0 occur but are not documented.",
        "PAY_0 is followed by PAY_2: there is no PAY_1. Their values -2 and 0 occur but are not "
        "documented.",
        "All clients are of the same month: the data say nothing about change over time.",
        "SEX, EDUCATION and MARRIAGE are codes; many published results treat them as numbers, "
        "which categorical=false repeats.",
    ),
    rows=30000,
    class_shares={"0": 0.7788, "1": 0.2212},
    reference="Yeh, I.-C. and Lien, C.-h. (2009). The comparisons of data mining techniques for "
    "the predictive accuracy of probability of default of credit card clients. Expert Systems "
    "with Applications 36(2), 2473-2480.",
)


def load_uci_default(categorical: bool = True) -> Dataset:
    """Load the bundled file.

    Parameters
    ----------
    categorical : bool, default=True
        Whether SEX, EDUCATION and MARRIAGE are categories and all else integers; when false,
        all 23 features are floats.

    Returns
    -------
    Dataset
        30,000 clients, 23 features, 6,636 defaults.
    """
    file = resources.files("xentexp.experiments.datasets") / "data" / "uci_default.csv.gz"
    with file.open("rb") as packed, gzip.open(packed) as stream:
        frame = pd.read_csv(stream)
    X = frame.drop(columns=["ID", "default"])
    X = X.astype(dict.fromkeys(CATEGORIES, "category")) if categorical else X.astype("float64")
    return make_dataset(X, frame["default"], CARD)
