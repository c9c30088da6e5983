"""The loop against the bundled caller and against callers made of paper, fault by fault."""

import numpy as np
import pytest
from scipy.stats import nbinom

from app import results
from labcore.errors import LabInputError
from labcore.frontier import tool_loop
from labcore.frontier.tool_loop import (
    LoopConfig,
    LoopStudy,
    carry_out,
    lesson,
    load_caller,
    loop,
    run,
)
from labcore.text.masking import IGNORE


def test_two_calls_and_an_answer():
    """47 · 38 = 1786, and 129 more are 1915."""
    trace = run(LoopConfig())
    assert [step.wrote for step in trace.steps] == ["(47*38)", "(1786+129)", "1915"]
    assert [step.result for step in trace.steps] == ["1786", "1915", ""]
    assert (trace.end, trace.answer, trace.right) == ("answered", "1915", True)


def test_the_bundled_caller_does_what_its_recipe_says():
    """On 60 questions apart from the recipe's own, without faults: at least 95 % right."""
    rng = np.random.default_rng(7)
    asked = [LoopConfig(*map(int, rng.integers([10, 10, 10], [100, 100, 1000]))) for _ in range(60)]
    assert sum(run(one).right for one in asked) >= 57


def test_a_failure_is_mended_by_calling_again():
    traces = [run(LoopConfig(failing=0.3, most_calls=12, seed=seed)) for seed in range(16)]
    failed = [
        t for t in traces if any(step.fault == "failed" for step in t.steps) and t.end == "answered"
    ]
    assert len(failed) >= 4
    assert all(trace.right for trace in failed)


def test_what_is_refused_is_not_carried_out_and_the_model_says_so():
    trace = run(LoopConfig(allow_product=False))
    assert (trace.steps[0].result, trace.steps[0].fault) == ("X", "refused")
    assert (trace.end, trace.right) == ("declined", False)


def test_a_wrong_result_goes_into_the_answer():
    """Every result is 10 too large: 1786 + 10, and then 1796 + 129 + 10 = 1935."""
    trace = run(LoopConfig(wrong=1.0))
    assert (trace.answer, trace.right) == ("1935", False)


def test_a_circle_and_the_limit_end_the_loop():
    assert run(LoopConfig(failing=1.0)).end == "circle"
    assert sum(s.kind == "call" for s in run(LoopConfig(failing=1.0)).steps) == 3
    assert run(LoopConfig(failing=1.0, patience=12, most_calls=5)).end == "limit"
    assert run(LoopConfig(most_calls=1)).end == "limit"


class Paper:
    """A model that writes what it has been told."""

    def __init__(self, monkeypatch, *pieces):
        rest = iter(pieces)
        monkeypatch.setattr(tool_loop, "write_on", lambda *_: next(rest))


@pytest.mark.parametrize(
    ("wrote", "end"),
    [
        ("(1+)>", "unreadable"), ("__import__('os')>", "unreadable"), ("(9*9)*(>", "unreadable"),
        ("...", "unreadable"), ("", "unreadable"), ("?", "declined"), ("12", "answered"),
    ],
)  # fmt: skip
def test_whatever_is_written_the_loop_ends_in_a_word(monkeypatch, wrote, end):
    Paper(monkeypatch, wrote)
    trace = loop(None, LoopConfig())
    assert (trace.end, trace.right) == (end, False)


def test_refused_before_it_is_worked_out():
    rng = np.random.default_rng(0)
    assert carry_out("(3*4)", LoopConfig(allow_product=False), rng) == ("X", "refused")
    assert carry_out("(3+4)", LoopConfig(allow_product=False), rng) == ("7", "")
    assert carry_out("(3+4)", LoopConfig(failing=1.0), rng) == ("E", "failed")
    assert carry_out("(3+4)", LoopConfig(wrong=1.0), rng) == ("17", "wrong")
    with pytest.raises(LabInputError):
        carry_out("rm -rf", LoopConfig(), rng)


def test_lessons_are_worked_right_and_results_are_not_asked_for():
    rng = np.random.default_rng(3)
    for _ in range(50):
        pieces = lesson(rng)
        text = "".join(piece for piece, _ in pieces)
        question = text[: text.index("=")]
        ends_in = text.rsplit(".", 1)[-1] if "." in text else "?·"
        assert ends_in == ("?·" if "X" in text else f"{tool_loop.calculate(question)}·")
        assert all(asked == (piece[-1] in ">·") for piece, asked in pieces)
    batch = next(tool_loop.batches(4, rng))
    asked = batch.targets != IGNORE
    assert asked.any(dim=1).all()
    assert not asked[:, -1].any()


def test_what_was_recorded_is_near_the_formula():
    """Two calls, each failing with f: at most L − 2 failures before the second success, circles apart."""
    study = results.load(results.RECORDINGS / "tools-loop.safetensors", LoopStudy).result
    for row, f in enumerate(study.failing):
        for column, calls in enumerate(study.most_calls):
            expected = nbinom.cdf(calls - 2, 2, 1 - f) if f else 1.0
            error = 3 * np.sqrt(0.25 / study.questions)
            lost = study.circles[row, column]
            assert expected - lost - error <= study.right[row, column] <= expected + error
    np.testing.assert_allclose(study.right_wrong, (1 - study.wrong) ** 2, atol=0.13)


@pytest.mark.parametrize(
    "wrong",
    [
        {"first": 5},
        {"third": 1000},
        {"failing": 1.5},
        {"most_calls": 0},
        {"patience": 1},
        {"wrong": -0.1},
    ],
)
def test_settings_without_sense_are_refused(wrong):
    with pytest.raises(LabInputError):
        LoopConfig(**wrong)


def test_the_caller_is_shared_and_frozen():
    assert load_caller() is load_caller()
    assert not any(p.requires_grad for p in load_caller().parameters())
