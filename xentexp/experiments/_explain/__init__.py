"""What is computed beside each fit because it needs the model or the features.

`plan` is made once for a run; `fold` computes, in the worker, the tables of one fold:

- importance: one line for each chosen row, with the columns ``repeat``, ``fold``, ``row``,
  ``loss_name``, ``loss`` (of the row), where they exist ``sample_weight`` and ``group`` (entity),
  and a column for each group of features with the mean increase of the loss of the row when their
  values are permuted. The name of such a column is the JSON list of the features.
- segments: lines of `xentexp.inference._segments.segment_sums`, with ``repeat``, ``fold`` and
  ``loss_name``.
- the mean loss of a sample of the training rows.
"""

from __future__ import annotations

from xentexp.experiments._explain.fold import Explanation, explain_fold, explain_variant
from xentexp.experiments._explain.importance import feature_groups
from xentexp.experiments._explain.plan import Explain, Plan, make_plan

__all__ = [
    "Explain",
    "Explanation",
    "Plan",
    "explain_fold",
    "explain_variant",
    "feature_groups",
    "make_plan",
]
