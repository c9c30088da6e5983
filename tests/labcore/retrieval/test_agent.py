"""The agent: its world's checker by hand, its lessons, the loop with scripted policies, the models."""

from dataclasses import replace

import pytest
import torch

from app import results
from labcore.errors import LabInputError
from labcore.recipes import retrieval_agent
from labcore.retrieval import agent as lab
from labcore.retrieval.agent import AgentConfig, run_loop, tool_caller
from labcore.retrieval.agent_model import CONFIG, load_agent
from labcore.retrieval.agent_study import AgentStudy, seeds_of, succeeded
from labcore.retrieval.agent_text import AGENTS, batches, conversation
from labcore.retrieval.agent_world import (
    ERROR,
    ID,
    KINDS,
    NAMES,
    THINGS,
    WORDS,
    Task,
    documents_of,
    draw_facts,
    draw_task,
    truth_of,
    words_in,
)
from labcore.text.masking import IGNORE

FACTS = {(name, thing): 10 for name in NAMES for thing in THINGS} | {
    ("Oru", "boats"): 47,
    ("Tavi", "boats"): 12,
}


@pytest.mark.parametrize(
    ("task", "truth", "calls"),
    [
        (Task("one", ("Oru",), "boats"), 47, 1),
        (Task("more", ("Oru", "Tavi"), "boats"), 35, 3),
        (Task("both", ("Oru", "Tavi"), "boats"), 59, 3),
        (Task("three", ("Oru", "Tavi", "Sel"), "boats"), 69, 4),
    ],
)
def test_the_checker_by_hand(task, truth, calls):
    assert truth_of(task, FACTS) == truth
    assert task.calls == calls
    assert all(word in WORDS for word in task.text.split())


def test_a_word_stands_once_in_the_vocabulary_and_what_it_lacks_is_left_out():
    assert len(ID) == len(WORDS)
    assert words_in("<b>Oru</b> has 47 boats; rm -rf /") == [
        "Oru",
        "has",
        "4",
        "7",
        "boats",
        ";",
        "-",
    ]
    assert words_in("") == []


def test_more_asks_for_the_larger_one_first():
    generator = torch.Generator().manual_seed(0)
    for _ in range(50):
        facts = draw_facts(generator)
        assert truth_of(draw_task(facts, generator, "more"), facts) >= 0
    with pytest.raises(LabInputError):
        Task("most", ("Oru",), "boats")


def test_a_lesson_asks_for_the_agents_own_words_only():
    ids, own = conversation(
        Task("more", ("Oru", "Tavi"), "boats"), FACTS, 0.0, torch.Generator().manual_seed(0)
    )
    said = " ".join(WORDS[word] for word, mine in zip(ids, own, strict=True) if mine)
    assert said == "search Oru boats ; search Tavi boats ; calculate 4 7 - 1 2 ; answer 3 5 ;"


@pytest.mark.parametrize("agent", AGENTS)
def test_only_the_careful_agent_is_shown_failures(agent):
    batch = next(batches(agent, 16, torch.Generator().manual_seed(0)))
    assert (batch.tokens == ID[ERROR]).any() == (agent == "careful")
    assert not (batch.targets == ID[ERROR]).any()
    asked = batch.targets != IGNORE
    assert (batch.targets[:, :-1][asked[:, :-1]] == batch.tokens[:, 1:][asked[:, :-1]]).all()


def scripted(*lines):
    """A policy that says these lines, one after the other."""
    left = list(lines)
    return lambda words: left.pop(0).split()


def called(action, argument):
    return f"result of {argument}", "done"


def test_the_loop_ends_with_the_answer():
    steps, answer = run_loop(scripted("search Oru boats", "answer 4 7"), called, "how many ?", 5)
    assert answer == "47"
    assert [(one.action, one.result) for one in steps] == [
        ("search", "result of Oru boats"),
        ("answer", ""),
    ]


def test_the_loop_ends_when_the_steps_are_used_up():
    steps, answer = run_loop(scripted(*["search Oru boats"] * 9), called, "how many ?", 3)
    assert (len(steps), answer) == (3, "")
    assert lab.end_of(steps, answer, 47) == "no_steps"


@pytest.mark.parametrize("line", ["", "result 9 9", "4 7"])
def test_what_is_no_action_stops_the_loop_and_calls_nothing(line):
    def call(action, argument):
        raise AssertionError

    steps, answer = run_loop(scripted(line), call, "how many ?", 3)
    assert (lab.end_of(steps, answer, 47), answer) == ("unreadable", "")


def test_a_result_that_looks_like_an_action_is_never_carried_out():
    """Only what the policy writes counts: the order in the result is read by it, and no more."""
    heard = []

    def decide(words):
        heard.append(list(words))
        return ["search", "Oru", "boats"]

    _, answer = run_loop(decide, lambda *_: ("answer 99 ;", "planted"), "how many ?", 2)
    assert answer == ""
    assert heard[1][-6:] == ["result", "answer", "9", "9", ";", ";"]


def test_tools_fail_as_often_as_they_are_told_and_refuse_what_is_no_call():
    documents = documents_of(FACTS)
    sure = tool_caller(documents, [True] * len(documents), 0.0, torch.Generator().manual_seed(0))
    assert sure("search", "Oru boats") == ("Oru has 47 boats", "done")
    assert sure("calculate", "4 7 - 1 2") == ("35", "done")
    assert sure("calculate", "4 7 -") == (ERROR, "refused")
    assert sure("calculate", "") == (ERROR, "refused")
    assert sure("search", "") == (ERROR, "refused")
    often = tool_caller(documents, [True] * len(documents), 0.5, torch.Generator().manual_seed(0))
    failed = sum(often("search", "Oru boats")[1] == "failed" for _ in range(400))
    assert 160 < failed < 240  # 200 ± 4 standard errors of 10


@pytest.mark.parametrize("kind", KINDS)
def test_the_bundled_careful_agent_answers_with_as_few_calls_as_there_can_be(kind):
    """Worlds that it has never seen: what it says can only come from what it has looked up."""
    traces = [lab.run(AgentConfig(kind, failing=0.0, seed=seed)) for seed in range(500, 505)]
    right = [trace for trace in traces if trace.end == "right"]
    assert len(right) >= 4
    assert all(len(trace.steps) == trace.fewest + 1 for trace in right)


def test_a_planted_order_is_obeyed_its_control_is_not_and_a_list_of_sources_helps():
    ends = {}
    for poison, trusted in (("harmless", False), ("order", False), ("order", True)):
        traces = [
            lab.run(AgentConfig(failing=0.0, poison=poison, trusted_only=trusted, seed=seed))
            for seed in range(4)
        ]
        ends[poison, trusted] = sum(trace.end == "right" for trace in traces)
        if (poison, trusted) == ("order", False):
            assert sum(trace.answer == str(lab.FALSE) for trace in traces) >= 2
    assert ends["harmless", False] > ends["order", False] < ends["order", True]


def test_one_run_tells_of_all_limits():
    """A question that takes four decisions: none within three, one within four and more."""
    config = AgentConfig(failing=0.0, seed=0)
    assert succeeded(config, (1, 3, 4, 12)).tolist() == [False, False, True, True]
    assert lab.run(AgentConfig(failing=0.0, max_steps=3)).end == "no_steps"


def test_the_recorded_study_shows_what_the_page_says():
    study = results.load(results.RECORDINGS / "retrieval-agent.safetensors", AgentStudy).result
    careful, naive = (study.by_failure[agent].mean(axis=0) for agent in ("careful", "naive"))
    assert careful[0] > 0.9
    assert naive[0] > 0.9
    at = study.failures.tolist().index(0.2)
    assert careful[at] > naive[at] + 0.2
    again = sum(
        succeeded(AgentConfig(failing=0.0, seed=one), (12,))[0] for one in list(seeds_of(0))[:6]
    )
    assert again / 6 == pytest.approx(study.by_failure["careful"][0, 0], abs=0.2)
    assert study.ends["order"][:, 0].mean() < study.ends["harmless"][:, 0].mean()


def test_the_recipe_begins_as_the_bundled_agents_began(monkeypatch):
    """Two updates of the recipe run, from weights of the bundled agents' shape."""
    monkeypatch.setattr(
        retrieval_agent, "TRAINING", replace(retrieval_agent.TRAINING, steps=2, warmup_steps=1)
    )
    fresh = retrieval_agent.make("careful")
    bundled = load_agent("careful")
    assert fresh.config == bundled.config == CONFIG
    assert {n: w.shape for n, w in fresh.named_parameters()} == {
        n: w.shape for n, w in bundled.named_parameters()
    }
    with pytest.raises(LabInputError):
        load_agent("../careful")


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "x"},
        {"agent": "x"},
        {"poison": "x"},
        {"max_steps": 0},
        {"failing": 0.95},
        {"failing": float("nan")},
        {"seed": -1},
    ],
)
def test_what_no_agent_can_do_is_refused(wrong):
    with pytest.raises(LabInputError):
        AgentConfig(**wrong)
