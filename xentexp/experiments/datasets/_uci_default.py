"""Default of credit card clients; the file is part of the package."""

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
        "The values 0, 5 and 6 of EDUCATION and 0 of MARRIAGE are not documented.",
        "The columns are PAY_0, PAY_2, PAY_3, ...: there is no PAY_1. Their values -2 and 0 are "
        "not documented.",
        "All rows are from the same month: the data do not show changes over time.",
        "SEX, EDUCATION and MARRIAGE are codes of categories. Many published results treat them as "
        "numbers; categorical=False does the same.",
    ),
    rows=30000,
    class_shares={"0": 0.7788, "1": 0.2212},
    reference="Yeh, I.-C. and Lien, C.-h. (2009). The comparisons of data mining techniques for "
    "the predictive accuracy of probability of default of credit card clients. Expert Systems "
    "with Applications 36(2), 2473-2480.",
)


def load_uci_default(categorical: bool = True) -> Dataset:
    """Load the default of credit card clients in Taiwan, 2005; no download is needed.

    Parameters
    ----------
    categorical : bool, default=True
        Whether SEX, EDUCATION and MARRIAGE are categories; the other features are integers then.
        If False, all 23 features are floats, as in many published results.

    Returns
    -------
    Dataset
        30,000 clients with 23 features; label 1 for the 6,636 defaults, else 0.

    References
    ----------
    Yeh, I.-C. and Lien, C.-h. (2009). The comparisons of data mining techniques for the predictive
    accuracy of probability of default of credit card clients. Expert Systems with Applications
    36(2), 2473-2480.

    Examples
    --------
    >>> from xentexp.experiments.datasets import load_uci_default
    >>> data = load_uci_default()
    >>> data.X.shape, data.classes
    ((30000, 23), (0, 1))
    """
    file = resources.files("xentexp.experiments.datasets") / "data" / "uci_default.csv.gz"
    with file.open("rb") as compressed, gzip.open(compressed) as stream:
        frame = pd.read_csv(stream)
    X = frame.drop(columns=["ID", "default"])
    X = X.astype(dict.fromkeys(CATEGORIES, "category")) if categorical else X.astype("float64")
    return make_dataset(X, frame["default"], CARD)
