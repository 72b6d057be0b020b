"""Checked input, and its blocks of targets, predictions and weights."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, Literal, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from xentexp._inputs.block import Block
from xentexp._inputs.columns import Columns, Distributions, Predictions, as_index
from xentexp._inputs.labels import KnownTargets, Labels
from xentexp._inputs.options import check_n_jobs
from xentexp._inputs.rows import ReadPages, Rows, differs
from xentexp._inputs.threads import in_order, n_threads
from xentexp._numerics import Array, FloatArray, IntArray
from xentexp.errors import InputError

ScoreKind = Literal["logits", "decision"]
Result = TypeVar("Result")

# Elements of a block, so that the block and the matrices computed from it fit into the L2 cache:
# a dozen matrices for many losses, a few for a single loss, one for a cross-entropy of labels. With
# smaller blocks the calls of NumPy cost more than the numbers, with larger ones the memory does.
BLOCK_ELEMENTS = 49152
SINGLE_BLOCK_ELEMENTS = 65536
LABEL_BLOCK_ELEMENTS = 196608
_PARTS_PER_TASK = 4  # blocks that a thread computes between two exchanges with the main thread


class Part(NamedTuple):
    """A block, its position among all rows, and the weights of its rows."""

    rows: Rows
    block: Block
    unsmoothed: Block  # targets before label smoothing; the same object as `block` without it
    weight: NDArray[np.float64] | None


@dataclass(frozen=True)
class PlannedInput:
    """Properties of input that does not exist yet, e.g. predictions of a model before its fit."""

    n_classes: int
    soft: bool = False
    has_proba: bool = True
    has_decision: bool = True
    latent: bool = False
    ordered: bool = True

    @property
    def one_hot(self) -> bool:
        """Whether every row has one true class."""
        return not self.soft


@dataclass(frozen=True)
class CheckedInput:
    """Targets and predictions whose shapes and names are checked; values are checked by block."""

    # Metrics read `parts()`. In training, only the scores change from step to step: there, targets
    # are `KnownTargets`, and `blocks(scores)` takes the place of `parts()`.

    classes: tuple[Any, ...]
    targets: Labels | Distributions | Columns | KnownTargets | None
    probabilities: Predictions | Columns | None = None
    decision: Predictions | None = None
    weight: Array | None = None
    class_weight: NDArray[np.float64] | None = None
    smoothing: float = 0.0
    clip: float = 0.0
    ignore_label: object = None
    ordered: bool = False

    @property
    def n_rows(self) -> int:
        """Number of rows, including ignored rows."""
        if isinstance(self.targets, KnownTargets):
            return self.targets.n_rows
        predictions = self.probabilities or self.decision
        assert predictions is not None
        return len(predictions.values)

    @property
    def n_classes(self) -> int:
        """Number of classes."""
        return len(self.classes)

    @property
    def has_proba(self) -> bool:
        """Whether there are probabilities, or raw scores that give them."""
        return self.probabilities is not None

    @property
    def has_decision(self) -> bool:
        """Whether there are decision scores."""
        return self.decision is not None

    @property
    def soft(self) -> bool:
        """Whether the targets have a column for each class."""
        return isinstance(self.targets, Distributions)

    @property
    def of_columns(self) -> bool:
        """Whether the columns are plain numbers or labels of a multilabel problem, not classes."""
        known = isinstance(self.targets, KnownTargets) and self.targets.columns
        return known or isinstance(self.targets, Columns)

    @property
    def latent(self) -> bool:
        """Whether the decision scores have shape (n,)."""
        return self.decision is not None and self.decision.values.ndim == 1

    def _step(self, elements: int = BLOCK_ELEMENTS) -> int:
        """Rows per block."""
        return max(128, elements // len(self.classes))

    @property
    def plain_labels(self) -> bool:
        """Whether the targets are labels that are not smoothed."""
        return isinstance(self.targets, Labels) and not self.smoothing

    @cached_property
    def one_hot(self) -> bool:
        """Whether every row has one true class."""
        return not isinstance(self.targets, Distributions) or self.targets.one_hot(self._step())

    def positive(self) -> bool:
        """Whether no target is 0."""
        if not isinstance(self.targets, Distributions):
            return self.smoothing > 0.0
        return self.smoothing > 0.0 or self.targets.positive(self._step())

    def _pages(self) -> ReadPages:
        assert not isinstance(self.targets, KnownTargets)
        inputs = (self.targets, self.probabilities, self.decision)
        return ReadPages(*(None if it is None else it.values for it in inputs), self.weight)

    @property
    def mapped(self) -> bool:
        """Whether an array is memory-mapped, so that it may not fit in memory."""
        return not isinstance(self.targets, KnownTargets) and self._pages().mapped

    def pieces(self, n_rows: int) -> Iterator[CheckedInput]:
        """Rows whose values were checked before, in pieces, without those that are all ignored."""
        assert isinstance(self.targets, (Labels, Distributions))
        read = self._pages()
        for start in range(0, self.n_rows, n_rows):
            read.up_to(start)
            rows = slice(start, start + n_rows)
            targets = replace(self.targets, values=self.targets.values[rows])
            if (
                self.ignore_label is not None
                and not differs(targets.values, self.ignore_label).any()
            ):
                continue
            probabilities = self.probabilities
            if isinstance(probabilities, Predictions):
                # The tolerance of the row sums depends on all rows: they are not checked again.
                probabilities = replace(
                    probabilities,
                    values=probabilities.values[rows],
                    normalize=probabilities.normalize or None,
                )
            decision = self.decision
            if decision is not None:
                decision = replace(decision, values=decision.values[rows])
            weight = None if self.weight is None else self.weight[rows]
            yield replace(
                self, targets=targets, probabilities=probabilities, decision=decision, weight=weight
            )

    def parts(self, *, hard: str | None = None, elements: int = BLOCK_ELEMENTS) -> Iterator[Part]:
        """Yield blocks in the order of the rows, without those whose rows are all ignored."""
        return self.map_parts(lambda part: part, hard=hard, elements=elements)

    def map_parts(
        self,
        function: Callable[[Part], Result],
        *,
        hard: str | None = None,
        elements: int = BLOCK_ELEMENTS,
        n_jobs: int | None = 1,
    ) -> Iterator[Result]:
        """Yield the result of a function of each of `parts`, in their order, from threads."""
        # `hard` is the name of a loss that needs one true class per row, for the error message.
        assert not isinstance(self.targets, KnownTargets)
        check_n_jobs(n_jobs)
        n_rows, step = self.n_rows, self._step(elements)
        width = step * _PARTS_PER_TASK

        def results(start: int) -> Iterator[Result]:
            for first in range(start, min(start + width, n_rows), step):
                part = self._part(slice(first, min(first + step, n_rows)))
                if part is not None:
                    if hard is not None:
                        _check_hard(part, hard)
                    result = function(part)
                    del part  # its memory serves the next block, and is in the cache
                    yield result

        starts = range(0, n_rows, width)
        empty = True
        if len(starts) == 1:
            for result in results(0):
                empty = False
                yield result
        else:
            read = self._pages()
            groups: Iterable[Iterable[Result]] = map(results, starts)
            if (n_workers := n_threads(n_jobs)) > 1:
                groups = in_order((partial(_computed, results(n)) for n in starts), n_workers)
            for start, group in zip(starts, groups, strict=True):
                for result in group:
                    empty = False
                    yield result
                read.up_to(min(start + width, n_rows))
        if empty:
            raise InputError(
                f"y_true must have a label that is not ignored; every label is the ignore_label "
                f"{self.ignore_label!r}"
            )

    def _part(self, span: slice) -> Part | None:
        rows = Rows(span)
        index: IntArray | None = None
        soft: FloatArray | None = None
        if isinstance(self.targets, Labels):
            if self.ignore_label is not None:
                keep = differs(self.targets.values[span], self.ignore_label)
                if not keep.any():
                    return None
                rows = rows if keep.all() else Rows(span, keep)
            index = self.targets.index(rows)
        elif isinstance(self.targets, Columns):
            soft = self.targets.block(rows)
        elif isinstance(self.targets, Distributions):
            soft = self.targets.soft(span)
            index = as_index(soft)
            soft = soft if index is None else None
        predicted: dict[str, Array] = {}
        if self.probabilities is not None:
            predicted[self.probabilities.kind] = self.probabilities.block(rows)
        if self.decision is not None:
            raw = self.probabilities if "logits" in predicted else None
            if raw is not None and self.decision.values is raw.values:
                # The same array is checked once, and shared by the block.
                predicted["decision"] = predicted["logits"]
            else:
                predicted["decision"] = self.decision.block(rows)
        block = unsmoothed = Block(
            n_classes=len(self.classes), index=index, soft=soft, clip=self.clip, **predicted
        )
        if self.smoothing and self.targets is not None:
            smoothed = self.smoothed(index, soft)
            block = Block(n_classes=block.n_classes, soft=smoothed, clip=self.clip, **predicted)
        return Part(rows, block, unsmoothed, self._weight_of(rows, index, soft))

    def smoothed(self, index: IntArray | None, soft: FloatArray | None) -> FloatArray:
        """Smoothed targets, (n, k): mixed with a uniform distribution over the classes."""
        # Each column of a multilabel problem has two classes: absent and present.
        n_classes = 2 if self.of_columns else len(self.classes)
        if soft is not None:
            return soft * (1.0 - self.smoothing) + self.smoothing / n_classes
        assert index is not None
        smoothed = np.full((len(index), n_classes), self.smoothing / n_classes)
        smoothed[np.arange(len(index)), index] += 1.0 - self.smoothing
        return smoothed

    def _weight_of(
        self, rows: Rows, index: IntArray | None, soft: FloatArray | None
    ) -> FloatArray | None:
        """Sample weight times class weight, which soft targets average over their classes."""
        weight: FloatArray | None = None
        if self.weight is not None:
            weight = rows.of(self.weight).astype(np.float64, copy=False)
        if self.class_weight is None:
            return weight
        by_class: FloatArray
        by_class = self.class_weight[index] if soft is None else soft @ self.class_weight
        return by_class if weight is None else weight * by_class

    # -- training: known targets, new scores at every step ---------------------------------

    @cached_property
    def row_weight(self) -> FloatArray | None:
        """Sample weight times class weight of each row of known targets."""
        assert isinstance(self.targets, KnownTargets)
        rows = slice(0, self.n_rows)
        return self._weight_of(Rows(rows), *self.targets.of(rows))

    def blocks(self, scores: Array, kind: ScoreKind = "logits") -> Iterator[tuple[slice, Block]]:
        """Yield blocks of known targets with scores, (n,) or (n, k), which are not checked."""
        step = self._step()
        for start in range(0, self.n_rows, step):
            rows = slice(start, min(start + step, self.n_rows))
            yield rows, self.block(rows, scores[rows], kind)

    def block(self, rows: slice, scores: Array, kind: ScoreKind = "logits") -> Block:
        """Known targets of some rows with their scores."""
        assert isinstance(self.targets, KnownTargets)
        index, soft = self.targets.of(rows)
        if self.smoothing:
            index, soft = None, self.smoothed(index, soft)
        scores_of_kind = {str(kind): scores}
        return Block(
            n_classes=len(self.classes), index=index, soft=soft, clip=self.clip, **scores_of_kind
        )

    def class_weight_sum(self) -> FloatArray:
        """Sum of the sample weights of each class; soft targets count in proportion."""
        totals = np.zeros(len(self.classes))
        for part in replace(self, class_weight=None, smoothing=0.0).parts():
            target = part.block.target_by_class
            totals += target.sum(axis=1) if part.weight is None else target @ part.weight
        return totals


def _computed(results: Iterator[Result]) -> list[Result]:
    return list(results)


def _check_hard(part: Part, loss: str) -> None:
    """Raise an InputError unless each row has one true class."""
    if part.block.index is None:
        assert part.block.soft is not None
        row = int((part.block.soft.max(axis=1) < 1.0).argmax())
        raise InputError(
            f"{loss} needs one true class in each row; got {part.block.soft[row].tolist()} in row "
            f"{part.rows.span.start + row} of y_true"
        )


InputTraits = CheckedInput | PlannedInput
"""Input, real or planned, whose properties decide whether a loss or metric is defined for it."""
