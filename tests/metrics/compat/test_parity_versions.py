"""Versions of peers in documentation and code are those that constraints.txt pins."""

import re
from pathlib import Path

import pytest

from tests.metrics.compat import parity_peers
from tests.metrics.compat.parity_peers import (
    DISTRIBUTIONS,
    PINS,
    follows_pins,
    installed_version,
    require,
)
from xentexp.metrics._compat import VERSIONS

ROOT = Path(__file__).parents[3]
PEERS = (
    "keras", "torch", "sklearn", "scikit-learn", "scipy", "optax", "torchmetrics",
    "model-diagnostics", "scoringrules", "lightgbm", "xgboost", "catboost",
)  # fmt: skip
STATED = re.compile(rf"\b({'|'.join(PEERS)}) (\d+\.\d+\.\d+)", re.IGNORECASE)


def test_the_conventions_have_the_versions_of_the_pinned_peers():
    assert {peer: PINS[name] for peer, name in DISTRIBUTIONS.items()} == VERSIONS


def test_every_version_next_to_a_number_is_the_pinned_version():
    texts = [
        path
        for folder, pattern in (("docs", "*.md"), ("tests", "*.py"), ("xentexp", "*.py"))
        for path in (ROOT / folder).rglob(pattern)
    ]
    found = [
        (path.name, peer.lower(), version)
        for path in texts
        if path != Path(__file__)
        for peer, version in STATED.findall(path.read_text())
    ]
    assert {peer for _, peer, _ in found} >= {"keras", "torch", "scikit-learn", "optax"}
    for name, peer, version in found:
        pinned = PINS[DISTRIBUTIONS.get(peer, peer)]
        assert version == pinned, f"{name} states {peer} {version}; constraints.txt has {pinned}"


@pytest.mark.parametrize("peer", VERSIONS)
def test_a_peer_of_another_version_fails_here_and_is_skipped_elsewhere(peer, monkeypatch):
    def versions(of_peer, of_numpy):
        others = {DISTRIBUTIONS[peer]: of_peer, "numpy": of_numpy}
        monkeypatch.setattr(
            parity_peers, "installed_version", lambda name: others.get(name, PINS.get(name))
        )

    versions(VERSIONS[peer], PINS["numpy"])
    require(peer)
    versions(VERSIONS[peer], "2.0.0")  # only the version of the peer counts
    require(peer)
    versions("9.9.9", PINS["numpy"])
    with pytest.raises(pytest.fail.Exception, match=r"is 9\.9\.9, and constraints\.txt has"):
        require(peer)
    versions("9.9.9", "2.0.0")
    with pytest.raises(pytest.skip.Exception, match=r"is 9\.9\.9; the numbers are those of"):
        require(peer)
    versions(None, PINS["numpy"])
    with pytest.raises(pytest.skip.Exception, match="is not installed"):
        require(peer)


@pytest.mark.skipif(not follows_pins(), reason="the environment does not follow constraints.txt")
def test_no_installed_peer_is_skipped_here():
    for peer, name in DISTRIBUTIONS.items():
        assert installed_version(name) in (None, VERSIONS[peer])
