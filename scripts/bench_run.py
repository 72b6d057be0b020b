"""What intervals, differences and the answer add to the cost of an ordinary run."""

from __future__ import annotations

import os
from pathlib import Path

from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from xentexp.experiments import run_experiment
from xentexp.experiments._config.study import build

CONF = Path(__file__).resolve().parents[1] / "conf"


def processor_seconds() -> float:
    """Processor time of this process and of its finished children."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def intervals_of_a_run() -> tuple[str, bool]:
    """The default run, seven models on uci_default, without and with intervals."""
    with initialize_config_dir(str(CONF), version_base=None):
        study = build(OmegaConf.to_container(compose("run"), resolve=True))
    start = processor_seconds()
    result = run_experiment(study.dataset, study.candidates, study.folds, primary=study.primary)
    fitted = processor_seconds()
    print(result.leaderboard(study.shown))
    end = processor_seconds()
    ratio = (end - start) / (fitted - start)
    text = f"{ratio:.3f} times the run without ({end - fitted:.1f} s of {fitted - start:.0f} s)"
    return text, ratio <= 1.1
