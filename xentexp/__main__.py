"""``python -m xentexp`` is the command ``xentexp``."""

from xentexp.experiments.cli import main

raise SystemExit(main())
