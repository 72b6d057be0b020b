"""The keys `train_on` and `curves`: models crossed with the losses that they are trained on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

import numpy as np

from xentexp.errors import InputError
from xentexp.experiments.config.checks import known_keys
from xentexp.experiments.config.classifiers import read_candidate
from xentexp.experiments.results import Candidate, TrainedOn
from xentexp.inputs.labels import to_class_weight
from xentexp.losses import Loss
from xentexp.objectives import TrainingObjective, find_loss

_OPTIONS = ("loss_params", "class_weight", "label_smoothing")


def read_candidates(
    models: Mapping[str, Any], train_on: object, curves: Sequence[str] | None
) -> tuple[Candidate, ...]:
    """Candidates of the model files, each one trained on each of some losses.

    Parameters
    ----------
    models : mapping
        Name -> what its file says.
    train_on : object
        A list of losses, each a name or a mapping with ``loss`` and, as wanted,
        ``loss_params``, ``class_weight``, ``label_smoothing`` and ``name``; None to take the
        models as their files have them.
    curves : sequence of str, optional
        Losses that models of ours record at each step, besides the one they are trained on;
        None to leave that to their files.

    Returns
    -------
    tuple of Candidate
        All losses of the first model, then of the next.

    Raises
    ------
    InputError
        For losses and models that do not go together, and losses that stand there twice.
    """
    recorded = {} if curves is None else {"record": list(curves)}
    if train_on is None:
        return tuple(_of_file(name, model, recorded) for name, model in models.items())
    listed = [train_on] if isinstance(train_on, (str, Mapping)) else train_on
    if not isinstance(listed, list) or not listed:
        raise InputError(f"train_on must be a list of losses, or null; got {train_on!r}")
    recipes = [_recipe(entry) for entry in listed]
    labels = [trained.label for trained, _ in recipes]
    for label in labels:
        if labels.count(label) > 1:
            raise InputError(f"train_on has {label!r} twice; give one of them a name of its own")
    return tuple(
        _crossed(name, model, trained, {**settings, **recorded})
        for name, model in models.items()
        for trained, settings in recipes
    )


def takes_loss(candidate: Candidate) -> bool:
    """Whether a candidate's classifier is one that is trained on any loss.

    Parameters
    ----------
    candidate : Candidate
        Of a model file.

    Returns
    -------
    bool
        Whether `loss` and the options of training are parameters of it.
    """
    return {"loss", *_OPTIONS} <= set(candidate.estimator[-1].get_params(deep=False))


def _of_file(name: str, model: Any, recorded: Mapping[str, object]) -> Candidate:
    candidate = read_candidate(name, model)
    return candidate if not takes_loss(candidate) else _crossed(name, model, None, recorded)


def _crossed(
    name: str, model: Any, trained: TrainedOn | None, settings: Mapping[str, object]
) -> Candidate:
    candidate = read_candidate(name, model)
    if not takes_loss(candidate):
        raise InputError(
            f"model {name} is not trained on a loss of choice; leave it out of models=, or train_on"
        )
    changed = {**model, "classifier": {**model["classifier"], **settings}}
    if trained is None:
        return read_candidate(name, changed)
    crossed = read_candidate(f"{name}[{trained.label}]", changed)
    parameters = {**crossed.parameters, "family": name, "trained_on": trained.label}
    return replace(crossed, parameters=parameters, family=name, trained_on=trained)


def with_corrections(
    candidates: Sequence[Candidate], classes: Sequence[Any]
) -> tuple[Candidate, ...]:
    """Candidates shown to suit the classes, with their corrected probabilities as a variant.

    Parameters
    ----------
    candidates : sequence of Candidate
        Of `read_candidates`.
    classes : sequence
        Of the data set.

    Returns
    -------
    tuple of Candidate
        Those that are trained on a loss whose probabilities are shifted, and can be corrected,
        have the variant ``"<name> corrected"``.

    Raises
    ------
    InputError
        For a loss that is not for so many classes, and weights of other classes.
    """
    return tuple(_with_correction(candidate, classes) for candidate in candidates)


def _with_correction(candidate: Candidate, classes: Sequence[Any]) -> Candidate:
    trained = candidate.trained_on
    if trained is None:
        return candidate
    classifier = candidate.estimator[-1]
    definition, smoothing = trained.definition, classifier.label_smoothing
    n_classes = len(classes)
    try:
        to_class_weight(classifier.class_weight, tuple(classes), lambda: np.ones(n_classes))
        TrainingObjective(definition, np.arange(n_classes), n_classes, label_smoothing=smoothing)
    except InputError as error:
        raise InputError(f"train_on: {error}") from error
    done = classifier.correct_probabilities
    if done or not trained.shifted or not definition.invertible(n_classes, smoothing):
        return candidate
    settings: dict[str, object] = {"classifier__correct_probabilities": True}
    return replace(candidate, variants={f"{candidate.name} corrected": settings})


def _recipe(entry: object) -> tuple[TrainedOn, dict[str, object]]:
    given = {"loss": entry} if isinstance(entry, str) else entry
    if not isinstance(given, Mapping):
        raise InputError(f"train_on must list names of losses, or sections with loss; got {entry}")
    known_keys("key of train_on", given, ("loss", "name", *_OPTIONS), ("name", *_OPTIONS))
    settings = {key: value for key, value in given.items() if key != "name"}
    parameters = settings.get("loss_params") or {}
    if not isinstance(parameters, Mapping):
        raise InputError(f"loss_params must be a section of its own; got {parameters!r}")
    definition = find_loss(settings["loss"], parameters)
    label = str(given.get("name") or _label(definition, settings))
    plain = type(definition)() == definition and not any(
        settings.get(key) for key in ("class_weight", "label_smoothing")
    )
    shifted = not plain or definition.properties.properness != "strictly proper"
    # Options that an entry leaves out are not those of the model's file.
    defaults: dict[str, object] = {
        "loss_params": None,
        "class_weight": None,
        "label_smoothing": 0.0,
    }
    trained = TrainedOn(label, definition, plain=plain, shifted=shifted)
    return trained, {**defaults, **settings}


def _label(definition: Loss, settings: Mapping[str, Any]) -> str:
    plain = type(definition)()
    words = [definition.name]
    for field in fields(definition):
        value = getattr(definition, field.name)
        if value != getattr(plain, field.name):
            words.append(f"{field.name}={value}")
    if settings.get("label_smoothing"):
        words.append(f"smoothing={settings['label_smoothing']:g}")
    weight = settings.get("class_weight")
    if weight:
        words.append(weight if isinstance(weight, str) else f"class_weight={weight}")
    return " ".join(words)
