"""The one exception for everything that a user can put right."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class InputError(ValueError):
    """Bad input: the message states the rule, the value and what to do.

    It is a ``ValueError``, as scikit-learn's users expect; the command line turns it into
    one sentence and exit code 2.
    """


def unknown_name(
    kind: str, name: object, known: Iterable[str], *, shown: Iterable[str] | None = None
) -> InputError:
    """Error for a name that is in no table, with the nearest names.

    Parameters
    ----------
    kind : str
        What the name should be the name of, e.g. ``"loss"``.
    name : object
        The name that was asked for.
    known : iterable of str
        The names that exist.
    shown : iterable of str, optional
        Those of them that are listed; all by default.

    Returns
    -------
    InputError
        To be raised by the caller.

    Examples
    --------
    >>> print(unknown_name("loss", "brier", ["brier_loss", "entropy"]))
    unknown loss 'brier'; did you mean 'brier_loss'? Known: brier_loss, entropy
    """
    names = sorted(set(known))
    text = str(name)
    near = [known for known in names if known.lower() == text.lower()]
    near = near or difflib.get_close_matches(text, names, n=3, cutoff=0.5)
    near = near or [known for known in names if text and text in known][:3]
    hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else "."
    listed = names if shown is None else sorted(shown)
    more = f", ... ({len(listed)} in all)" if len(listed) > 20 else ""
    return InputError(f"unknown {kind} {name!r}{hint} Known: {', '.join(listed[:20])}{more}")
