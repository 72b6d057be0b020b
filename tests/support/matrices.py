"""Inputs of loss matrices: a small one with simple values, and a large random one."""

from __future__ import annotations

import math

import numpy as np

from xentexp.experiments._analysis import Calibration, Trained

SCORED = {
    # typical value for two classes, whether it needs probabilities
    "categorical_crossentropy": (0.43, True),
    "brier_loss": (0.27, True),
    "spherical_loss": (0.146, True),
    "categorical_focal_crossentropy": (0.031, True),
    "generalized_crossentropy": (0.24, True),
    "symmetric_crossentropy": (0.92, True),
    "bi_tempered_logistic_loss": (0.19, True),
    "zero_one_loss": (0.18, False),
    "hinge_loss": (0.39, False),
    "squared_hinge_loss": (0.54, False),
    "modified_huber_loss": (0.55, False),
    "exponential_loss": (0.71, False),
}
TRAINED = (
    # training loss, whether also corrected, shift of the rate of class 1, calibration error
    ("categorical_crossentropy", False, 0.0004, 0.011),
    ("brier_loss", False, -0.0011, 0.009),
    ("spherical_loss", False, -0.0023, 0.012),
    ("categorical_focal_crossentropy", True, 0.0912, 0.091),
    ("generalized_crossentropy", False, -0.0712, 0.072),
    ("symmetric_crossentropy", False, -0.0688, 0.069),
    ("bi_tempered_logistic_loss", False, -0.0104, 0.016),
    ("squared_hinge_loss", True, None, None),
    ("exponential_loss", True, 0.0312, 0.034),
    ("categorical_crossentropy smoothing=0.1", True, 0.0281, 0.029),
    ("categorical_crossentropy class_weight=balanced", True, 0.2202, 0.2202),
    ("hinge_loss", False, None, None),
)


def by_hand() -> list[Trained]:
    """A matrix of two losses, with a corrected row and a row without probabilities."""
    half = Calibration((-0.1, 0.1), 0.12)
    return [
        Trained(
            "linear",
            "brier_loss",
            {"brier_loss": [1.0, 2.0, 3.0], "hinge_loss": [4.0, 4.0, 4.0]},
            "brier_loss",
            calibration=Calibration((0.01, -0.01), 0.02),
        ),
        Trained(
            "linear",
            "exponential_loss",
            {"brier_loss": [2.0, 4.0, 6.0], "hinge_loss": [3.0, 3.5, 1.0]},
            calibration=half,
        ),
        Trained("linear", "hinge_loss", {"hinge_loss": [2.0, 3.0, 4.0]}, "hinge_loss"),
        Trained(
            "linear",
            "exponential_loss",
            {"brier_loss": [1.5, 2.5, 3.5], "hinge_loss": [3.0, 3.5, 1.0]},
            corrected=True,
            calibration=Calibration((-0.004, 0.004), 0.03),
        ),
    ]


def large(model: str = "linear", *, folds: int = 10, seed: int = 1) -> list[Trained]:
    """A wide matrix: twelve training losses, sixteen rows and twelve losses as columns."""
    rng = np.random.default_rng(seed)
    level = rng.normal(0.0, 0.01, folds)
    rows = []
    for number, (label, pair, shift, ece) in enumerate(TRAINED):
        for corrected in (False, True) if pair else (False,):
            values = {}
            for column_number, (name, (typical, needs_proba)) in enumerate(SCORED.items()):
                if needs_proba and label == "hinge_loss":
                    continue
                cost = 0.004 + abs(math.sin(7.0 * number + 3.0 * column_number)) ** 6
                cost *= 0.0 if label == name else 0.15 if corrected else 1.0
                noise = rng.normal(0.0, 0.0002 + 0.02 * cost, folds)
                values[name] = (typical * (1.0 + 0.3 * cost + level + noise)).tolist()
            of_proba = None
            if label != "hinge_loss":
                shift_, ece_ = (0.0, 0.01) if corrected or shift is None else (shift, ece)
                of_proba = Calibration((-shift_, shift_), ece_ or 0.01)
            column = label if label in SCORED and not corrected else None
            rows.append(Trained(model, label, values, column, corrected, of_proba))
    return rows
