"""``python -m xentexp`` is the command ``xentexp``."""

from xentexp.experiments._cli import main

if __name__ == "__main__":
    raise SystemExit(main())
