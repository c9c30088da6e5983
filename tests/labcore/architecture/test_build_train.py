"""Build and train your own: real learning in a few seconds, on text whose lowest loss is known."""

import itertools
import math

import numpy as np
import pytest
import torch

from labcore.architecture import build_train
from labcore.architecture.build_train import BuildTrainConfig, build_and_train, run
from labcore.architecture.build_train_corpus import world, world_corpus
from labcore.errors import LabInputError
from labcore.events import drain
from labcore.model.transformer import Output
from labcore.text.world import split_of
from labcore.training import checkpoints
from labcore.training.loop import train
from labcore.training.objectives import held_out_loss

TINY = {"num_layers": 1, "num_heads": 1, "hidden_size": 16, "batch_size": 4, "steps": 10,
        "snapshot_every": 5}  # fmt: skip
CHINESE = "小猫在花园里睡觉，小狗在河边唱歌。" * 20


@pytest.fixture(scope="module")
def learnt():
    """One run that learns something, with its events: 60 steps of a one-layer decoder."""
    config = BuildTrainConfig(
        num_layers=1, steps=60, hidden_size=48, batch_size=12, snapshot_every=20, corpus="world-en",
        learning_rate=1e-2,
    )  # fmt: skip
    events = []
    return config, drain(build_and_train(config), events.append), events


def test_an_untrained_model_guesses_about_evenly(learnt):
    """Its held-out loss is ln V = ln 1920 = 7.56 nats, give or take what random weights add."""
    _, result, _ = learnt
    assert result.uniform_nats == pytest.approx(math.log(world().tokenizer.vocab_size))
    assert result.validation_nats[0] == pytest.approx(result.uniform_nats, rel=0.05)


def test_the_loss_goes_down_and_stays_above_the_floor(learnt):
    """Half of what chance loses is gone after 60 steps; nobody gets below the floor."""
    _, result, _ = learnt
    assert result.validation_nats[-1] < result.uniform_nats / 2
    assert result.validation_nats.min() > result.floor_nats > 0
    assert not result.diverged


def test_events_tell_what_the_result_holds(learnt):
    config, result, events = learnt
    assert [event.step for event in events] == list(range(config.steps + 1))
    assert events[0].loss_nats is None
    assert [event.loss_nats for event in events[1:]] == result.loss_nats.tolist()
    assert [event.learning_rate for event in events[1:]] == result.learning_rate.tolist()
    assert events[-1].share == 1.0
    assert {event.floor_nats for event in events} == {result.floor_nats}


def test_every_look_keeps_maps_whose_rows_sum_to_one(learnt):
    """A row of T bytes, each rounded to the nearest 1/255, is off by at most T/2 of them."""
    config, result, _ = learnt
    assert [snapshot.step for snapshot in result.snapshots] == [0, 20, 40, 60]
    assert result.validation_steps.tolist() == [0, 20, 40, 60]
    length = len(result.probe_tokens)
    for snapshot in result.snapshots:
        assert snapshot.attention.shape == (1, config.num_heads, length, length)
        assert snapshot.attention.dtype == np.uint8
        sums = snapshot.attention.sum(axis=-1, dtype=np.int64)
        assert np.abs(sums - 255).max() <= length / 2
        assert not np.triu(snapshot.attention[0, 0], 1).any()  # nobody looks ahead
    assert not np.array_equal(result.snapshots[0].attention, result.snapshots[-1].attention)


def test_a_trained_model_says_words_of_its_world(learnt):
    """After 60 steps most of the words that it writes occur in the corpus; at first few do."""
    _, result, _ = learnt
    known = {w.strip('.,!?"') for story in _english(200) for w in story.split()}
    said = [word.strip('.,!?"') for word in result.snapshots[-1].sample.split()]
    assert len(said) > 10
    assert np.mean([word in known for word in said]) > 0.7


def _english(count: int) -> list[str]:
    corpus = world_corpus("decoder", ("en",), batch_size=8, seed=3)
    rows = [row for batch in itertools.islice(corpus.batches, count // 8) for row in batch.tokens]
    return [corpus.tokenizer.decode(row.tolist()) for row in rows]


def test_the_download_is_the_model_that_the_run_ended_with(learnt):
    """Loaded again it has the same loss on the same held-out text, which no other weights have."""
    config, result, _ = learnt
    again = checkpoints.load_bytes(result.checkpoint.tobytes())
    corpus = build_train.corpus_of(config)
    loss = held_out_loss(again.model, [corpus.held_out])
    assert loss == pytest.approx(result.validation_nats[-1], abs=1e-12)
    assert again.card.parameters == result.parameters
    assert again.card.floor_nats == result.floor_nats
    assert again.tokenizer.encode("One day") == corpus.tokenizer.encode("One day")


def test_two_runs_of_one_config_are_equal_bit_for_bit():
    first, second = run(BuildTrainConfig(**TINY)), run(BuildTrainConfig(**TINY))
    assert np.array_equal(first.loss_nats, second.loss_nats)
    assert np.array_equal(first.validation_nats, second.validation_nats)
    assert [s.sample for s in first.snapshots] == [s.sample for s in second.snapshots]


def test_another_seed_is_another_run_judged_on_the_same_text():
    first, second = run(BuildTrainConfig(**TINY)), run(BuildTrainConfig(**TINY, seed=1))
    assert not np.array_equal(first.loss_nats, second.loss_nats)
    assert first.floor_nats == second.floor_nats
    assert first.probe_tokens == second.probe_tokens


@pytest.mark.parametrize("kind", ["decoder", "encoder", "encoder_decoder"])
@pytest.mark.parametrize(("layers", "heads", "width"), [(1, 1, 16), (4, 8, 128), (1, 8, 16)])
def test_every_end_of_the_knobs_runs(kind, layers, heads, width):
    config = BuildTrainConfig(
        kind=kind, num_layers=layers, num_heads=heads, hidden_size=width, steps=10, batch_size=1,
        snapshot_every=500,
    )  # fmt: skip
    result = run(config)
    assert np.isfinite(result.loss_nats).all()
    assert result.snapshots[-1].step == 10
    assert result.snapshots[-1].attention.shape[:2] == (layers, heads)
    cross = result.snapshots[-1].cross_attention
    assert (cross is None) == (kind != "encoder_decoder")
    if cross is not None:
        size = (len(result.probe_tokens), len(result.context_tokens))
        assert cross.shape == (layers, heads, *size)


@pytest.mark.parametrize("positions", ["learned", "sinusoidal", "rope", "alibi", "t5", "none"])
@pytest.mark.parametrize("norm_placement", ["pre", "post"])
def test_every_kind_of_position_and_norm_placement_learns(positions, norm_placement):
    config = BuildTrainConfig(
        **TINY | {"num_heads": 2}, positions=positions, norm_placement=norm_placement,
        norm="rmsnorm", activation="swiglu", num_key_value_heads=1,
    )  # fmt: skip
    result = run(config)
    assert result.validation_nats[-1] < result.validation_nats[0]


@pytest.mark.parametrize("corpus", ["world-zh", "world-en"])
def test_one_language_has_a_floor_without_the_bet_on_the_language(corpus):
    """Of the mixed corpus, each text costs ln 2 for its language tag; of one language, nothing."""
    language = corpus.removeprefix("world-")
    held_out = world_corpus("decoder", (language,), 1, seed=0)
    tag = world().tokenizer.special_id(f"<|{language}|>")
    assert (held_out.held_out.targets[:, 0] == tag).all()
    rows = [[*ids[:1].tolist(), *t[t >= 0].tolist()] for ids, t in
            zip(held_out.held_out.tokens, held_out.held_out.targets, strict=True)]  # fmt: skip
    mixed = world().causal_floor(rows)
    betting = len(rows) * math.log(2) / mixed.tokens
    assert held_out.floor_nats == pytest.approx(mixed.nats_per_token - betting)


def test_training_text_and_held_out_text_never_meet():
    corpus = world_corpus("decoder", ("en", "zh"), batch_size=16, seed=0)
    held_out = {split_of(corpus.tokenizer.decode(row.tolist())) for row in corpus.held_out.tokens}
    batches = itertools.islice(corpus.batches, 4)
    trained = {split_of(corpus.tokenizer.decode(row.tolist())) for b in batches for row in b.tokens}
    assert (held_out, trained) == ({"held_out"}, {"train"})


class Leaky(torch.nn.Module):
    """A decoder whose causal mask was forgotten."""

    def __init__(self, model: torch.nn.Module):
        super().__init__()
        self.model = model

    def forward(self, tokens: torch.Tensor, **more: object) -> Output:
        return self.model(tokens, **more, interventions={"layers.0.attn.mask": torch.ones_like})


def test_a_leak_shows_as_a_loss_below_the_floor():
    """Without the causal mask a model learns to read the next token instead of predicting it."""
    config = BuildTrainConfig(
        num_layers=1, num_heads=2, hidden_size=32, steps=120, batch_size=12, corpus="world-en",
        learning_rate=2e-2,
    )  # fmt: skip
    corpus = build_train.corpus_of(config)
    leaky = Leaky(build_train.build(config, corpus.tokenizer.vocab_size))
    drain(train(leaky, corpus.batches, config.training()))
    assert held_out_loss(leaky, [corpus.held_out]) < 0.8 * corpus.floor_nats


def test_a_rate_far_too_high_is_reported_as_diverged():
    """At rate 1 without decay the run ends worse than a guess that knows nothing, and says so.

    Without a norm it ends thousands of times worse, whatever the seed; with one the end of so wild a run
    hangs on the last digit of a sum.
    """
    config = BuildTrainConfig(
        **TINY | {"steps": 60, "snapshot_every": 60}, learning_rate=1.0, schedule="constant",
        norm="none",
    )  # fmt: skip
    result = run(config)
    assert result.validation_nats[-1] > result.uniform_nats
    assert result.diverged


@pytest.mark.parametrize("kind", ["decoder", "encoder"])
def test_a_learners_own_text_trains_without_a_floor(kind):
    result = run(BuildTrainConfig(**TINY, kind=kind, corpus="own", own_text=CHINESE))
    assert result.floor_nats is None
    assert result.validation_nats[-1] < result.validation_nats[0]
    assert result.probe_tokens[0] == "<|bos|>"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"num_layers": 0}, "num_layers"),
        ({"num_layers": 5}, "num_layers"),
        ({"num_heads": 3}, "num_heads"),  # does not divide a width of 64
        ({"num_key_value_heads": 3}, "num_key_value_heads"),
        ({"hidden_size": 1024}, "hidden_size"),
        ({"learning_rate": math.nan}, "learning_rate"),
        ({"learning_rate": 0.0}, "learning_rate"),
        ({"steps": 10**9}, "steps"),
        ({"batch_size": 0}, "batch_size"),
        ({"positions": "gps"}, "positions"),
        ({"schedule": "step"}, "schedule"),
        ({"corpus": "internet"}, "corpus"),
        ({"kind": "encoder_decoder", "corpus": "world-zh"}, "corpus"),
        ({"corpus": "own", "own_text": "  "}, "own_text"),
        ({"corpus": "own", "own_text": "猫" * 20_001}, "own_text"),
    ],
)
def test_a_bad_knob_is_refused_before_anything_runs(changes, field):
    with pytest.raises(LabInputError) as caught:
        BuildTrainConfig(**changes)
    assert caught.value.field == field


@pytest.mark.parametrize("text", ["hello", "😀", "שלום עולם"])
def test_a_text_too_short_to_learn_from_is_refused(text):
    with pytest.raises(LabInputError, match="at_least_tokens"):
        run(BuildTrainConfig(**TINY, corpus="own", own_text=text))
