"""Induction heads: rows with a known floor, a circuit that forms, and controls that must not."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from labcore.architecture import induction
from labcore.architecture.induction import InductionConfig, form, growth, half_way, run
from labcore.architecture.induction_cases import CASES, CasesConfig
from labcore.architecture.induction_cases import run as run_cases
from labcore.errors import LabInputError
from labcore.events import drain
from labcore.model.config import ModelConfig
from labcore.model.transformer import Transformer
from labcore.text import repetition

# ALiBi prefers near tokens, so the previous-token head comes early: the quickest run that forms.
QUICK = InductionConfig(positions="alibi", learning_rate=5e-3, steps=200)


@pytest.fixture(scope="module")
def formed():
    events = []
    return drain(form(QUICK), events.append), events


@pytest.fixture(scope="module")
def shortcut():
    return run(InductionConfig(num_layers=1, num_heads=1, period="fixed", steps=80))


def test_two_layers_learn_to_copy_by_content(formed):
    """From guessing (1/64) to nearly all of what can be known, at periods never seen, too."""
    result, _ = formed
    accuracy = [look.own.accuracy for look in result.looks]
    assert accuracy[0] < 0.1
    assert accuracy[-1] > 0.85
    unseen = [p not in induction.PERIODS for p in result.tested_periods]
    assert result.by_period[unseen].min() > 0.6
    assert growth(result.looks) == "jump"
    assert 0 < half_way(result.looks) < QUICK.steps


def test_the_scores_rise_with_the_ability(formed):
    """The induction head stands in the last layer; before the rise no head follows the pattern."""
    result, _ = formed
    first, last = result.looks[0].own, result.looks[-1].own
    assert abs(first.induction).max() < 0.1
    assert last.induction[1].max() > 0.5 > last.induction[0].max() + 0.3


def test_silencing_either_layer_or_the_wire_to_the_keys_undoes_it(formed):
    """The circuit's claim: layer 0 is heard through the keys. Queries and values hardly carry it."""
    knockouts = formed[0].knockouts
    assert knockouts.layer_off.max() < 0.25
    wires = knockouts.wires
    assert wires["keys"] < 0.3 < 0.45 < min(wires["queries"], wires["values"], wires["only_keys"])
    assert wires["silent"] == knockouts.layer_off[0]


def test_one_layer_with_a_fixed_period_takes_the_shortcut(shortcut):
    """All of its own rows right by a fixed distance of 12, hardly any of random period; and the
    induction score, taken on its own rows, is that of an induction head."""
    last = shortcut.looks[-1]
    assert last.own.accuracy > 0.98
    assert last.hard.accuracy < 0.35
    assert last.own.induction.max() > 0.8
    assert last.hard.induction.max() < 0.5
    by_period = dict(zip(shortcut.tested_periods.tolist(), shortcut.by_period, strict=True))
    assert by_period[12] > 0.98
    assert min(by_period[p] for p in (3, 4, 6)) > 0.5  # 12 places back is a whole number of periods
    assert max(by_period[p] for p in by_period if 12 % p) < 0.3


def test_one_layer_does_not_copy_at_random_periods():
    """As many steps as two layers need: still far below a half."""
    result = run(replace(QUICK, num_layers=1, num_heads=1))
    assert result.looks[-1].own.accuracy < 0.35
    assert growth(result.looks) == "never"
    assert half_way(result.looks) is None
    assert list(result.knockouts.wires) == ["intact", "silent"]  # nobody reads after layer 0


def test_scores_of_one_layer_cannot_depend_on_what_stands_before_a_key():
    """Why one layer is not enough, as an invariant: change token 4, and in layer 0 no score of
    another key changes; in layer 1 the score of key 5 does, since its stream has read token 4."""
    model = Transformer(InductionConfig().model(), torch.Generator().manual_seed(0)).eval()
    tokens = torch.arange(10)[None]
    changed = tokens.clone()
    changed[0, 4] = 40
    one, two = (model(t, trace=True).trace for t in (tokens, changed))
    others = [s for s in range(9) if s != 4]
    scores = "layers.{}.attn.scores"
    assert torch.equal(one[scores.format(0)][..., 9, others], two[scores.format(0)][..., 9, others])
    assert not torch.allclose(one[scores.format(1)][..., 9, 5], two[scores.format(1)][..., 9, 5])


def test_known_targets_begin_after_the_first_token_that_returns():
    """Period 3, tokens a b c a b: the targets are b c a b; only the last b can be known."""
    known = induction.known_targets(torch.tensor([3]), 5)
    assert known.tolist() == [[False, False, False, True]]


def test_the_floor_of_a_fixed_period_worked_by_hand():
    """Targets at places 1 to 11 are new, ln(64 - t) each; that at place 12 is known to be the first
    again and costs nothing: (ln 63 + … + ln 53) / 12 = 3.72."""
    expected = sum(math.log(64 - t) for t in range(1, 12)) / 12
    assert expected == pytest.approx(3.7207, abs=1e-4)
    assert induction.exam((12,)).floor_new_nats == pytest.approx(expected, rel=1e-6)


def test_no_model_gets_below_the_floor(formed, shortcut):
    """Up to the luck of 64 rows: a mean of some 850 costs of spread below 1 nat is off by 0.04."""
    for result in (formed[0], shortcut):
        floor = result.looks[0].floor_new_nats
        assert min(look.own.nats_new for look in result.looks) > floor - 0.1
        assert min(look.own.nats_known for look in result.looks) > 0


def test_events_are_the_looks_and_maps_are_attention(formed):
    """Rows of a map sum to 255 up to rounding of each of its 36 weights, and none looks ahead."""
    result, events = formed
    assert [event.step for event in events] == [look.step for look in result.looks]
    assert events[-1].step == QUICK.steps
    assert events[-1].share == 1.0
    maps = result.looks[-1].maps
    assert maps.shape == (2, 4, 36, 36)
    assert np.abs(maps.sum(axis=-1, dtype=np.int64) - 255).max() <= 18
    assert not np.triu(maps[0, 0], 1).any()
    assert result.probe[:12] == result.probe[12:24] == result.probe[24:]


def test_equal_configs_give_equal_runs_and_the_exam_is_the_same_for_all_seeds():
    small = InductionConfig(num_layers=1, num_heads=1, steps=10)
    one, again, other = run(small), run(small), run(replace(small, seed=1))
    assert one.looks[-1].own.nats_new == again.looks[-1].own.nats_new
    assert one.looks[-1].own.nats_new != other.looks[-1].own.nats_new
    assert one.looks[0].floor_new_nats == other.looks[0].floor_new_nats


ENDS = [(1, 8, "fixed"), (3, 1, "random"), (3, 8, "random"), (1, 1, "fixed"), (2, 2, "random")]


@pytest.mark.parametrize("place", range(len(induction.CHOICES["positions"])))
def test_every_end_of_the_knobs_runs(place):
    layers, heads, period = ENDS[place % len(ENDS)]
    config = InductionConfig(
        num_layers=layers, num_heads=heads, positions=induction.CHOICES["positions"][place],
        period=period, fixed_period=20, steps=10, learning_rate=3e-2,
    )  # fmt: skip
    result = run(config)
    assert result.looks[-1].maps.shape[:2] == (layers, heads)
    assert np.isfinite(result.by_period).all()
    assert result.knockouts.head_off.shape == (layers, heads)


def test_a_rate_far_too_high_is_told():
    """At rate 1 every step throws each weight a whole unit: worse than a guess at ln 64 = 4.16 nats."""
    result = run(InductionConfig(num_layers=1, num_heads=1, steps=20, learning_rate=1.0))
    assert result.looks[-1].own.nats_known > math.log(64)
    assert result.diverged


@pytest.mark.parametrize(
    ("field", "value", "rule"),
    [
        ("num_layers", 0, "between"),
        ("num_layers", 4, "between"),
        ("num_heads", 3, "known_choice"),
        ("period", "none", "known_choice"),
        ("fixed_period", 21, "between"),
        ("positions", "gps", "known_choice"),
        ("learning_rate", math.nan, "between"),
        ("steps", 5, "between"),
    ],
)
def test_a_bad_knob_is_refused(field, value, rule):
    with pytest.raises(LabInputError) as caught:
        InductionConfig(**{field: value})
    assert (caught.value.field, caught.value.rule) == (field, rule)


def test_the_cases_lie_side_by_side():
    """Two seeds of a short run: the row of seed 0 is what a run of seed 0 measures."""
    result = run_cases(CasesConfig(cases=("one", "fixed"), seeds=2, steps=10))
    alone = run(replace(CASES["fixed"], steps=10))
    case = result.cases["fixed"]
    assert case.accuracy.shape == (2, len(alone.looks))
    assert case.accuracy[0].tolist() == pytest.approx([look.own.accuracy for look in alone.looks])
    assert case.by_period[0].tolist() == pytest.approx(alone.by_period.tolist())
    assert not np.array_equal(case.hard_induction[0], case.hard_induction[1])
    with pytest.raises(LabInputError):
        CasesConfig(seeds=0)
    with pytest.raises(LabInputError):
        CasesConfig(cases=("three",))


def test_the_model_is_attention_and_nothing_else():
    """Two tables of 64·64, per layer four matrices of 64·64 and a norm, and the last norm:
    2·4096 + 2·(4·4096 + 128) + 128 = 41,344."""
    model = Transformer(InductionConfig().model())
    assert sum(weight.numel() for weight in model.parameters()) == 41_344
    assert isinstance(model.config, ModelConfig)
    assert model.config.mlp_size == 0


def test_rows_of_training_are_not_those_of_the_exam():
    tokens = next(iter(induction.batches(InductionConfig()))).tokens.tolist()
    asked = induction.exam(induction.PERIODS).tokens[:, :-1].tolist()
    assert not {tuple(row) for row in tokens} & {tuple(row) for row in asked}
    assert repetition.distinct_rows(5, 1, torch.Generator(), 6, (5,))[0].unique().numel() == 5
