"""Doctests that train with torch are left out where it is not installed."""

from importlib.util import find_spec

collect_ignore = (
    [] if find_spec("torch") else ["xentexp/estimators/network.py", "xentexp/objectives/torch.py"]
)
