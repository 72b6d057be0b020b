"""Losses: their definitions, and the table in which they are found by name.

- `Loss` and `Properties`: base class of losses, and the properties of a loss;
- `register_loss`: class decorator that adds a loss to the table;
- `LOSSES`: the table, from name to loss with default parameters;
- `load_plugins`: load the losses of installed packages;
- `Block`: targets and predictions of some rows, of which a loss computes its values.

`xentexp.get_loss` finds a loss by name and sets its parameters.
"""

from __future__ import annotations

from xentexp._inputs.block import Block
from xentexp.losses._base import Loss, Properties
from xentexp.losses._registry import LOSSES, load_plugins, register_loss

# The order of the imports is the order of the losses in the table and in listings.
# isort: off
from xentexp.losses import _crossentropy as _crossentropy
from xentexp.losses import _proper as _proper
from xentexp.losses import _focal as _focal
from xentexp.losses import _robust as _robust
from xentexp.losses import _ordinal as _ordinal
from xentexp.losses import _margin as _margin
from xentexp.losses import _regression as _regression
from xentexp.losses import _divergence as _divergence
from xentexp.losses import _multilabel as _multilabel
# isort: on

__all__ = ["LOSSES", "Block", "Loss", "Properties", "load_plugins", "register_loss"]
