"""The mathematics: one definition of each loss, and the one table of them."""

from __future__ import annotations

from xentexp.inputs.block import Block
from xentexp.losses.base import Loss, Properties
from xentexp.losses.registry import LOSSES, load_plugins, register_loss

# The families fill the table in this order, and listings keep it.
# isort: off
from xentexp.losses import crossentropy as _crossentropy  # noqa: F401
from xentexp.losses import proper as _proper  # noqa: F401
from xentexp.losses import focal as _focal  # noqa: F401
from xentexp.losses import robust as _robust  # noqa: F401
from xentexp.losses import ordinal as _ordinal  # noqa: F401
from xentexp.losses import margin as _margin  # noqa: F401
from xentexp.losses import regression as _regression  # noqa: F401
from xentexp.losses import divergence as _divergence  # noqa: F401
from xentexp.losses import multilabel as _multilabel  # noqa: F401
# isort: on

__all__ = ["LOSSES", "Block", "Loss", "Properties", "load_plugins", "register_loss"]
