"""DecompositionDisplay: bars and numbers are the parts of the decomposition."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.linear_model import LogisticRegression

from xentexp.displays import DecompositionDisplay
from xentexp.errors import InputError
from xentexp.inference import decompose

Y, P = [0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]


def axes() -> Axes:
    return Figure().add_subplot()


def test_bars_and_texts_by_hand() -> None:
    # Isotonic regression pools rows 2 and 3: 0, .5, .5, 1. Brier: (.01 + .16 + .4225 + .04) / 4
    # = .158125 before and .125 after; the class frequencies have .25.
    display = DecompositionDisplay.from_predictions(
        Y, {"tree": P, "even": [0.5] * 4}, loss="brier_loss", ax=axes()
    )
    widths = [bar.get_width() for bar in display.ax_.patches]
    assert widths == pytest.approx([-0.033125, 0.125, 0.0, 0.0])
    texts = [text.get_text() for text in display.ax_.texts]
    assert texts == ["0.0331", "0.1250", "0.0000", "0.0000"]


def test_a_family_and_weights_are_used() -> None:
    rng = np.random.default_rng(0)
    p = rng.random(200)
    y = (rng.random(200) < p**2).astype(int)
    weight = rng.random(200)
    display = DecompositionDisplay.from_predictions(
        y, p, family="logit_line", sample_weight=weight, name="tree", ax=axes()
    )
    expected = decompose(y, p, family="logit_line", sample_weight=weight)
    assert display.decompositions == {"tree": expected}


def test_classifiers_are_decomposed_by_their_probabilities() -> None:
    X, y = np.arange(8.0)[:, None], np.array([0, 0, 1, 0, 1, 0, 1, 1])
    model = LogisticRegression().fit(X, y)
    display = DecompositionDisplay.from_estimator(model, X, y, ax=axes())
    expected = decompose(y, model.predict_proba(X))
    assert display.decompositions == {"LogisticRegression": expected}


@pytest.mark.parametrize(
    ("value", "word"),
    [(math.inf, "infinite"), (math.nan, "undefined"), (-0.01, "\N{MINUS SIGN}0.0100")],
)
def test_unusual_parts_are_words_or_have_a_true_minus_sign(value: float, word: str) -> None:
    result = dataclasses.replace(decompose(Y, P), miscalibration=value)
    display = DecompositionDisplay({"tree": result}).plot(axes())
    assert display.ax_.texts[0].get_text() == word


def test_one_loss_only() -> None:
    both = {"tree": decompose(Y, P), "line": decompose(Y, P, "brier_loss")}
    with pytest.raises(InputError, match=r"of one loss, at least one; got \['brier_loss', 'cat"):
        DecompositionDisplay(both)
    with pytest.raises(InputError, match="got none"):
        DecompositionDisplay({})
