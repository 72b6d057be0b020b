"""The keys `train_on` and `curves`: candidates for each model and training loss."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

import numpy as np

from xentexp._inputs.labels import to_class_weight
from xentexp.errors import InputError
from xentexp.experiments._config.classifiers import check_classifier, read_candidate
from xentexp.experiments._config.schema import ModelFile, TrainOn
from xentexp.experiments._results import Candidate, TrainedOn
from xentexp.losses import Loss
from xentexp.objectives import TrainingObjective, get_training_loss

_OPTIONS = {"loss", "loss_params", "class_weight", "label_smoothing"}
"""Parameters that a classifier needs to be trained on any loss."""


def read_candidates(
    models: Mapping[str, ModelFile],
    train_on: Sequence[TrainOn] | None,
    curves: Sequence[str] | None,
    trusted: Collection[str] = (),
) -> tuple[Candidate, ...]:
    """Candidates of the model files: all training losses of the first model, then of the next."""
    # Losses to record at each step; None keeps the setting of the model file.
    recorded = {} if curves is None else {"record": list(curves)}
    training_losses = [_trained_on(entry) for entry in train_on or ()]
    labels = [trained.label for trained in training_losses]
    for label in labels:
        if labels.count(label) > 1:
            raise InputError(
                f"train_on has duplicate entries {label!r}; give each a different name, e.g. "
                f"{{loss: NAME, name: LABEL}}"
            )
    candidates: list[Candidate] = []
    for name, model in models.items():
        takes_loss = set(check_classifier(name, model.classifier, trusted)) >= _OPTIONS
        if train_on is None:
            settings = recorded if takes_loss else {}
            candidates.append(read_candidate(name, _changed(model, settings), trusted))
            continue
        if not takes_loss:
            raise InputError(
                f"train_on needs models with the parameter loss, but model {name} does not have "
                f"it; leave it out of models=, or set train_on=null"
            )
        for trained, entry in zip(training_losses, train_on, strict=True):
            # Options that an entry omits take the defaults of `TrainOn`, not the model's file.
            settings = {**entry.model_dump(include=_OPTIONS), **recorded}
            label = f"{name}[{trained.label}]"
            crossed = read_candidate(label, _changed(model, settings), trusted)
            parameters = {**crossed.parameters, "family": name, "trained_on": trained.label}
            candidates.append(
                replace(crossed, parameters=parameters, family=name, trained_on=trained)
            )
    return tuple(candidates)


def _changed(model: ModelFile, settings: Mapping[str, object]) -> ModelFile:
    return model.model_copy(update={"classifier": {**model.classifier, **settings}})


def with_corrections(
    candidates: Sequence[Candidate], classes: Sequence[Any]
) -> tuple[Candidate, ...]:
    """Candidates with a variant ``"<name> corrected"`` if the loss shifts the probabilities."""
    return tuple(_with_correction(candidate, classes) for candidate in candidates)


def _with_correction(candidate: Candidate, classes: Sequence[Any]) -> Candidate:
    trained = candidate.trained_on
    if trained is None:
        return candidate
    classifier = candidate.estimator[-1]
    loss, smoothing = trained.loss, classifier.label_smoothing
    n_classes = len(classes)
    try:
        to_class_weight(classifier.class_weight, tuple(classes), lambda: np.ones(n_classes))
        TrainingObjective(loss, np.arange(n_classes), n_classes, label_smoothing=smoothing)
    except InputError as error:
        raise InputError(f"train_on: {error}") from error
    corrected = classifier.correct_probabilities
    if corrected or not trained.shifted or not loss.invertible(n_classes, smoothing):
        return candidate
    settings: dict[str, object] = {"classifier__correct_probabilities": True}
    return replace(candidate, variants={f"{candidate.name} corrected": settings})


def _trained_on(entry: TrainOn) -> TrainedOn:
    loss = get_training_loss(entry.loss, entry.loss_params)
    plain = type(loss)() == loss and not (entry.class_weight or entry.label_smoothing)
    shifted = not plain or loss.properties.properness != "strictly proper"
    label = entry.name or _label(loss, entry)
    return TrainedOn(label, loss, plain=plain, shifted=shifted)


def _label(loss: Loss, entry: TrainOn) -> str:
    default = type(loss)()
    words = [loss.name]
    for field in fields(loss):
        value = getattr(loss, field.name)
        if value != getattr(default, field.name):
            words.append(f"{field.name}={value}")
    if entry.label_smoothing:
        words.append(f"smoothing={entry.label_smoothing:g}")
    weight = entry.class_weight
    if weight:
        words.append(weight if isinstance(weight, str) else f"class_weight={weight}")
    return " ".join(words)
