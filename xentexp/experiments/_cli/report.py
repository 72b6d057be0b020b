"""`xentexp report`: the page of earlier runs, from their stored results."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from xentexp.errors import InputError
from xentexp.experiments._cli.failures import page_errors
from xentexp.experiments._cli.terminal import print_json, say
from xentexp.experiments._new_files import FileOption, check_new, check_not_read, write_new

_PAGE = "report.html"
_OUT = FileOption("--out", "pass --overwrite")


def report(options: argparse.Namespace) -> int:
    """Write a page, or print Markdown; return 0, or 1 if a run is incomplete."""
    file = options.out if options.out is not None else None if options.markdown else Path(_PAGE)
    if file is not None:
        check_new(file, _OUT, overwrite=options.overwrite)
    muted = None if options.mute is None else _codes(options.mute)

    from xentexp.experiments._report import run_markdown, run_page
    from xentexp.experiments._tracking.connect import (
        open_client,
        store_errors,
        store_file,
        store_uri,
    )
    from xentexp.experiments._tracking.stored_record import read_record

    uri = store_uri(options.store)
    store = store_file(uri)
    if file is not None and store is not None:
        check_not_read(file, [store], _OUT)
    client = open_client(uri, create=False)
    words = options.runs or ["latest"]
    with store_errors(uri):
        records = [
            read_record(client, uri, options.experiment, None if word == "latest" else word)
            for word in words
        ]
    ids = [record.run_id for record in records]
    if len(set(ids)) < len(ids):
        raise InputError(f"runs must be different; got {' '.join(words)}; name each run once")
    if muted is not None:
        records = [replace(record, about=replace(record.about, muted=muted)) for record in records]
    with page_errors(*ids):
        text = run_markdown(*records) if options.markdown else run_page(*records)
    if file is not None:
        write_new(
            file,
            lambda path: path.write_text(text, encoding="utf-8"),
            _OUT,
            overwrite=options.overwrite,
        )
    if options.json:
        printed = {"markdown": text} if file is None else {"file": str(file)}
        print_json({**printed, "run_ids": ids})
    else:
        say(text.rstrip("\n") if file is None else f"Report: {file}")
    incomplete = [record.incomplete for record in records if record.incomplete]
    for line in incomplete:
        say(f"incomplete: {line}", stderr=True)
    return int(bool(incomplete))


def _codes(text: str) -> tuple[str, ...]:
    """Codes of checks from a comma-separated list."""
    from xentexp.experiments._run_checks import check_of

    codes = tuple(code for part in text.split(",") if (code := part.strip()))
    for code in codes:
        check_of(code)
    return codes
