"""What each objective asks: batches against constructions by hand, on rows of a few tokens."""

import pytest
import torch

from labcore.errors import LabInputError
from labcore.model.transformer import Transformer
from labcore.pretraining.objective_kinds import KINDS, Objective, SpecialIds, ask, model_config
from labcore.text.masking import IGNORE
from labcore.text.spans import restore
from labcore.training.objectives import mean_token_loss, prefix_batch, span_batch

IDS = SpecialIds(bos=0, pad=1, mask=2, sentinels=tuple(range(3, 15)))
ROW = [0, *range(20, 30)]  # bos and ten words


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_causal_asks_for_every_word_once():
    batch = ask(Objective("causal"), [ROW], IDS, rng())
    assert batch.tokens[0].tolist() == ROW[:-1]
    assert batch.targets[0].tolist() == ROW[1:]
    assert batch.prefix is None


def test_a_prefix_is_read_and_not_asked_for_and_its_last_token_asks_for_the_next():
    """Of 11 tokens the first four are the prefix: 3 words and bos. 7 words are asked for."""
    batch = prefix_batch([ROW, ROW[:6]], [4, 1], IDS.pad)
    assert batch.targets[0].tolist() == [IGNORE] * 3 + ROW[4:]
    assert batch.prefix[0].tolist() == [True] * 4 + [False] * 6
    assert batch.targets[1].tolist() == ROW[1:6] + [IGNORE] * 5
    assert batch.num_targets == 7 + 5


def test_prefixes_are_drawn_evenly_or_set():
    """Lengths 1 to 10, 2,000 rows: 200 each, with a deviation of 13."""
    batch = ask(Objective("prefix"), [ROW] * 2000, IDS, rng())
    counts = torch.bincount(batch.prefix.sum(dim=1), minlength=11)
    assert counts[0] == 0
    assert int((counts[1:] - 200).abs().max()) < 4 * 14
    fixed = ask(Objective("prefix", prefix=6), [ROW, ROW[:4]], IDS, rng())
    assert fixed.prefix.sum(dim=1).tolist() == [6, 3]


def test_masked_hides_its_share_and_never_bos():
    batch = ask(Objective("masked", share=0.4), [ROW] * 50, IDS, rng())
    asked = batch.targets != IGNORE
    assert (asked.sum(dim=1) == 4).all()
    assert (batch.tokens[asked] == IDS.mask).all()
    assert (batch.tokens[~asked] == torch.tensor(ROW).expand(50, -1)[~asked]).all()
    assert not asked[:, 0].any()


@pytest.mark.parametrize("mean_length", [1.0, 3.0])
def test_span_shows_the_rest_and_asks_for_what_it_hid(mean_length):
    batch = ask(Objective("span", 0.3, mean_length), [ROW] * 20, IDS, rng())
    for number in range(20):
        shown = [token for token in batch.context[number].tolist() if token != IDS.pad]
        target = [token for token in batch.targets[number].tolist() if token != IGNORE]
        assert shown[0] == IDS.bos
        assert restore(shown, target, IDS.sentinels) == ROW
        assert batch.tokens[number, : len(target)].tolist() == [IDS.bos, *target[:-1]]


def test_the_papers_example_as_a_batch():
    """Thank you for inviting me to your party last week, "for inviting" and "last" hidden (T5, figure 2)."""
    words = [
        "<s>",
        *["Thank", "you", "for", "inviting", "me", "to", "your", "party", "last", "week"],
    ]
    row = [0, *range(20, 30)]
    batch = span_batch([row], [[(3, 5), (9, 10)]], [3, 4, 5], start_id=0, pad_id=1)
    names = dict(zip(row, words, strict=True)) | {3: "<X>", 4: "<Y>", 5: "<Z>"}
    assert [names[token] for token in batch.context[0].tolist()[1:]] == (
        ["Thank", "you", "<X>", "me", "to", "your", "party", "<Y>", "week"]
    )
    assert [names[token] for token in batch.targets[0].tolist()] == (
        ["<X>", "for", "inviting", "<Y>", "last", "<Z>"]
    )


@pytest.mark.parametrize("kind", KINDS)
def test_each_batch_trains_the_model_of_its_family(kind):
    objective = Objective(kind, share=0.3)
    model = Transformer(model_config(objective, 32, hidden_size=8, num_heads=1), rng())
    loss, minimised = mean_token_loss(model, ask(objective, [ROW, ROW[:7]], IDS, rng()))
    minimised.backward()
    assert 0 < loss.item() < 10
    assert all(weight.grad is not None for weight in model.parameters())


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"kind": "electra"}, "known_choice"),
        ({"share": 0.0}, "between"),
        ({"share": 1.0}, "between"),
        ({"mean_length": 0.0}, "at_least"),
        ({"prefix": -1}, "at_least"),
    ],
)
def test_an_objective_that_cannot_be_is_refused(change, rule):
    with pytest.raises(LabInputError, match=rule):
        Objective(**change)
