"""The mathematics: one definition of each loss, and the one table of them."""

from __future__ import annotations

from xentexp._inputs.block import Block
from xentexp.losses._base import Loss, Properties
from xentexp.losses._registry import LOSSES, load_plugins, register_loss

# The families fill the table in this order, and listings keep it.
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
