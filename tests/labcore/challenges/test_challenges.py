"""What a challenge believes: nothing that is told, everything that is measured."""

from dataclasses import replace

import pytest
import torch

from labcore.architecture import induction
from labcore.architecture.build_train import BuildTrainConfig, build
from labcore.architecture.build_train_corpus import world
from labcore.challenges import copying, smallest
from labcore.challenges.copying import CopyingConfig
from labcore.errors import LabInputError
from labcore.model.counting import parameter_total
from labcore.model.transformer import Transformer
from labcore.text.bpe import BPETokenizer
from labcore.text.world import split_of
from labcore.training import checkpoints
from labcore.training.objectives import held_out_loss


def saved(model, tokenizer=None, **told):
    """A file with this model in it, whose card says whatever it likes."""
    bundled = checkpoints.load(checkpoints.ASSETS / "world-decoder")
    card = bundled.card.to_dict() | {"config": model.config.to_dict()} | told
    return checkpoints.save_bytes(
        model, tokenizer or bundled.tokenizer, checkpoints.Card.from_dict(card)
    )


def untrained(**knobs):
    config = BuildTrainConfig(num_layers=1, hidden_size=16, num_heads=1, **knobs)
    return build(config, world().tokenizer.vocab_size)


def test_the_bundled_model_passes_and_its_loss_is_that_of_an_independent_evaluation():
    kept = checkpoints.load(checkpoints.ASSETS / "world-decoder")
    verdict = smallest.judge(saved(kept.model), seed=3)
    batch, floor = smallest.exam(3)
    logits = kept.model(batch.tokens).logits.detach().log_softmax(-1)
    asked = batch.padding_mask
    nats = -logits.gather(2, batch.targets.clamp(min=0)[..., None])[..., 0][asked].mean()
    assert verdict.nats == pytest.approx(float(nats), abs=1e-4)
    assert verdict.floor_nats == floor < verdict.nats
    assert verdict.parameters == parameter_total(kept.model.config)


def test_parameters_and_loss_are_measured_whatever_the_card_says():
    model = untrained()
    verdict = smallest.judge(saved(model, parameters=1, held_out_nats=0.1), seed=0)
    assert verdict.parameters == sum(weight.numel() for weight in model.parameters()) > 30_000
    assert verdict.nats > 7  # ln 1,920 = 7.56 for a model that knows nothing
    assert not verdict.passes


def test_each_class_has_stories_of_its_own_and_all_of_them_are_held_out():
    first, again, other = (smallest.exam(seed)[0].tokens for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert first.shape != other.shape or not torch.equal(first, other)
    tokenizer = world().tokenizer
    special = {tokenizer.special_id(name) for name in tokenizer.special_tokens}
    for row in first.tolist():
        text = tokenizer.decode([token for token in row if token not in special])
        assert split_of(text) == "held_out"


def test_a_model_that_looks_at_what_it_should_predict_is_turned_away():
    """The same weights, with the mask and without; without it every loss is possible."""
    honest = untrained()
    peeking = Transformer(replace(honest.config, causal=False), weights=honest.state_dict())
    tokens = smallest.exam(0)[0].tokens[:2]
    assert not smallest.looks_ahead(honest.eval(), tokens)
    assert smallest.looks_ahead(peeking.eval(), tokens)
    with pytest.raises(LabInputError, match="reads_forward"):
        smallest.judge(saved(peeking), seed=0)


def test_an_encoder_a_foreign_tokenizer_and_a_giant_are_turned_away(monkeypatch):
    with pytest.raises(LabInputError, match="decoder_only"):
        smallest.judge(saved(untrained(kind="encoder")), seed=0)
    ours = world().tokenizer
    merges = (ours.merges[1], ours.merges[0], *ours.merges[2:])  # the same size, other tokens
    foreign = BPETokenizer(merges, ours.special_tokens, ours.pattern)
    with pytest.raises(LabInputError, match="tokenizer_of_the_world"):
        smallest.judge(saved(untrained(), foreign), seed=0)
    monkeypatch.setattr(smallest, "MOST_PARAMETERS", 1_000)
    with pytest.raises(LabInputError, match="too_large"):
        smallest.judge(saved(untrained()), seed=0)


@pytest.mark.parametrize("data", [b"", b"x", b"\x80\x04}.", b"\xff" * 100])
def test_what_is_no_file_of_this_lab_is_refused(data):
    with pytest.raises(LabInputError, match="saved_by_this_lab"):
        smallest.judge(data, seed=0)


def test_copying_counts_its_parameters_and_marks_as_the_induction_lab_does():
    """The same architecture and seed, trained by both labs: the same accuracy and the same count."""
    ours = copying.run(CopyingConfig(num_layers=2, num_heads=4, hidden_size=64, steps=50))
    theirs = induction.run(induction.InductionConfig(steps=50))
    assert ours.accuracy == pytest.approx(theirs.looks[-1].own.accuracy)
    assert (
        ours.parameters == theirs.parameters == parameter_total(CopyingConfig(num_heads=4).model())
    )


def test_a_run_that_has_hardly_begun_does_not_pass_and_says_how_far_it_is():
    looks = []
    config = CopyingConfig(hidden_size=8, num_layers=1, steps=50)
    run = copying.learn_to_copy(config)
    while True:
        try:
            looks.append(next(run))
        except StopIteration as stop:
            result = stop.value
            break
    assert looks[-1].step == 50
    assert looks[-1].share == 1.0
    assert looks[-1].accuracy == result.accuracy < copying.PASS_SHARE
    assert not result.passes


@pytest.mark.parametrize(
    ("knobs", "field"),
    [
        ({"num_layers": 0}, "num_layers"), ({"hidden_size": 7}, "hidden_size"),
        ({"num_heads": 3}, "num_heads"), ({"steps": 5000}, "steps"), ({"positions": "x"}, "positions"),
        ({"learning_rate": 9.0}, "learning_rate"),
    ],
)  # fmt: skip
def test_a_knob_out_of_its_range_is_named(knobs, field):
    with pytest.raises(LabInputError, match=field):
        CopyingConfig(**knobs)


def test_the_exam_is_the_models_held_out_loss():
    model = untrained()
    batch, _ = smallest.exam(0)
    assert smallest.judge(saved(model), 0).nats == pytest.approx(held_out_loss(model, [batch]))
