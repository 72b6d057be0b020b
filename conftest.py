"""Modules whose doctests need an extra are left out where it is not installed."""

from importlib.util import find_spec

NEEDS_TORCH = ["xentexp/objectives/torch.py", "xentexp/estimators/network.py"]

collect_ignore = [] if find_spec("torch") else NEEDS_TORCH
