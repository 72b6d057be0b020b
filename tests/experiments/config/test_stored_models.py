"""The keys models.log, tracking.register and tracking.alias."""

import pytest

from tests.experiments.config.test_config import SMALL, compose
from xentexp.errors import InputError
from xentexp.experiments._config.study import build


def test_the_best_model_is_stored_by_default_and_nothing_is_registered() -> None:
    study = build(compose(*SMALL))
    assert (study.stored, study.register, study.alias) == ("best", None, "champion")


def test_a_configuration_without_the_keys_has_the_defaults() -> None:
    config = compose(*SMALL)
    del config["models"]["log"], config["tracking"]["register"], config["tracking"]["alias"]
    study = build(config)
    assert (study.stored, study.register, study.alias) == ("best", None, "champion")


@pytest.mark.parametrize("chosen", ["best", "all", "none"])
def test_which_models_are_stored_does_not_change_models_and_hash(chosen: str) -> None:
    study = build(compose(*SMALL, f"models.log={chosen}"))
    assert study.stored == chosen
    assert [candidate.name for candidate in study.candidates] == ["prior", "logistic"]
    assert study.config_hash == build(compose(*SMALL)).config_hash
    with_register = build(compose(*SMALL, "tracking.alias=next"))
    assert with_register.config_hash == study.config_hash


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("models.log=some", "unknown models.log 'some'.* Known: all, best, none"),
        ("models.log=null", "unknown models.log None.* Known: all, best, none"),
        ("models.log={a: 1}", "models.log must be best, all or none; a model must not be named"),
        ("tracking.register=a/b", "tracking.register must be the name of .*; got 'a/b'"),
        ("tracking.register='a:b'", "got 'a:b'"),
        ("tracking.register='a@b'", "got 'a@b'"),
        ("tracking.register=m-1", "got 'm-1'"),
        ("tracking.register='..'", "got '..'"),
        ("tracking.register=''", "got ''"),
        ("tracking.register=7", "tracking.register must be the name .*; got 7"),
        ("tracking.alias=v1", "tracking.alias must be an alias .*; got 'v1'"),
        ("tracking.alias=Latest", "got 'Latest'"),
        ("tracking.alias='a b'", "got 'a b'"),
        ("tracking.alias=null", "tracking.alias must be an alias .*; got None"),
    ],
)
def test_invalid_values_give_one_sentence(override: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        build(compose(*SMALL, override))


def test_registering_needs_a_stored_model() -> None:
    with pytest.raises(InputError, match=r"tracking\.register=x needs a stored model"):
        build(compose(*SMALL, "models.log=none", "tracking.register=x"))


def test_a_run_needs_a_model_also_with_the_key_log() -> None:
    with pytest.raises(InputError, match=r"models must be a list of at least one.*; got \[\]"):
        build(compose(*SMALL[:2], "models=[]", "models.log=all"))
