"""Which objective fits which task, at small size; and what the recording of the full size says."""

import pytest
import torch

from app import results
from labcore.architecture import families_tasks as lab
from labcore.architecture.build_train_corpus import world
from labcore.architecture.families_tasks import TasksConfig, TasksResult
from labcore.errors import LabInputError
from labcore.model.transformer import Output
from labcore.zoo import load

SMALL = TasksConfig(passages=6, gaps=1, texts=2)


class Table(torch.nn.Module):
    """A "decoder" over ten tokens whose next token depends on the last one alone: logits[last, next]."""

    def __init__(self, logits: torch.Tensor):
        super().__init__()
        self.logits = logits

    def forward(self, tokens: torch.Tensor) -> Output:
        said = self.logits[tokens]
        return Output(said, said, None, torch.zeros(()))


def test_rescoring_lets_the_right_side_decide():
    """After 2, the left side prefers 3 (odds e : 1) to 7 (odds e^0.5 : 1). But 4 stands on the right, and
    only after 7 is 4 likely, so of the texts 2 3 4 and 2 7 4 the second is more probable."""
    logits = torch.zeros(10, 10)
    logits[2, 3], logits[2, 7], logits[7, 4] = 1.0, 0.5, 9.0
    model = Table(logits)
    assert int(model(torch.tensor([[1, 2]])).logits[0, -1].argmax()) == 3
    assert lab.fill_by_rescoring(model, [1, 2, 0, 4], gap=2) == 7


def test_rescoring_adds_up_the_whole_texts_probability():
    """Against the sum by hand: every candidate's −nats over all tokens from the gap on."""
    model = load("world-decoder").model
    ids = lab.openings(1, seed=5)[0][:-1]
    gap = len(ids) // 2
    first = model(torch.tensor([ids[:gap]])).logits[0, -1].topk(lab.CANDIDATES).indices.tolist()

    def nats(token: int) -> float:
        text = [*ids[:gap], token, *ids[gap + 1 :]]
        beliefs = model(torch.tensor([text])).logits[0].log_softmax(dim=-1)
        return -sum(float(beliefs[at - 1, text[at]]) for at in range(gap, len(text)))

    assert lab.fill_by_rescoring(model, ids, gap) == min(first, key=nats)


def test_openings_are_held_out_and_begin_a_story():
    for ids in lab.openings(8, seed=5):
        assert world().sequence_nats(ids[:-1]) is not None
        assert world("passages").sequence_nats(ids) is not None


def test_a_run_repeats_itself_and_counts_what_it_says():
    first, again = lab.run(SMALL), lab.run(SMALL)
    assert str(first) == str(again)  # as text, since a NaN is unequal to itself
    assert first.gaps == 6
    assert [writer.name for writer in first.writers] == ["decoder", "append", "once", "left"]


def test_progress_ends_at_one():
    events, run = [], lab.measure(SMALL)
    while True:
        try:
            events.append(next(run).share)
        except StopIteration:
            break
    assert events == sorted(events)
    assert events[-1] == pytest.approx(1)


def test_the_recorded_measurement_says_what_the_page_says():
    """400 gaps and 40 texts: the orderings that the words on the page rest on, beyond their errors."""
    recorded = results.load(results.RECORDINGS / "families-tasks.safetensors", TasksResult).result
    fill = {one.name: one for one in recorded.fillers}
    error = 0.024  # of each share, from 400 gaps
    assert abs(fill["decoder"].accuracy - fill["exact_left"].accuracy) < error
    assert fill["encoder"].accuracy > fill["decoder"].accuracy + 2 * error
    assert abs(fill["rescored"].accuracy - fill["encoder"].accuracy) < 2 * error
    assert abs(fill["rescored"].accuracy - fill["exact_both"].accuracy) < 2 * error
    assert fill["encoder"].nats > fill["exact_both"].nats
    assert fill["decoder"].nats > fill["exact_left"].nats
    told = {one.name: one.possible for one in recorded.writers}
    assert told["append"] == told["once"] == 0
    assert told["left"] < 0.25 < 0.7 < told["decoder"]
    assert recorded.translated > 0.9
    assert recorded.next_nats["encoder"] > 7.56  # ln 1920: worse than a guess that knows nothing


def test_the_standard_error_of_none_is_not_none():
    """(0 + 2) / 44 = 1/22; √(1/22 · 21/22 / 44) = 0.0314."""
    assert lab.standard_error([False] * 40) == pytest.approx(0.0314, abs=1e-4)


@pytest.mark.parametrize(
    ("changes", "field"),
    [({"passages": 0}, "passages"), ({"gaps": 9}, "gaps"), ({"passages": 3, "texts": 4}, "texts")],
)
def test_a_bad_size_is_refused(changes, field):
    with pytest.raises(LabInputError) as caught:
        TasksConfig(**changes)
    assert caught.value.field == field
