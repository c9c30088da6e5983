"""What a recorded study answers to a prediction: every option, from made-up numbers beside its boundaries."""

from types import SimpleNamespace

import numpy as np
import pytest

from app.labs.alignment import (
    dpo,
    hf_qlora,
    lora_study,
    reward_study,
    rlhf_parts,
    safety_attacks,
    safety_later,
    sft_mistakes,
)
from app.labs.inference import (
    board,
    decoding_constrained,
    decoding_exactness,
    distillation,
    flash_online,
    production_machine,
    pruning_repair,
)
from labcore.compression.board import PointConfig
from labcore.serving import machine_roof
from labcore.tuning.lora_spectrum import KEPT
from labcore.tuning.refusal import GROUPS


def over_seeds(value: float) -> np.ndarray:
    """Three seeds whose mean is `value`."""
    return value + np.array([-0.01, 0.0, 0.01])


def at_end(value: float) -> np.ndarray:
    """Three seeds, two looks, of which only the last counts.  -> (S, M)"""
    return np.stack([np.full(3, 99.0), over_seeds(value)], axis=1)


def case(**measures: float) -> SimpleNamespace:
    ends = {name: at_end(value) for name, value in measures.items()}
    return SimpleNamespace(measures=ends, last=lambda name="nats": ends[name][:, -1])


def study(**cases) -> SimpleNamespace:
    return SimpleNamespace(cases=cases)


def field(merged: float, apart: float) -> SimpleNamespace:
    times = {"merged": merged, "apart": apart}
    points = [
        SimpleNamespace(config=PointConfig(cut=50, repair=way), token_ms=(ms, 0.0, 9.0))
        for way, ms in times.items()
    ]
    return SimpleNamespace(points=points)


@pytest.mark.parametrize(
    ("apart", "answer"),
    [(1.0, "tenth"), (1.09, "tenth"), (1.11, "quarter"), (1.49, "quarter"), (1.51, "double")],
)
def test_a_repair_kept_apart_is_timed_against_the_merged_one(apart, answer):
    assert board.apart(field(1.0, apart)) == answer
    assert board.apart(field(2.0, 2 * apart)) == answer


def test_sixteen_texts_at_once_are_held_against_one():
    points = [
        SimpleNamespace(config=PointConfig(batch=batch), tokens_per_second=rate)
        for batch, rate in ((1, 500.0), (16, 3000.0))
    ]
    assert board.batching(SimpleNamespace(points=points)) == 6


@pytest.mark.parametrize(
    ("written", "answer"),
    [((0.7, 0.3), "target"), ((0.6, 0.4), "draft"), ((0.8, 0.2), "likelier")],
)
def test_what_comes_out_leans_one_way_or_the_other(written, answer):
    p, q, written = np.array([0.7, 0.3]), np.array([0.4, 0.6]), np.array(written)
    distance = float(np.abs(written - p).sum() / 2)
    result = SimpleNamespace(p=p, q=q, written=written, distance=distance)
    assert decoding_exactness.leaning(result) == answer


@pytest.mark.parametrize(
    ("share", "answer"),
    [(0.04, "hardly"), (0.06, "sometimes"), (0.33, "sometimes"), (0.34, "often")],
)
def test_the_text_is_watched_that_the_model_would_hardly_write(share, answer):
    """Whichever of the two comes first."""
    rare_last = SimpleNamespace(texts=["a", "b"], masked=[1 - share, share], conditioned=[0.9, 0.1])
    rare_first = SimpleNamespace(
        texts=["b", "a"], masked=[share, 1 - share], conditioned=[0.1, 0.9]
    )
    assert decoding_constrained.unlikely_one(rare_last) == answer
    assert decoding_constrained.unlikely_one(rare_first) == answer


def students(**nats: float) -> dict[str, SimpleNamespace]:
    named = {name.replace("_", "-"): value for name, value in nats.items()} | {"passages-500": 1.2}
    return {f"{name} distilled": case(nats=value) for name, value in named.items()}


@pytest.mark.parametrize(
    ("nats", "answer"), [(1.16, "lower"), (1.18, "alike"), (1.22, "alike"), (1.24, "higher")]
)
def test_a_hot_teacher_is_held_against_a_cool_one(nats, answer):
    assert distillation.hotter(students(T_4=nats)) == answer


@pytest.mark.parametrize(
    ("hidden", "attention", "answer"),
    [(1.1, 1.2, "hidden"), (1.2, 1.1, "attention"), (1.1, 1.1, "both"), (1.18, 1.4, "neither")],
)
def test_an_addition_helps_if_the_loss_is_clearly_lower(hidden, attention, answer):
    assert distillation.helpful(students(hidden=hidden, attention=attention)) == answer


@pytest.mark.parametrize(
    ("best", "answer"), [(0, "smallest"), (1, "middle"), (3, "middle"), (4, "largest")]
)
def test_the_best_price_is_placed_among_the_others(best, answer):
    solved = [0.9 if at == best else 0.5 for at in range(5)]
    cases = {
        name: case(greedy_right=s) for name, s in zip(dpo.GROUPS["betas"], solved, strict=True)
    }
    assert dpo.best_price(study(**cases)) == answer


@pytest.mark.parametrize(
    ("own", "answer"), [(0.56, "more"), (0.54, "alike"), (0.46, "alike"), (0.44, "fewer")]
)
def test_own_pairs_are_held_against_slips(own, answer):
    cases = {"own-0.1": case(greedy_right=own), "dpo": case(greedy_right=0.5)}
    assert dpo.own_pairs(study(**cases)) == answer


@pytest.mark.parametrize(
    ("error", "answer"), [(np.nan, "nothing"), (np.inf, "nothing"), (1e-6, "same"), (0.1, "rough")]
)
def test_a_softmax_of_raised_scores_is_no_number_or_near_or_off(error, answer):
    assert flash_online.raised(SimpleNamespace(errors={"naive": error})) == answer


@pytest.mark.parametrize(("held", "answer"), [(300, "three"), (200, "five"), (130, "eight")])
def test_a_model_is_smaller_once_both_formats_are_weighed(held, answer):
    full, small = (
        SimpleNamespace(name=name, counted=size) for name, size in (("fp32", 1000), ("nf4", held))
    )
    assert hf_qlora.smaller([full, small]) == answer
    assert hf_qlora.smaller([full]) == ""


@pytest.mark.parametrize(("lora", "answer"), [(2.8, "lora"), (2.55, "alike"), (2.2, "full")])
def test_who_forgets_more_is_asked_of_the_chosen_task(lora, answer):
    ends = {"rank-8": lora, "full": 2.5}
    cipher = {name: SimpleNamespace(old_nats=over_seeds(nats)) for name, nats in ends.items()}
    cases = {"cipher": cipher, "backwards": {}}
    assert lora_study.forgets_more(study(**cases), "cipher") == answer


@pytest.mark.parametrize(("cut", "answer"), [(0.8, "cut"), (1.05, "alike"), (1.2, "learnt")])
def test_rank_8_is_cut_or_learnt(cut, answer):
    cuts = np.full((3, len(KEPT)), 5.0)
    cuts[:, list(KEPT).index(8)] = cut
    spectrum = SimpleNamespace(tasks={"cipher": SimpleNamespace(cut_nats=cuts)})
    runs = study(cipher={"rank-8": SimpleNamespace(new_nats=over_seeds(1.0))})
    assert lora_study.better_rank_8(spectrum, runs, "cipher") == answer


@pytest.mark.parametrize(
    ("times", "answer"), [(1.9, "near"), (2.1, "some"), (9.9, "some"), (10.1, "far")]
)
def test_the_smallest_step_is_held_against_its_roof(times, answer):
    roof = np.full(len(machine_roof.STEPS), 0.5)
    measured = np.ones((3, len(roof)))
    measured[:, machine_roof.STEPS.index(("world-decoder", "write", 1))] = [0.0, 0.5 * times, 99.0]
    assert (
        production_machine.smallest_step(SimpleNamespace(measured=measured, roof_far=roof))
        == answer
    )


@pytest.mark.parametrize(
    ("left", "answer"), [(0.7, "kept"), (0.5, "half"), (0.11, "half"), (0.09, "gone")]
)
def test_a_lead_is_what_is_left_of_the_gap(left, answer):
    losses = {
        "magnitude-0.7": np.tile([1.0, 0.5], (3, 1)),
        "sparsegpt-0.7": np.tile([0.8, 0.5 - 0.2 * left], (3, 1)),
    }
    assert pruning_repair.lead(SimpleNamespace(losses=losses)) == answer


def found(right: float = 4.0, accuracy: float = 0.72) -> SimpleNamespace:
    return SimpleNamespace(
        found=np.stack([over_seeds(right), over_seeds(9.0), over_seeds(9.0)], axis=1),
        accuracy=over_seeds(accuracy),
    )


@pytest.mark.parametrize(
    ("right", "answer"), [(3.1, "kept"), (2.9, "half"), (1.4, "half"), (1.3, "little")]
)
def test_a_worth_is_flattened_by_slips(right, answer):
    cases = {"slips-0.3": found(right), "informed": found(4.0)}
    assert reward_study.flattened(study(**cases)) == answer


@pytest.mark.parametrize(
    ("accuracy", "answer"), [(0.54, "coin"), (0.56, "worse"), (0.66, "worse"), (0.68, "nearly")]
)
def test_few_pairs_are_held_against_all(accuracy, answer):
    cases = {"pairs-250": found(accuracy=accuracy), "informed": found(accuracy=0.72)}
    assert reward_study.from_few(study(**cases)) == answer


@pytest.mark.parametrize(("after", "answer"), [(0.92, "more"), (0.905, "same"), (0.88, "fewer")])
def test_of_many_answers_the_last_point_counts(after, answer):
    grpo = SimpleNamespace(pass_before=np.array([0.3, 0.9]), pass_after=at_end(after))
    assert rlhf_parts.of_many(study(grpo=grpo)) == answer


@pytest.mark.parametrize(
    ("times", "answer"), [(1.2, "same"), (1.3, "twice"), (2.4, "twice"), (2.6, "thrice")]
)
def test_a_raised_score_makes_the_gradient_wobble(times, answer):
    spreads = {"none": np.ones(3), "shifted": over_seeds(times)}
    assert rlhf_parts.wobble(SimpleNamespace(spreads=spreads)) == answer


@pytest.mark.parametrize(
    ("share", "answer"), [(0.03, "few"), (0.34, "half"), (0.65, "half"), (0.68, "most")]
)
def test_what_is_still_refused_is_that_of_the_case_asked_for(share, answer):
    """Behind one word, of things in the examples; and at the end of the lessons in short answers."""
    behind = np.full((3, 2, 5), 0.5)
    behind[:, 0, 1] = share
    attacked = study(shallow=SimpleNamespace(prefill_refused=behind))
    assert safety_attacks.after_one_word(attacked) == answer
    refused = np.full((3, 2, len(GROUPS)), 0.5)
    refused[:, -1, GROUPS.index("forbidden_seen")] = share
    assert safety_later.after_short_answers(study(short=SimpleNamespace(refused=refused))) == answer


@pytest.mark.parametrize(("share", "answer"), [(0.95, "all"), (0.6, "most"), (0.3, "few")])
def test_answers_stop_or_do_not(share, answer):
    assert sft_mistakes.stopping(study(no_end=case(stopped=share))) == answer


@pytest.mark.parametrize(
    ("other", "answer"), [(0.76, "same"), (0.74, "fewer"), (0.28, "fewer"), (0.2, "hardly")]
)
def test_the_other_template_is_held_against_the_one_that_was_trained(other, answer):
    cases = {"right": case(right=0.8), "right-crossed": case(right=other)}
    assert sft_mistakes.crossed(study(**cases)) == answer
