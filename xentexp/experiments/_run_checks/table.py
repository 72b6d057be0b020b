"""The table of checks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from xentexp.errors import unknown_name
from xentexp.experiments._record import RunRecord
from xentexp.experiments._run_checks import comparison, data, fits, models
from xentexp.experiments._run_checks.check import Check
from xentexp.experiments._run_checks.issue import Issue

_RULE = "A rule: it reports what is in the data or in the tables of the run."

_CHECKS = (
    Check(
        "X101",
        "known_target",
        "Whether one column by itself predicts the target almost perfectly.",
        "Cross-fitted log loss of each column before the fits: at most 10% of that of the class "
        "frequencies, and a likelihood ratio of at least 1e6 times the number of columns.",
        data.finding("X101", "known_target"),
        is_test=True,
        remedy="If the column is known only after the outcome, leave it out.",
        false_alarm_rate=0.0,
        simulated="500 simulations: 300 rows, 10 columns, labels drawn",
    ),
    Check(
        "X102",
        "row_order",
        "Whether an identifier of the rows orders the target, as in a file sorted by class.",
        "Runs and rank sums of the classes in the order of the identifier; adjusted p-value of at "
        "most 1e-6.",
        data.finding("X102", "row_order"),
        is_test=True,
        remedy="Leave the column out; if it is a time, use folds in time order.",
        false_alarm_rate=0.0,
        simulated="500 simulations: 300 rows, 10 columns and a row number, labels drawn",
    ),
    Check(
        "X103",
        "shared_entities",
        "Whether rows of one person or another entity are in both the training and the test part.",
        "A rule: at least 1% of the test rows have their entity in the training part. It applies "
        "to random folds.",
        data.shared_entities,
        data.has_random_folds,
        remedy="For scores that hold for new entities, use cv=grouped.",
    ),
    Check(
        "X104",
        "identifiers",
        "Whether columns identify the rows.",
        "A rule: (almost) every row has another value.",
        data.finding("X104", "identifiers"),
        remedy="Leave the column out.",
        false_alarm_rate=0.0,
        simulated="500 simulations: 300 rows, 10 columns of numbers and categories",
    ),
    Check(
        "X105",
        "constant_columns",
        "Whether columns have the same value in every row.",
        _RULE,
        data.finding("X105", "constant"),
        remedy="Leave the column out.",
    ),
    Check(
        "X106",
        "entity_search",
        "Whether the search for entities was given up because the table is too large.",
        _RULE,
        data.finding("X106", "entity_search"),
    ),
    Check(
        "X107",
        "absent_classes",
        "Whether a class is absent from the training part of a fold.",
        _RULE,
        data.finding("X107", "absent_classes"),
    ),
    Check(
        "X201",
        "zero_or_one",
        "Whether a model predicts a probability of exactly 0 or 1. It is a problem if such a row "
        "is of the class with probability 0: the log loss is infinite then, and the finite value "
        "in tables depends on the clip.",
        _RULE,
        models.zero_or_one,
        models.has_probabilities,
        remedy="Raise min_samples_leaf of trees and forests, or calibrate the model.",
    ),
    Check(
        "X202",
        "worse_than_constant",
        "Whether a model is worse than constant class frequencies.",
        "Paired difference to the constant model by the primary loss or metric; two-sided test at "
        "5%, adjusted for the number of models (Holm).",
        models.worse_than_constant,
        models.has_constant,
        is_test=True,
        false_alarm_rate=0.004,
        simulated="2,000 simulations: 1,000 rows, a model as good as the base rate",
    ),
    Check(
        "X203",
        "not_better_than_constant",
        "Whether the best model is not shown to be better than constant class frequencies.",
        "A rule: the 95% interval of the difference contains 0.",
        models.not_better_than_constant,
        models.has_constant,
        false_alarm_rate=0.049,
        simulated="1,000 simulations: 1,000 rows, a model that explains 13% of the entropy",
    ),
    Check(
        "X204",
        "not_finite",
        "Whether losses and metrics in the tables are infinite or undefined.",
        _RULE,
        models.not_finite,
    ),
    Check(
        "X205",
        "reversed_tenths",
        "Whether the share of a class rises from one tenth of the scores to the next lower one.",
        "One-sided z test of two proportions for each pair of neighbouring tenths, at 5% for each "
        "model after adjustment for 9 comparisons (9 for each class with more than two classes; "
        "Bonferroni). Rows of an entity count together. Pairs with fewer than 10 rows with or "
        "without the class are left out.",
        models.reversed_tenths,
        models.has_probabilities,
        is_test=True,
        false_alarm_rate=0.05,
        simulated="2,000 simulations: 1,000 rows, scores that do not depend on the labels",
    ),
    Check(
        "X206",
        "miscalibrated",
        "Whether probabilities differ from the rates. It is a problem if a tenth of the scores is "
        "off by a quarter of the rate of the class (or of the others, if these are fewer), or if "
        "recalibration would lower the log loss by 1%.",
        "Two tests for each model, each at 0.5%: the mean probability against the rate in each "
        "tenth of the scores (two-sided z test, Bonferroni), and the parametric test of `decompose`"
        " (a line in the log-odds for two classes, a temperature and biases for more).",
        models.miscalibrated,
        models.has_probabilities,
        is_test=True,
        remedy="Calibrate the model, e.g. with CalibratedClassifierCV.",
        false_alarm_rate=0.013,
        simulated="2,000 simulations: 1,000 rows, true probabilities",
    ),
    Check(
        "X207",
        "overfit",
        "Whether the loss on rows that a model was trained on is far below the loss on others.",
        "A rule: less than half of it. Such a model need not be a bad one.",
        models.overfit,
        models.has_training_losses,
        remedy="Larger leaves (min_samples_leaf) of trees and forests may lower the loss on other "
        "rows.",
        false_alarm_rate=0.0,
        simulated="500 simulations: 300 rows, logistic regression of 5 features",
    ),
    Check(
        "X301",
        "few_events",
        "Whether a class has fewer than 40 rows.",
        "A rule: intervals of AUC and KS cover too little below (see docs/coverage.md).",
        comparison.few_events,
        comparison.has_predictions,
    ),
    Check(
        "X302",
        "unstable_order",
        "Whether other splits or other rows may change which model is best.",
        "A rule: with repeats, the best two models have another order in a repeat; without, the "
        "test of the difference does not tell a model from the best (5%, Holm).",
        comparison.unstable_order,
        comparison.has_order,
        false_alarm_rate=0.125,
        simulated="1,000 simulations: 1,000 rows, a model with noise of 1 in the log-odds "
        "against the true probabilities",
    ),
    Check(
        "X303",
        "nearly_equal",
        "Whether a model has almost the same losses as the best one on every row.",
        "A rule: the correlation of the losses over the rows is at least .99.",
        comparison.nearly_equal,
        comparison.has_order,
        false_alarm_rate=0.0,
        simulated="500 simulations: 1,000 rows, a model with noise of .5 in the log-odds "
        "against the true probabilities",
    ),
    Check(
        "X304",
        "fold_outlier",
        "Whether the loss of one fold differs from that of the others for all models.",
        "Mean loss of the models in a fold against the other folds of its repeat, with the "
        "standard errors over the rows (clustered by entity); two-sided z test at 1%, adjusted "
        "for the number of folds (Bonferroni); each model must differ in the same direction. "
        "Not for folds in time order, whose periods differ.",
        comparison.fold_outlier,
        comparison.has_folds,
        is_test=True,
        false_alarm_rate=0.005,
        simulated="2,000 simulations: 1,000 rows in 5 stratified folds, two models",
    ),
    Check(
        "X305",
        "small_segments",
        "Whether segments of the columns have few rows, or no rows of a class.",
        "A rule: fewer than 50 rows, or 50 rows and none of the class.",
        comparison.small_segments,
        comparison.has_segments,
    ),
    Check(
        "X306",
        "interval_notes",
        "Whether intervals are less reliable because of few rows, groups, periods or weights.",
        _RULE,
        comparison.interval_notes,
        comparison.has_intervals,
    ),
    Check(
        "X401",
        "failed",
        "Whether a model failed.",
        _RULE,
        fits.failed,
    ),
    Check(
        "X402",
        "fit_warnings",
        "Whether libraries warned in the fits, e.g. that a solver did not converge.",
        _RULE,
        fits.fit_warnings,
    ),
    Check(
        "X403",
        "search_edge",
        "Whether the search chose a hyperparameter at the end of its range.",
        "A rule: in more than half of the folds, the chosen value is within 1% of the range from "
        "the same end (on the logarithmic scale if the search used it).",
        fits.search_edge,
        fits.has_search,
        remedy="Search a wider range, unless the end is the limit of the parameter.",
        false_alarm_rate=0.0,
        simulated="5,000 simulations: 5 folds, 20 random values of a parameter without an effect",
    ),
)

CHECKS = {check.code: check for check in _CHECKS}
"""Checks by code."""


def shown_checks(record: RunRecord, muted: Sequence[str] = ()) -> list[Check]:
    """Checks that apply to a run and are not muted; the codes of the muted ones must exist."""
    hidden = {check_of(code).code for code in muted}
    return [c for c in CHECKS.values() if c.code not in hidden and c.applies(record)]


def check_of(code: str) -> Check:
    """Check of a code; the error names near codes, or the code of a name."""
    if code in CHECKS:
        return CHECKS[code]
    names = {check.name: check.code for check in CHECKS.values()}
    hint = f"write its code {names[code]}" if code in names else None
    raise unknown_name("check", code, CHECKS, hint=hint)


def run_checks(record: RunRecord, muted: Sequence[str] = ()) -> list[Issue]:
    """What the checks of a run found: problems first, and first the first issue of each check."""
    found = [issue for check in shown_checks(record, muted) for issue in check.find(record)]
    seen: Counter[tuple[bool, str]] = Counter()
    order = []
    for issue in found:
        key = (issue.serious, issue.code)
        order.append((not issue.serious, seen[key], issue.code))
        seen[key] += 1
    return [found[i] for i in sorted(range(len(found)), key=lambda i: order[i])]
