"""Simulated credit-card delinquency data with known class probabilities."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit, ndtr

from xentexp.errors import InputError
from xentexp.experiments.datasets._base import Card, Dataset
from xentexp.experiments.datasets._prepare import make_dataset

MIN_ROWS = 100
MAX_ROWS = 10_000_000

# Frequencies of the categories, similar to those of DACON 235713.
SHARES: dict[str, dict[str, float]] = {
    "gender": {"F": 0.67, "M": 0.33},
    "car": {"N": 0.62, "Y": 0.38},
    "reality": {"N": 0.33, "Y": 0.67},
    "income_type": {
        "Commercial associate": 0.235,
        "Pensioner": 0.165,
        "State servant": 0.08,
        "Working": 0.52,
    },
    "edu_type": {
        "Higher education": 0.27,
        "Incomplete higher": 0.04,
        "Lower secondary": 0.01,
        "Secondary": 0.68,
    },
    "family_type": {
        "Civil marriage": 0.08,
        "Married": 0.69,
        "Separated": 0.06,
        "Single": 0.13,
        "Widow": 0.04,
    },
    "house_type": {
        "House / apartment": 0.89,
        "Municipal apartment": 0.03,
        "Rented apartment": 0.03,
        "With parents": 0.05,
    },
    "occyp_type": {
        "Accountants": 0.06,
        "Core staff": 0.17,
        "Drivers": 0.10,
        "High skill tech staff": 0.07,
        "Laborers": 0.30,
        "Managers": 0.14,
        "Sales staff": 0.16,
    },
}

# Effects on the score; other categories and a missing occupation have the effect 0.
EFFECTS: dict[str, dict[str, float]] = {
    "reality": {"Y": -0.2},
    "income_type": {"Pensioner": -0.3, "State servant": -0.4},
    "edu_type": {"Higher education": -0.3, "Lower secondary": 0.6},
    "family_type": {"Separated": 0.4, "Single": 0.3},
    "house_type": {"Rented apartment": 0.5, "With parents": 0.4},
    "occyp_type": {"Drivers": 0.5, "Laborers": 0.3, "Managers": -0.5},
}

# Logits of "class 0" and of "class 0 or 1" at score 0; chosen so that the classes have the
# frequencies of DACON 235713 (0.122, 0.237, 0.641) with the default parameters.
CUTS = (-0.147, 1.447)

CARD = Card(
    name="simulated_delinquency",
    title="Simulated credit-card delinquency in the shape of DACON 235713",
    source="xentexp.experiments.datasets.simulated_delinquency",
    licence="none needed: random numbers",
    target="credit: 0, 1 or 2, lower is better credit",
    traps=(
        "The true probabilities are known (true_proba): no model has a lower expected log loss.",
        "A person has several cards (groups). With person_effect=0 their classes are independent "
        "given the features; with person_effect above 0, as in real data, they are not, and random "
        "folds give scores that are too good for new persons.",
        "DAYS_EMPLOYED is missing for pensioners.",
        "DAYS_BIRTH, DAYS_EMPLOYED and begin_month count backwards from 0.",
    ),
    reference=None,
    ordered=True,
)


def simulated_delinquency(
    n_samples: int = 20000,
    seed: int = 0,
    repeats: float = 3.0,
    missing: float = 0.3,
    person_effect: float = 0.0,
) -> Dataset:
    """Simulate credit cards and their delinquency classes from a known model.

    Parameters
    ----------
    n_samples : int, default=20000
        Number of rows (cards), from 100 to 10,000,000.
    seed : int, default=0
        Seed of the random numbers. Equal parameters and seeds give equal data.
    repeats : float, default=3.0
        Mean number of cards per person, at least 1. The cards of a person differ only in
        ``begin_month``.
    missing : float, default=0.3
        Fraction of the persons whose occupation is missing, at least 0 and below 1. Values are
        missing completely at random.
    person_effect : float, default=0.0
        Correlation between the cards of a person in what the features do not explain, at least 0
        and below 1. The cards of a person are joined by a Gaussian copula, which does not change
        the class probabilities of a card given its features. Therefore ``true_proba`` is correct
        for every value, and optimal for a person whose other cards are unknown.

    Returns
    -------
    Dataset
        17 features, the labels ``credit`` (0, 1, 2), persons as groups, and ``true_proba``, equal
        to ``delinquency_proba(X)``.

    Raises
    ------
    InputError
        If a parameter is outside its range.

    Examples
    --------
    >>> from xentexp.experiments.datasets import simulated_delinquency
    >>> data = simulated_delinquency(n_samples=1000)
    >>> data.X.shape, data.true_proba.shape
    ((1000, 17), (1000, 3))
    """
    for name, value, rule, valid in (
        (
            "n_samples",
            n_samples,
            f"from {MIN_ROWS} to {MAX_ROWS}",
            MIN_ROWS <= n_samples <= MAX_ROWS,
        ),
        ("seed", seed, "at least 0", seed >= 0),
        ("repeats", repeats, "at least 1", repeats >= 1),
        ("missing", missing, "at least 0 and below 1", 0 <= missing < 1),
        ("person_effect", person_effect, "at least 0 and below 1", 0 <= person_effect < 1),
    ):
        if not valid:
            raise InputError(f"simulated_delinquency: {name} must be {rule}; got {value!r}")
    rng = np.random.default_rng(seed)
    cards = rng.geometric(1 / repeats, size=n_samples).clip(max=n_samples)
    person = rng.permutation(np.searchsorted(np.cumsum(cards), np.arange(n_samples), side="right"))
    X = _persons(rng, int(person.max()) + 1, missing).iloc[person].reset_index(drop=True)
    X["begin_month"] = rng.integers(-60, 1, size=n_samples).astype(float)
    proba = delinquency_proba(X)
    uniform = (
        rng.random(n_samples)
        if person_effect == 0
        else _correlated_uniform(rng, person, person_effect)
    )
    below = uniform[:, None] >= proba.cumsum(axis=1)[:, :2]
    return make_dataset(
        X,
        pd.Series(below.sum(axis=1), name="credit"),
        CARD,
        groups=pd.Series(person, name="person"),
        true_proba=proba,
    )


def _correlated_uniform(
    rng: np.random.Generator, person: NDArray[np.intp], correlation: float
) -> NDArray[np.float64]:
    """Uniform random numbers joined by a Gaussian copula within each person."""
    shared = rng.normal(size=int(person.max()) + 1)[person]
    separate = rng.normal(size=len(person))
    return np.asarray(ndtr(np.sqrt(correlation) * shared + np.sqrt(1 - correlation) * separate))


def delinquency_proba(X: pd.DataFrame) -> NDArray[np.float64]:
    """True class probabilities of `simulated_delinquency` given the features.

    The model is a cumulative logit model: P(class <= k) is the logistic function of a threshold
    for k minus a score, which is a non-linear function of the features. The probabilities depend
    only on `X`, missing values included, so this function is the Bayes-optimal predictor.

    Parameters
    ----------
    X : pandas.DataFrame of shape (n_rows, 17)
        Features, as `simulated_delinquency` returns them.

    Returns
    -------
    ndarray of shape (n_rows, 3)
        Probabilities of the classes 0, 1 and 2; rows sum to 1.

    Examples
    --------
    >>> from xentexp.experiments.datasets import delinquency_proba, simulated_delinquency
    >>> data = simulated_delinquency(n_samples=1000)
    >>> bool((delinquency_proba(data.X) == data.true_proba).all())
    True
    """
    income = np.log(X["income_total"].to_numpy() / 160_000) / 0.5
    age = -X["DAYS_BIRTH"].to_numpy() / 365.25
    years_employed = -X["DAYS_EMPLOYED"].fillna(0.0).to_numpy() / 365.25
    months = -X["begin_month"].to_numpy()
    man_without_car = (X["gender"] == "M").to_numpy() & (X["car"] == "N").to_numpy()
    score = (
        2.2 * (1 - np.exp(-months / 5))  # new cards have had no time to fall behind
        - 0.5 * income
        + 0.3 * ((age - 45) / 12) ** 2
        - 0.6 * np.tanh(years_employed / 5)
        + 0.2 * np.minimum(X["child_num"].to_numpy(), 3)
        + 0.6 * man_without_car
        + 0.3 * X["work_phone"].to_numpy() * (income < 0)
    )
    for name, effects in EFFECTS.items():
        score = score + X[name].astype(object).map(effects).fillna(0.0).to_numpy(dtype=float)
    at_most = expit(np.array(CUTS) - score[:, None])
    return np.diff(at_most, axis=1, prepend=0.0, append=1.0)


def _persons(rng: np.random.Generator, n: int, missing: float) -> pd.DataFrame:
    """Simulate the features that all cards of a person share."""

    def labels(name: str) -> pd.Categorical[str]:
        shares = SHARES[name]
        codes = rng.choice(len(shares), size=n, p=list(shares.values()))
        return pd.Categorical.from_codes(codes, categories=pd.Index(list(shares)))

    drawn = {name: labels(name) for name in SHARES}
    pensioner = drawn["income_type"] == "Pensioner"
    age = np.where(pensioner, rng.uniform(55, 69, size=n), rng.uniform(21, 62, size=n))
    employed = np.minimum(rng.gamma(1.2, 5.5, size=n), age - 20)
    children = np.where(age > 55, 0, rng.poisson(0.55, size=n))
    income = 500 * np.round(np.exp(rng.normal(12.0, 0.48, size=n)) / 500)
    occupation = pd.Series(drawn.pop("occyp_type")).mask(rng.random(n) < missing)
    partner = np.isin(drawn["family_type"], ["Civil marriage", "Married"])
    return pd.DataFrame(
        {
            **drawn,
            "occyp_type": occupation,
            "child_num": children,
            "income_total": np.clip(income, 27_000, 1_600_000),
            "DAYS_BIRTH": -np.floor(age * 365.25).astype("int64"),
            "DAYS_EMPLOYED": np.where(pensioner, np.nan, -np.ceil(employed * 365.25)),
            "work_phone": (rng.random(n) < 0.22).astype("int64"),
            "phone": (rng.random(n) < 0.29).astype("int64"),
            "email": (rng.random(n) < 0.09).astype("int64"),
            "family_size": 1.0 + partner + children,
        }
    )
