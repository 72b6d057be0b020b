"""Whether a run in the store is whole: its status, and the models without a result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from xentexp.experiments._formatting import and_list, counted

_CUT = "... (cut)"  # end of a parameter that was too long for MLflow


@dataclass(frozen=True)
class RunStatus:
    """Status of the run of a command, and which of its models have results."""

    run_id: str
    status: str  # of MLflow: RUNNING, FINISHED, FAILED or KILLED
    started: datetime
    planned: int  # number of models
    results: tuple[str, ...]  # models with numbers
    failed: tuple[str, ...]  # models that failed; their error is known
    missing: dict[str, str]  # reason by name of a model that has neither numbers nor an error

    @property
    def whole(self) -> bool:
        """Whether the run is finished and each model has a result or an error."""
        return self.status == "FINISHED" and not self.missing and bool(self.results or self.failed)

    def sentence(self) -> str:
        """What happened to an incomplete run, what is missing, and when it started."""
        since = f"{self.started:%Y-%m-%d %H:%M}"
        happened = {
            "RUNNING": f"is running since {since}, or its process was killed",
            "KILLED": f"of {since} was interrupted",
            "FAILED": f"of {since} failed",
        }.get(self.status, f"of {since} is incomplete")
        text = f"run {self.run_id[:8]} {happened}; "
        if not self.planned:
            return f"{text}no model has a result"
        text += f"{len(self.results)} of {counted(self.planned, 'model')} "
        text += "has a result" if 1 in (len(self.results), self.planned) else "have results"
        if self.failed:
            text += f"; failed: {and_list(self.failed[:_LISTED])}{_more(self.failed)}"
        if self.missing:
            reasons = list(dict.fromkeys(self.missing.values()))
            for reason in reasons:
                names = [name for name, why in self.missing.items() if why == reason]
                text += f"; {reason}: {and_list(names[:_LISTED])}{_more(names)}"
        return text

    def to_record(self) -> dict[str, Any]:
        """JSON document."""
        return {
            "run_id": self.run_id,
            "status": self.status,
            "started": self.started.astimezone().isoformat(timespec="seconds"),
            "whole": self.whole,
            "models_planned": self.planned,
            "models_with_results": list(self.results),
            "models_failed": list(self.failed),
            "models_missing": dict(self.missing),
        }


_LISTED = 8  # models that a sentence names


def _more(names: Sequence[str]) -> str:
    return f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""


def run_status(parent: Any, children: Sequence[Any]) -> RunStatus:
    """Status of a parent run of MLflow, given the runs of its models."""
    names = [str(run.info.run_name) for run in children]
    failed = [str(run.info.run_name) for run in children if "error" in run.data.tags]
    missing = {}
    for run in children:
        reason = why_no_result(run)
        if reason is not None and "error" not in run.data.tags:
            missing[str(run.info.run_name)] = reason
    without_run = _not_among(str(parent.data.params.get("models", "")), names)
    missing |= dict.fromkeys(without_run, "no result")
    return RunStatus(
        str(parent.info.run_id),
        str(parent.info.status),
        datetime.fromtimestamp(parent.info.start_time / 1000),
        len(names) + len(without_run),
        tuple(name for name in names if name not in missing and name not in failed),
        tuple(failed),
        missing,
    )


def why_no_result(run: Any) -> str | None:
    """Why the run of a model has no result; None if it has one."""
    if "error" in run.data.tags:
        return str(run.data.tags["error"])
    if run.info.status == "FINISHED" and any(key.startswith("cv/") for key in run.data.metrics):
        return None
    return f"stopped while its result was logged (status {run.info.status})"


def _not_among(planned: str, names: Sequence[str]) -> list[str]:
    """Names of the comma-separated list that have no run; a name may contain commas."""
    cut = planned.endswith(_CUT)
    rest = f",{planned.removesuffix(_CUT)},"
    for name in sorted(names, key=len, reverse=True):
        rest = rest.replace(f",{name},", ",,", 1)
    left = [name for name in rest.split(",") if name]
    return left[:-1] if cut else left
