"""``python -m xentexp`` is the command ``xentexp``."""

from xentexp.cli import main

raise SystemExit(main())
