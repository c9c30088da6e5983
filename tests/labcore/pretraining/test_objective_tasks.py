"""Filling, scoring, writing: each against the same done slowly, token by token, and the exam's rules."""

import numpy as np
import pytest
import torch

from labcore.errors import LabInputError
from labcore.model.config import ModelConfig
from labcore.model.transformer import Transformer
from labcore.pretraining import objective_exam as exams
from labcore.pretraining import objective_tasks as tasks
from labcore.text.bpe import BPETokenizer
from labcore.text.packing import PackedRows

TOKENIZER = BPETokenizer()  # bytes and six special tokens
TEXT = [TOKENIZER.bos_id, *b"to be or not"]


def model(kind: str) -> Transformer:
    config = ModelConfig(kind=kind, vocab_size=TOKENIZER.vocab_size, hidden_size=16, num_heads=2)
    # Ten times the usual size: a fresh model's beliefs are nearly even, and any order would pass.
    built = Transformer(config, torch.Generator().manual_seed(0)).eval()
    for weight in built.parameters():
        weight.data *= 3.0
    return built


CAUSAL, MASKED = model("decoder"), model("encoder")


@torch.no_grad()
def test_rescoring_with_the_cache_is_bayes_rule_on_whole_texts():
    """Every token put into the gap, the whole text's ln p added up, normalised."""
    place = 5
    tried = torch.tensor(TEXT).repeat(TOKENIZER.vocab_size, 1)
    tried[:, place] = torch.arange(TOKENIZER.vocab_size)
    beliefs = CAUSAL(tried[:, :-1]).logits.log_softmax(dim=-1)
    joint = beliefs.gather(2, tried[:, 1:, None]).sum(dim=(1, 2))
    told = tasks.fill_by_rescoring(CAUSAL, TEXT, place)
    torch.testing.assert_close(told, joint.log_softmax(dim=0), atol=1e-4, rtol=1e-4)
    assert float(told.exp().sum()) == pytest.approx(1, abs=1e-4)


@torch.no_grad()
def test_rescoring_the_last_token_is_the_belief_from_the_left():
    last = len(TEXT) - 1
    left = tasks.fill_from_left(CAUSAL, [TEXT], [last])[0]
    torch.testing.assert_close(
        tasks.fill_by_rescoring(CAUSAL, TEXT, last), left, atol=1e-5, rtol=1e-5
    )


@torch.no_grad()
def test_texts_of_unequal_length_are_filled_as_if_alone():
    texts, places = [TEXT, TEXT[:7]], [9, 3]
    for fill, read in (
        (tasks.fill_from_left, CAUSAL),
        (lambda m, t, p: tasks.fill_from_both_sides(m, t, p, TOKENIZER.mask_id), MASKED),
    ):
        together = fill(read, texts, places)
        alone = torch.cat([fill(read, [t], [p]) for t, p in zip(texts, places, strict=True)])
        torch.testing.assert_close(together, alone, atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_scores_are_sums_over_one_token_at_a_time():
    causal = tasks.left_to_right_nats(CAUSAL, TEXT)
    for at in range(1, len(TEXT)):
        belief = CAUSAL(torch.tensor([TEXT[:at]])).logits[0, -1].log_softmax(dim=0)
        assert float(causal[at - 1]) == pytest.approx(-float(belief[TEXT[at]]), abs=1e-4)
    masked = tasks.pseudo_nats(MASKED, TEXT, TOKENIZER.mask_id)
    for at in range(1, len(TEXT)):
        belief = tasks.fill_from_both_sides(MASKED, [TEXT], [at], TOKENIZER.mask_id)[0]
        assert float(masked[at - 1]) == pytest.approx(-float(belief[TEXT[at]]), abs=1e-4)


@pytest.mark.parametrize(("kind", "read"), [("causal", CAUSAL), ("masked", MASKED)])
def test_writing_appends_words_and_repeats_itself(kind, read):
    def once():
        rng = torch.Generator().manual_seed(3)
        return tasks.write(read, kind, [TEXT[:4], TEXT[4:8]], TOKENIZER, rng, 6)

    told = once()
    assert told == once()
    assert [row[:4] for row in told] == [TEXT[:4], TEXT[4:8]]
    assert all(len(row) == 10 for row in told)
    assert all(token < 256 for row in told for token in row[4:])  # never a special token


# The exam.


def rows(*lengths: int) -> PackedRows:
    """One row that holds documents of these lengths."""
    documents = torch.cat([torch.full((n,), at) for at, n in enumerate(lengths)])[None]
    tokens = torch.arange(documents.shape[1])[None]
    return PackedRows(tokens, documents, tokens)


def test_pieces_are_whole_stretches_of_one_document():
    assert exams.pieces(rows(30, 10, 25)) == [list(range(30)), list(range(40, 65))]


def test_a_spoilt_text_has_two_unlike_neighbours_the_wrong_way_round():
    text = [0, 5, 5, 5, 6, 7] * 4
    for place in range(1, 23):
        spoilt = exams.swapped(text, place)
        unlike = [at for at in range(24) if spoilt[at] != text[at]]
        assert len(unlike) == 2
        assert unlike[1] == unlike[0] + 1
        assert sorted(spoilt) == sorted(text)


def test_runs_are_the_triples_that_stand_together():
    assert exams.runs([1, 2, 3, 4]) == [(1, 2, 3), (2, 3, 4)]
    assert exams.grams(rows(3, 2)) == {(0, 1, 2), (1, 2, 3), (2, 3, 4)}


def test_too_little_text_is_refused():
    class Short:
        held_out = rows(10)
        tokenizer = TOKENIZER

    with pytest.raises(LabInputError, match="too_few_documents"):
        exams.prepare(Short, 4, 4)


def test_shares_are_shares():
    assert exams.share([True, False, True, np.bool_(True)]) == 0.75
