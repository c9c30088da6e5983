"""Questions that need steps: the text they make, and how a model is cut short and corrupted."""

from types import SimpleNamespace

import pytest
import torch

from labcore.errors import LabInputError
from labcore.events import drain
from labcore.reasoning import chains, think
from labcore.reasoning.answering import answer_after, step_logits, write_steps
from labcore.reasoning.chains import ANSWER, EQUALS, PAD
from labcore.reasoning.think import ThinkConfig
from labcore.reasoning.writers import load_writer
from labcore.text.masking import IGNORE

QUESTION = torch.tensor([[4, 7, 9]])


class Reader:
    """A model in the manner of ours that adds the last step and the next digit, and repeats the last step
    behind ">": it reads nothing but its chain. Written without a network, so its answers are known."""

    def __init__(self, digits: int, reads_chain: bool = True):
        self.digits, self.reads_chain = digits, reads_chain

    def __call__(self, text, cache=None):
        if cache is not None:  # the cache of this model is the text itself
            text = cache.text = torch.cat([getattr(cache, "text", text[:, :0]), text], dim=1)
        rows, columns = text.shape
        logits = torch.zeros(rows, columns, chains.VOCAB_SIZE)
        for row in range(rows):
            for at in range(self.digits, columns):
                logits[row, at, self.next_token(text[row, : at + 1].tolist())] = 9.0
        return SimpleNamespace(logits=logits)

    def next_token(self, text: list[int]) -> int:
        question, written = text[: self.digits], text[self.digits + 1 :]
        if written and written[-1] == ANSWER:
            chain = written[:-1]
            return (chain[-1] if chain else 0) if self.reads_chain else sum(question) % 10
        place = min(len(written), self.digits - 1)
        return ((written[-1] if written else 0) + question[place]) % 10


def test_a_worked_question_by_hand():
    """4 + 7 + 9: running sums 4, 11, 20. "4 7 9 = 4 1 0 > 0"."""
    batch = chains.worked(QUESTION, torch.tensor([3]), "sum")
    whole = [4, 7, 9, EQUALS, 4, 1, 0, ANSWER, 0]
    assert batch.tokens.tolist() == [whole[:-1]]
    assert batch.targets.tolist() == [[IGNORE] * 3 + whole[4:]]
    assert batch.num_targets == 5


def test_a_chain_cut_short_is_not_asked_for_its_end():
    """After one of three steps: the step and the answer count, the ">" in between and the padding not."""
    batch = chains.worked(QUESTION, torch.tensor([1]), "sum")
    assert batch.tokens.tolist() == [[4, 7, 9, EQUALS, 4, ANSWER, 0, PAD]]
    assert batch.targets.tolist() == [[IGNORE, IGNORE, IGNORE, 4, IGNORE, 0, IGNORE, IGNORE]]
    assert batch.padding_mask.tolist() == [[True] * 7 + [False]]


def test_parity_is_the_sum_modulo_two():
    bits = torch.tensor([[1, 0, 1, 1]])
    assert chains.running_sums(bits, "parity").tolist() == [[1, 1, 0, 1]]


@pytest.mark.parametrize(("way", "width"), [("direct", 7), ("chain", 12)])
def test_batches_without_steps_are_short(way, width):
    """5 digits, "=" and ">" before the answer: 7; with up to 5 steps 12."""
    batch = next(chains.batches(way, 5, "sum", 40, torch.Generator().manual_seed(0)))
    assert batch.tokens.shape == (40, width)
    if way == "chain":  # about half of the chains are whole: there the ">" is asked for
        asked = (batch.targets == ANSWER).sum().item()
        assert 8 <= asked <= 32


@pytest.mark.parametrize(
    "call", [chains.modulus_of, lambda way: next(chains.batches(way, 2, "sum", 1, None))]
)
def test_unknown_names_are_refused(call):
    with pytest.raises(LabInputError):
        call("dance")


@pytest.mark.parametrize(
    "wrong",
    [{"task": "x"}, {"digits": 1}, {"digits": 25}, {"steps": 0}, {"batch_size": 0},
     {"learning_rate": 0}, {"learning_rate": float("nan")}],
)  # fmt: skip
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(LabInputError):
        ThinkConfig(**wrong)


# A model whose answers are known.


def test_a_chain_is_written_and_answered_step_by_step():
    reader = Reader(3)
    chain = write_steps(reader, QUESTION, 3)
    assert chain.tolist() == [[4, 1, 0]]
    assert answer_after(reader, QUESTION, chain).tolist() == [0]
    assert write_steps(reader, QUESTION, 0).shape == (1, 0)


def test_who_reads_its_chain_follows_a_changed_step_and_no_changed_digit():
    """One more at a step carries through to the answer; the control leaves it where it was. And the other
    way about for a model that reads the question alone."""
    questions = chains.draw_questions(8, 3, "sum", torch.Generator().manual_seed(0))
    for reads_chain, step, digit in ((True, "follows", "stays"), (False, "stays", "follows")):
        reader = Reader(3, reads_chain)
        for place in range(3):
            assert think.change_step(reader, questions, place, "sum")[step] == 1
            assert think.change_digit(reader, questions, place, "sum")[digit] == 1


def test_cut_short_by_hand():
    """The reader answers its last step: right after three, and after two only if digit 3 is 0."""
    questions = torch.tensor([[4, 7, 9], [4, 7, 0]])
    reader = Reader(3)
    assert [think.cut_short(reader, questions, s, "sum") for s in (3, 2)] == [1.0, 0.5]


def test_the_cache_changes_no_step():
    """Written token by token through the cache = the likeliest token of one pass over the whole text."""
    writer = load_writer("half")
    questions = chains.draw_questions(16, 12, "sum", torch.Generator().manual_seed(3))
    written = write_steps(writer, questions, 12)
    assert (step_logits(writer, questions, written).argmax(dim=2) == written).all()


def test_two_digits_are_learned_with_and_without_steps():
    """The lab's control, three fates that sum to one, and the same numbers from the same seed."""
    config = ThinkConfig(digits=2, steps=120)
    looks = []
    result = drain(think.learn(config), looks.append)
    assert result.accuracy["direct"][-1] == result.accuracy["chain"][-1] == 1
    assert result.questions == 4
    assert looks[-1].share == 1
    for by_fate in (result.step_changed, result.digit_changed):
        assert sum(by_fate.values()).tolist() == pytest.approx([1, 1])
    again = next(think.learn(config))
    assert again.accuracy == looks[0].accuracy
