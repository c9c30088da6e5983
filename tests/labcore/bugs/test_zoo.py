"""Every bug of the zoo: a healthy patient passes every test, a sick one fails, and no two bugs read alike."""

import sys
from math import log

import numpy as np
import pytest
import torch
from transformers import GPTNeoXConfig, GPTNeoXForCausalLM

from labcore.bugs import asked, counting, inside, short_run, smaller, writing, zoo
from labcore.bugs.by_loops import decoder_logits
from labcore.bugs.case import HEALTHY, Reading
from labcore.compression.rounding import Grid, GridConfig
from labcore.errors import LabInputError
from labcore.model.norms import Norm
from labcore.zoo import load

WARD = pytest.mark.parametrize("ward", zoo.WARDS, ids=lambda ward: ward.id)
BUG = pytest.mark.parametrize("bug", zoo.BUGS, ids=lambda bug: bug.id)
SEEDS = (0, 41)


def signature(ward, bug, seed) -> tuple[str, ...]:
    """What each test of the ward reads."""
    return tuple(
        zoo.examine(zoo.Examination(ward.id, test.id, bug, seed)).verdict for test in ward.tests
    )


def excess(reading: Reading) -> float:
    """How far outside the healthy range a reading lies, in the width that the range allows (or in itself)."""
    outside = max(reading.lowest - reading.measured, reading.measured - reading.highest)
    room = max(reading.highest - reading.lowest, 1e-3)
    return outside / min(room, 0.1)


@WARD
def test_the_tests_of_a_ward_tell_each_of_its_bugs_from_health_and_from_each_other(ward):
    """So a patient can always be named from the evidence, and health as well."""
    for seed in SEEDS:
        read = {id: signature(ward, id, seed) for id in (HEALTHY, *(bug.id for bug in ward.bugs))}
        assert set(read[HEALTHY]) == {"within"}
        assert len(set(read.values())) == len(read)


@BUG
def test_the_test_that_tells_a_bug_is_far_from_its_limit_and_no_test_tells_chance(bug):
    """Far: at least half of what health may vary by; mostly it is thousands of times that."""
    ward = zoo.home_of(bug.id)
    sick, well = (
        zoo.examine(zoo.Examination(ward.id, bug.told_by, id)) for id in (bug.id, HEALTHY)
    )
    assert excess(sick) > 0.5
    assert excess(well) <= 0


@pytest.mark.parametrize("test", short_run.WARD.tests, ids=lambda test: test.id)
def test_whichever_test_comes_first_trains_the_patient(test):
    short_run.trained.cache_clear()
    assert zoo.examine(zoo.Examination("short_run", test.id)).verdict == "within"


@WARD
def test_every_test_tells_something_or_is_there_to_be_blind(ward):
    """A ward may hold a test that is blind to all its bugs, as a control; never more than two of them."""
    read = [signature(ward, bug.id, 0) for bug in ward.bugs]
    blind = [column for column in zip(*read, strict=True) if set(column) == {"within"}]
    assert len(blind) <= 2


def test_examining_the_sick_leaves_the_shared_model_as_it_was():
    """Thirty learners share one process: a patient is a copy, and nothing is patched."""
    model = load(inside.MODEL).model
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    for bug in inside.WARD.bugs:
        zoo.examine(zoo.Examination("inside", bug.told_by, bug.id))
    assert all(torch.equal(weight, before[name]) for name, weight in model.state_dict().items())
    assert not any("forward" in vars(m) for m in model.modules() if isinstance(m, Norm))
    assert not model.training


def test_the_loops_give_what_transformers_gives():
    """The reference of the first ward against GPT-NeoX with the same weights, in 64 bits.

    GPT-NeoX with one residual after the other is our decoder, but for its biases and its q, k and
    v, which it holds in one matrix, head by head.
    """
    config = load(inside.MODEL).model.config
    theirs = GPTNeoXForCausalLM(
        GPTNeoXConfig(
            vocab_size=config.vocab_size, hidden_size=config.hidden_size,
            num_hidden_layers=config.num_layers, num_attention_heads=config.num_heads,
            intermediate_size=config.mlp_size, use_parallel_residual=False, hidden_act="gelu",
            layer_norm_eps=config.norm_eps, attn_implementation="eager",
            rope_parameters={"rope_type": "default", "rope_theta": config.rope_theta,
                             "partial_rotary_factor": 1.0},
        )
    ).double().eval()  # fmt: skip
    ours = {name: torch.from_numpy(w) for name, w in inside.healthy_weights().items()}
    state = {name: torch.zeros_like(weight) for name, weight in theirs.state_dict().items()}
    table = ours["token_embedding.weight"]
    for name in state:
        if state[name].shape == table.shape:  # the embedding and the head
            state[name] = table
    for part in ("weight", "bias"):
        state[f"gpt_neox.final_layer_norm.{part}"] = ours[f"stack.final_norm.{part}"]
    for layer in range(config.num_layers):
        at, to = f"stack.layers.{layer}", f"gpt_neox.layers.{layer}"
        for part in ("weight", "bias"):
            state[f"{to}.input_layernorm.{part}"] = ours[f"{at}.attn_norm.{part}"]
            state[f"{to}.post_attention_layernorm.{part}"] = ours[f"{at}.mlp_norm.{part}"]
        heads = [ours[f"{at}.attn.{x}.weight"].unflatten(0, (config.num_heads, -1)) for x in "qkv"]
        state[f"{to}.attention.query_key_value.weight"] = torch.cat(heads, dim=1).flatten(0, 1)
        state[f"{to}.attention.dense.weight"] = ours[f"{at}.attn.out.weight"]
        state[f"{to}.mlp.dense_h_to_4h.weight"] = ours[f"{at}.mlp.up.weight"]
        state[f"{to}.mlp.dense_4h_to_h.weight"] = ours[f"{at}.mlp.down.weight"]
    theirs.load_state_dict(state)
    tokens = inside.story(0)
    with torch.no_grad():
        wanted = theirs(torch.tensor([tokens])).logits[0].numpy()
    # Their angles are worked out in 32 bits.
    assert np.abs(decoder_logits(inside.healthy_weights(), config, tokens) - wanted).max() < 1e-4


def test_the_other_layout_leaves_the_first_token_alone_and_is_a_mere_reordering():
    """RoPE turns place 0 by nothing, so its logits agree; later ones do not."""
    gap = inside.gaps(inside.WARD.patient("rope_layout"), seed=0)
    assert gap[0] < 1e-4
    assert gap[5:].min() > 0.1
    weight = torch.arange(16.0)[:, None]
    assert sorted(inside.rows_interleaved(weight, 8)[:, 0].tolist()) == list(range(16))
    assert inside.rows_interleaved(weight, 8)[:4, 0].tolist() == [0, 4, 1, 5]


def test_the_sample_deviation_by_hand():
    """Of 1, 0, 0, 0 torch's LayerNorm makes 1.732, the other 1.5: the numbers of BERT-pytorch's issue 30."""
    x = torch.tensor([1.0, 0, 0, 0])
    norm = inside.norm_by_sample_deviation(x, torch.ones(4), torch.zeros(4), 0.0)
    assert norm.tolist() == pytest.approx([1.5, -0.5, -0.5, -0.5])


def test_the_perfect_reader_holds_a_table_of_probabilities():
    assert asked.table().sum(dim=1).tolist() == pytest.approx([1.0] * asked.SYMBOLS)
    rows = asked.documents(50, seed=3)
    assert all(row[0] == 0 and asked.PAD not in row for row in rows)
    # A document ends after each letter with chance 0.08: 12.5 letters on average, 80 at most.
    assert 8 < np.mean([len(row) for row in rows]) < 20


def test_a_range_without_zero_gives_the_numbers_of_its_thread():
    """nncf, pull request 4074: −22 … −15 at 8 bits is read back as −7 throughout."""
    config = GridConfig(8, symmetric=False)
    block = torch.arange(-22.0, -14.0)[None]
    grid = smaller.range_as_found(torch.tensor([[-22.0]]), torch.tensor([[-15.0]]), config)
    assert Grid.rounded(grid, block)[0].tolist() == pytest.approx([-7.0] * 8, abs=0.01)


def test_with_replacement_gives_the_number_of_its_thread():
    """verl, pull request 7240: one right answer of four, k = 4: 1 − (3/4)⁴ = 0.684 where 1 is certain."""
    assert counting.drawn_with_replacement(4, 1, 4) == pytest.approx(0.684, abs=5e-4)


def test_a_common_word_counts_against_by_hand():
    """“the” stands in five of six documents: ln(1.5 / 5.5)."""
    index = counting.index_with(counting.PARTS, list(counting.DOCUMENTS))
    having = index.having[counting.COMMON]
    expected = log((6 - having + 0.5) / (having + 0.5))
    assert counting.rarity_below_zero(index, counting.COMMON) == pytest.approx(expected)
    assert expected < 0 < index.rarity(counting.COMMON)


def test_keeping_what_is_likelier_by_hand():
    """p = (½, ½), q = (¾, ¼): the first guess is never kept, so the second token always comes out."""
    p, q = torch.tensor([0.5, 0.5]), torch.tensor([0.75, 0.25])
    kept = q * writing.kept_if_likelier(p, q)
    assert kept.tolist() == [0.0, 0.25]


@WARD
def test_the_number_of_a_patient_hides_the_same_for_everybody_and_every_bug_has_patients(ward):
    hidden = [zoo.hidden(ward.id, number) for number in range(1, zoo.LAST_PATIENT + 1)]
    assert hidden == [zoo.hidden(ward.id, number) for number in range(1, zoo.LAST_PATIENT + 1)]
    ids = {HEALTHY, *(bug.id for bug in ward.bugs)}
    assert set(hidden) == ids
    # All alike: of 99 draws among n, each comes 99 / n times, give or take four deviations.
    expected = zoo.LAST_PATIENT / len(ids)
    for id in ids:
        assert abs(hidden.count(id) - expected) < 4 * (expected * (1 - 1 / len(ids))) ** 0.5


def test_names_are_unique_and_each_bug_names_a_thread():
    ids = [bug.id for bug in zoo.BUGS]
    assert len(set(ids)) == len(ids)
    tests = [test.id for ward in zoo.WARDS for test in ward.tests]
    assert len(set(tests)) == len(tests)
    for bug in zoo.BUGS:
        assert bug.threads
        for thread in bug.threads:
            repository, _, number = thread.partition("#")
            assert repository.count("/") == 1
            assert number.isdigit()


@pytest.mark.parametrize(
    ("field", "given"),
    [("ward", "nowhere"), ("test", "nothing"), ("bug", "double_shift")],
)
def test_what_is_not_there_is_refused_by_name(field, given):
    told = {"ward": "inside", "test": "loops", "bug": HEALTHY} | {field: given}
    with pytest.raises(LabInputError) as error:
        zoo.Examination(**told)
    assert error.value.field == field


def test_patients_have_numbers_from_1_to_99():
    for number in (0, 100):
        with pytest.raises(LabInputError) as error:
            zoo.hidden("inside", number)
        assert error.value.rule == "between"


def calls_of(run) -> set:
    """The code of every Python function that ran."""
    seen = set()

    def note(frame, event, _):
        if event == "call":
            seen.add(frame.f_code)

    sys.setprofile(note)
    try:
        run()
    finally:
        sys.setprofile(None)
    return seen


@BUG
def test_the_code_that_is_shown_is_the_code_that_runs(bug):
    """Of the healthy patient the lab's own function, of the sick one what took its place."""
    ward = zoo.home_of(bug.id)
    measure = ward.test(bug.told_by).measure
    healthy = bug.shown or ward.parts[bug.part]
    # Runs that are kept would not run again.
    short_run.trained.cache_clear()
    assert healthy.__code__ in calls_of(lambda: measure(ward.patient(HEALTHY), 0))
    short_run.trained.cache_clear()
    assert bug.broken.__code__ in calls_of(lambda: measure(ward.patient(bug.id), 0))
