"""`xentexp score`: which class each column belongs to, labels of any form, missing labels."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import log_loss, roc_auc_score

from xentexp.errors import InputError
from xentexp.experiments._cli import main
from xentexp.experiments._cli.class_columns import split_names

RNG = np.random.default_rng(0)
P = RNG.beta(2, 2, 60)
CODE = (RNG.random(60) < P).astype(int)
P3 = RNG.dirichlet([1, 1, 1], 60)
CODE3 = np.array([RNG.choice(3, p=p) for p in P3])


@pytest.fixture
def score(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    def run(columns: dict[str, Any], *words: str) -> dict[str, Any] | str:
        file = tmp_path / "scored.csv"
        pd.DataFrame(columns).to_csv(file, index=False)
        code = main(["score", str(file), "--target", "y", "--json", *words])
        out, err = capsys.readouterr()
        if code:
            assert code == 2
            assert err.count("\n") == 1
            return err
        return json.loads(out)

    return run


def two(first: str, second: str, labels: tuple[Any, Any] = (0, 1)) -> dict[str, Any]:
    """Labels, and probabilities of the first and the second class under these names."""
    return {"y": np.array(labels, dtype=object)[CODE], first: 1 - P, second: P}


def loss_of(document: Any) -> float:
    assert isinstance(document, dict), document
    return document["losses"]["categorical_crossentropy"]["mean"]


EXPECTED = log_loss(CODE, P)
AUC = roc_auc_score(CODE, P)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("P_BAD0", "P_BAD1"),  # SAS
        (".pred_0", ".pred_1"),  # tidymodels
        ("p0", "p1"),
        ("0", "1"),
        ("prob-0", "prob-1"),
        ("model.0", "model.1"),
        ("v2.0", "v2.1"),
        ("p_0.0", "p_1.0"),
        ("0_prob", "1_prob"),
        ("p0 (test)", "p1 (test)"),
        ("class0calibrated", "class1calibrated"),
    ],
)
def test_numbers_in_the_names_of_columns_decide_in_either_order(
    first: str, second: str, score: Any
) -> None:
    columns = two(first, second)
    for names in ((first, second), (second, first)):
        document = score(columns, "--proba", ",".join(names))
        assert document["classes"] == [0, 1]
        assert loss_of(document) == pytest.approx(EXPECTED, rel=0, abs=1e-12)
        assert document["metrics"]["roc_auc"] == pytest.approx(AUC, rel=0, abs=1e-12)


@pytest.mark.parametrize(
    ("first", "second", "labels"),
    [
        ("p_no", "p_yes", ("no", "yes")),
        ("P_NO", "P_YES", ("no", "yes")),  # other case
        ("predNo", "predYes", ("No", "Yes")),
        ("no prob", "yes prob", ("no", "yes")),
        ("p_good", "p_not good", ("good", "not good")),
        ("p_연체", "p_정상", ("연체", "정상")),
        ("p_False", "p_True", (False, True)),
        ("p_1", "p_11", (1, 11)),
        ("p11", "p1", (11, 1)),
        ("p_-1", "p_1", (-1, 1)),
        ("p-1", "p+1", (-1, 1)),
        ("p_0.5", "p_1.5", (0.5, 1.5)),
        ("p_1", "p_11", ("1", "11")),
        ("p_1", "p_2", (1, 2)),
    ],
)
def test_names_that_end_in_the_labels_are_heeded(
    first: str, second: str, labels: tuple[Any, Any], score: Any
) -> None:
    columns = two(first, second, labels)
    for names in ((first, second), (second, first)):
        document = score(columns, "--proba", ",".join(names))
        assert loss_of(document) == pytest.approx(EXPECTED, rel=0, abs=1e-12)
        by_class = document["losses"]["categorical_crossentropy"]
        for label, code in zip(labels, (0, 1), strict=True):
            own = np.where(CODE, P, 1 - P)[code == CODE]
            expected = -np.log(own).mean()
            assert by_class[f"class {label}"] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("names", "labels"),
    [
        ("p2,p1", (0, 1)),  # counted from 1, or other classes
        ("p1,p2", (0, 1)),
        ("p11,p10", (0, 1)),
        (".pred_1,.pred_10", (0, 1)),
        ("p1,rest", (0, 1)),
        ("pno,pyes", ("no", "yes")),  # no separate word
        ("first,second", ("no", "yes")),
        ("p_yes,p_yes_2", ("no", "yes")),
    ],
)
def test_names_that_may_mean_another_order_need_labels(
    names: str, labels: tuple[Any, Any], score: Any
) -> None:
    first, second = names.split(",")
    columns = two(first, second, labels)
    assert "--labels must be set to the classes in the order of" in score(columns, "--proba", names)
    words = ["--labels", ",".join(map(str, labels))]
    assert loss_of(score(columns, "--proba", names, *words)) == pytest.approx(EXPECTED, abs=1e-12)


@pytest.mark.parametrize("names", ["first,second", "a2,b2", "p10,p11", "good,bad", "rest,p1"])
def test_other_names_are_in_the_order_of_the_labels(names: str, score: Any) -> None:
    document = score(two(*names.split(",")), "--proba", names)
    assert loss_of(document) == pytest.approx(EXPECTED, abs=1e-12)


@pytest.mark.parametrize(
    ("names", "labels", "values"),
    [
        ("P_BAD1,P_BAD0", "0,1", (0, 1)),
        ("p_yes,p_no", "no,yes", ("no", "yes")),
        ("P_YES,P_NO", "no,yes", ("no", "yes")),
        ("yes,no", "no,yes", ("no", "yes")),
        ("p_11,p_1", "1,11", (1, 11)),
    ],
)
def test_labels_that_contradict_the_names_are_refused(
    names: str, labels: str, values: tuple[Any, Any], score: Any
) -> None:
    second, first = names.split(",")
    columns = two(first, second, values)
    error = score(columns, "--proba", names, "--labels", labels)
    assert "must be in the order of the columns" in error
    assert "change the order, or rename the columns" in error
    swapped = ",".join(reversed(labels.split(",")))
    document = score(columns, "--proba", names, "--labels", swapped)
    assert loss_of(document) == pytest.approx(EXPECTED, abs=1e-12)


def test_three_classes_of_which_one_is_not_in_the_file(score: Any) -> None:
    keep = CODE3 != 2
    p = dict(zip(("p_a", "p_b", "p_c"), P3[keep].T, strict=True))
    numbered = dict(zip(("q0", "q1", "q2"), P3[keep].T, strict=True))
    columns = {"y": np.array(["a", "b", "c"])[CODE3[keep]], "n": CODE3[keep], **p, **numbered}
    expected = log_loss(CODE3[keep], P3[keep], labels=[0, 1, 2])
    document = score(columns, "--proba", "p_c,p_a,p_b")
    assert document["classes"] == ["c", "a", "b"]
    assert loss_of(document) == pytest.approx(expected, abs=1e-12)
    columns["y"] = columns["n"]
    document = score(columns, "--proba", "q2,q0,q1")
    assert document["classes"] == [0, 1, 2]
    assert loss_of(document) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("name", "labels", "words", "message"),
    [
        ("P_BAD0", (0, 1), [], "the second class, 1; the name P_BAD0 ends in 0; write --labels"),
        ("p_no", ("no", "yes"), ["--labels", "no,yes"], "the name p_no ends in no"),
    ],
)
def test_a_single_column_of_the_first_class_is_refused(
    name: str, labels: tuple[Any, Any], words: list[str], message: str, score: Any
) -> None:
    assert message in score(two(name, "other", labels), "--proba", name, *words)
    swapped = ",".join(map(str, reversed(labels)))
    document = score(two(name, "other", labels), "--proba", name, "--labels", swapped)
    assert loss_of(document) == pytest.approx(EXPECTED, abs=1e-12)


@pytest.mark.parametrize("name", ["p", "P_BAD1", "model2", "score_10", "yes"])
def test_a_single_column_of_the_second_class(name: str, score: Any) -> None:
    assert loss_of(score(two("q", name), "--proba", name)) == pytest.approx(EXPECTED, abs=1e-12)


def test_a_number_of_a_model_in_a_single_name_is_allowed_with_labels(score: Any) -> None:
    document = score(two("q", "model_0"), "--proba", "model_0", "--labels", "0,1")
    assert loss_of(document) == pytest.approx(EXPECTED, abs=1e-12)


def test_decision_scores_follow_the_order_of_their_own_names(score: Any) -> None:
    scores = dict(zip(("d_a", "d_b", "d_c"), np.log(P3).T, strict=True))
    columns = {
        "y": np.array(["a", "b", "c"])[CODE3],
        **scores,
        **dict(zip(("p_a", "p_b", "p_c"), P3.T, strict=True)),
    }
    values = [
        score(columns, "--proba", "p_a,p_b,p_c", "--decision", order)["losses"]
        for order in ("d_a,d_b,d_c", "d_c,d_a,d_b")
    ]
    assert any("hinge" in name for name in values[0])
    np.testing.assert_equal(values[0], values[1])
    error = score(
        columns, "--proba", "p_a,p_b,p_c", "--decision", "d_c,d_a,d_b", "--labels", "a,b,c"
    )
    assert "in the order of the columns d_c, d_a, d_b" in error


# Words


@pytest.mark.parametrize(
    ("values", "option"),
    [
        ((-1, 1), "-1,1"),
        ((-1.0, 1.0), "-1,1"),
        ((-1, 1), "-1.0,1.0"),
        ((0.0, 1.0), "0.0,1.0"),
        ((0, 1), "0.0,1.0"),
        ((0.5, 1.5), "0.50,1.5"),
        (("-", "+"), "-,+"),
        (("no, never", "yes"), "no, never,yes"),
    ],
)
def test_labels_are_understood_in_any_form(
    values: tuple[Any, Any], option: str, score: Any
) -> None:
    columns = two("first", "second", values)
    for words in (["--labels", option], [f"--labels={option}"]):
        document = score(columns, "--proba", "first,second", *words)
        assert loss_of(document) == pytest.approx(EXPECTED, abs=1e-12)


def test_a_class_that_is_not_in_the_file_has_the_type_of_the_others(score: Any) -> None:
    keep = CODE3 != 2
    columns = {"y": CODE3[keep] + 1, **dict(zip("abc", P3[keep].T, strict=True))}
    document = score(columns, "--proba", "a,b,c", "--labels", "1.0,2.0,3.0")
    assert document["classes"] == [1, 2, 3]
    expected = log_loss(CODE3[keep], P3[keep], labels=[0, 1, 2])
    assert loss_of(document) == pytest.approx(expected, abs=1e-12)


def test_names_of_columns_may_contain_commas(score: Any) -> None:
    columns = {**two("p, no", "p, yes", ("no", "yes")), "w, 1": np.arange(60)}
    document = score(columns, "--proba", "p, yes,p, no", "--weight", "w, 1")
    expected = log_loss(CODE, P, sample_weight=np.arange(60))
    assert loss_of(document) == pytest.approx(expected, abs=1e-12)


def test_names_with_commas_that_can_be_read_in_two_ways_are_refused() -> None:
    assert split_names("a,b", ["a", "b"]) == ["a", "b"]
    assert split_names("a,b", ["a,b"]) == ["a,b"]
    assert split_names("a,x", ["a,b"]) == ["a", "x"]  # an unknown name, which is reported
    with pytest.raises(InputError, match="can be read as"):
        split_names("a,b", ["a", "b", "a,b"])


def test_a_column_that_is_named_twice_is_refused(score: Any) -> None:
    assert "must be different; got p,p" in score(two("q", "p"), "--proba", "p,p")


def test_rows_without_a_label_are_refused_or_left_out_if_asked(
    score: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    columns = {"y": CODE.astype(float), "p0": 1 - P, "p1": P, "w": np.arange(60)}
    columns["y"][[2, 7]] = np.nan
    error = score(columns, "--proba", "p1,p0")
    assert "must not have missing values; got 2 in 60 rows, the first in row 2" in error
    assert "add --drop-missing" in error
    document = score(columns, "--proba", "p1,p0", "--drop-missing", "--weight", "w")
    keep = ~np.isnan(columns["y"])
    expected = log_loss(CODE[keep], P[keep], sample_weight=np.arange(60)[keep])
    assert loss_of(document) == pytest.approx(expected, abs=1e-12)
    assert (document["rows"], document["rows_without_label"]) == (58, 2)
    file = str(tmp_path / "scored.csv")
    words = ["score", file, "--target", "y", "--proba", "p1", "--drop-missing"]
    assert main(words) == 0
    assert "58 rows, 0 clipped, 2 without a label left out" in capsys.readouterr().out
    assert main([*words, "--losses", "roc_auc"]) == 0
    lines = " ".join(capsys.readouterr().out.split())  # the title is as wide as the table
    assert "scored.csv: 58 rows, 2 without a label left out" in lines
    columns["y"] = np.full(60, np.nan)
    assert "must have labels; got none" in score(columns, "--proba", "p1", "--drop-missing")


def test_errors_name_the_row_of_the_file_if_rows_are_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "p.csv"
    file.write_text("a,b,y\n.5,.5,1\n.5,.5,\n2,.5,0\n")
    words = ["score", str(file), "--target", "y", "--proba", "a,b", "--labels", "0,1"]
    assert main([*words, "--drop-missing"]) == 2
    assert "row 2 of columns a, b has [2.0, 0.5]" in capsys.readouterr().err


@pytest.mark.parametrize("label", ["row 0", "row 900"])
def test_labels_that_look_like_numbers_of_rows_are_shown_as_they_are(
    label: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "p.csv"
    file.write_text(f"p,q,y\n.5,.5,\n.5,.5,{label}\n.5,.5,a\n")
    words = ["score", str(file), "--target", "y", "--proba", "p,q", "--labels", "a,b"]
    assert main([*words, "--drop-missing"]) == 2
    assert f"got '{label}' in row 1;" in capsys.readouterr().err
