"""What a loss is: its facts, its parameters and its value on each row of a block."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal

from xentexp.losses.block import Block
from xentexp.losses.links import FloatArray


@dataclass(frozen=True)
class Facts:
    """What is true of a loss whatever the data: the source of its docstring and its row.

    Parameters
    ----------
    summary : str
        What it measures, in one line.
    formula : str
        Value of one row, in one line of ASCII.
    range : str
        Values that a row can take, e.g. ``"[0, inf)"``.
    properness : str
        Whether the true distribution minimizes the expected loss: alone, among others, not.
    needs : str
        ``"probabilities"``, ``"scores"`` (margins), or ``"either"``.
    reference : str
        Paper, book or peer that defines it.
    example : str
        Doctest of the metric function.
    direction : str
        ``"lower"`` is better, or ``"none"`` for a description that ranks nothing.
    targets : str
        ``"labels"``; ``"one-hot"`` as well; ``"soft"``: any distribution as well; or
        ``"none"``: the predictions alone.
    binary_only : bool
        Whether it is defined for two classes only.
    distributions : bool
        Whether its function compares two distributions instead of labels and predictions.
    smoothing : bool
        Whether its function offers label smoothing and the clip of the logarithm.
    """

    summary: str
    formula: str
    range: str
    properness: Literal["strictly proper", "proper", "improper", "-"]
    needs: Literal["probabilities", "scores", "either"]
    reference: str
    example: str
    direction: Literal["lower", "none"] = "lower"
    targets: Literal["labels", "one-hot", "soft", "none"] = "soft"
    binary_only: bool = False
    distributions: bool = False
    smoothing: bool = False


@dataclass(frozen=True)
class Loss(ABC):
    """A loss: a frozen value whose fields are its parameters.

    Reduction, weights, label smoothing and ignored labels are not its business: they are
    applied once, around it.
    """

    name: ClassVar[str]
    facts: ClassVar[Facts]

    @abstractmethod
    def per_sample(self, block: Block) -> FloatArray:
        """Value of each row.

        Parameters
        ----------
        block : Block
            Targets and predictions of some rows.

        Returns
        -------
        ndarray of shape (n,)
            Not to be written to: several losses may share it.
        """

    def unsuited(
        self, *, n_classes: int, soft: bool, has_proba: bool, has_decision: bool
    ) -> str | None:
        """Why the loss is not defined for such an input, or None where it is.

        Parameters
        ----------
        n_classes : int
            Number of classes.
        soft : bool
            Whether targets are given as a column per class.
        has_proba, has_decision : bool
            What the predictions hold.

        Returns
        -------
        str or None
            The reason, as the end of a sentence that starts with the name.
        """
        facts = self.facts
        if facts.binary_only and n_classes != 2:
            return f"is for two classes; there are {n_classes}"
        if facts.needs == "probabilities" and not has_proba:
            return "needs probabilities"
        if facts.needs == "scores" and not has_decision:
            return "needs decision scores"
        if facts.needs == "either" and not (has_proba or has_decision):
            return "needs probabilities or decision scores"
        if facts.targets == "labels" and soft:
            return "takes labels of shape (n,), not a column per class"
        return None
