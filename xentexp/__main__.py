"""``python -m xentexp`` is the command ``xentexp``."""

from xentexp.experiments._cli import main

raise SystemExit(main())
