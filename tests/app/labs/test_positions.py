"""The page of "Positional encodings": five parts, both languages, and the shape of what was recorded."""

from itertools import pairwise

import numpy as np
import pytest

from app import results
from app.i18n import LANGUAGES
from labcore.architecture import positions_length, positions_rescue
from labcore.architecture.positions_length import ENCODINGS, LengthResult
from labcore.architecture.positions_rescue import CURES, RescueResult
from tests.app.conftest import checked, elements, press, said

PICTURES = {"shapes": (2, 1), "shift": (3, 1), "order": (1, 1), "length": (0, 2), "rescue": (0, 2)}
UNVEILED = {"shift": {"unveil": "1"}}
QUICK = {"steps": "50", "use_rope": "0", "use_learned": "0"}


def recorded(name, kind):
    return results.load(results.RECORDINGS / f"positions-{name}.safetensors", kind).result


@pytest.fixture(scope="module")
def lengths():
    return recorded("length", LengthResult)


@pytest.fixture(scope="module")
def cures():
    return recorded("rescue", RescueResult)


@pytest.fixture
def short(monkeypatch):
    """Runs that judge two lengths instead of six, and practise on windows that are hardly longer."""
    for module in (positions_length, positions_rescue):
        monkeypatch.setattr(module, "LENGTHS", (64, 96))
    monkeypatch.setattr(positions_rescue, "LONG_LENGTH", 96)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("part", PICTURES)
def test_every_part_draws_its_pictures(open_lab, language, part):
    app = checked(open_lab("positions", language, part=part, **UNVEILED.get(part, {})))
    canvases, curves = PICTURES[part]
    assert len(elements(app, "bidi_component")) == canvases
    assert len(app.get("echarts_chart")) == curves
    assert not app.warning


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_every_encoding_has_its_shape(open_lab, encoding):
    knobs = {"width": "8", "heads": "8", "head": "7", "theta": "500000", "reach": "4096"}
    app = checked(open_lab("positions", part="shapes", encoding=encoding, **knobs))
    learned = encoding in ("learned", "t5")  # training made something of these: one picture more
    assert len(elements(app, "bidi_component")) + len(app.get("echarts_chart")) == 3 + learned
    assert ("recorded" in said(app)) == learned


def test_moving_the_sentence_is_told_in_numbers(open_lab):
    app = checked(open_lab("positions", part="shift", unveil="1", encoding="alibi", offset="4096"))
    assert "does not notice the move by 4096" in said(app)
    app = checked(open_lab("positions", part="shift", unveil="1", encoding="learned", offset="1"))
    assert "notices the move by 1" in said(app)
    app = checked(open_lab("positions", part="shift", who="model", offset="64"))
    assert "**RoPE** does not notice" in said(app)
    assert not app.get("echarts_chart")  # a bar of rounding alone would look like a change


def test_reordering_is_told_reader_by_reader(open_lab):
    text = said(checked(open_lab("positions", part="order", order="reverse", layers="4")))
    assert "**encoder, none**: blind to order" in text
    assert "**decoder, none**: sees the order" in text


@pytest.mark.parametrize("part", ["shift", "order"])
@pytest.mark.parametrize(
    "text", ["", " ", "<b>*x*</b> $x$ {y}", "🙂", "狗咬人。" * 100, "\u202eabc"]
)
def test_any_text_gets_a_picture_or_a_sentence(open_lab, part, text):
    app = checked(open_lab("positions", part=part, text=text, **UNVEILED.get(part, {})))
    assert elements(app, "bidi_component") or len(app.warning) == 1


@pytest.mark.parametrize("knobs", [{"part": "x"}, {"encoding": "x", "offset": "3"}, {"theta": "0"}])
def test_a_broken_link_still_opens(open_lab, knobs):
    app = checked(open_lab("positions", **knobs))
    assert elements(app, "bidi_component")


def test_without_an_encoding_the_page_asks_for_one(open_lab):
    none = {f"use_{encoding}": "0" for encoding in ENCODINGS}
    app = checked(open_lab("positions", part="length", **none))
    assert any("Choose at least one" in box.value for box in app.warning)


def test_a_run_draws_its_curves_and_scores_the_guess(open_lab, short):
    knobs = QUICK | {"use_none": "1"}
    app = open_lab("positions", part="length", **knobs)
    radio = next(radio for radio in app.radio if "predict.far" in radio.key)
    app = press(radio.set_value("none").run(), "positions.predict.far.lock")
    app = checked(press(app, "positions.run"))
    text = said(app)
    assert "measured now" in text
    assert "**ALiBi**:" in text
    assert "**none**:" in text
    assert [box for box in [*app.info, *app.success] if "You predicted none" in box.value]


def test_a_rescue_draws_both_charts(open_lab, short):
    app = open_lab("positions", part="rescue", steps="50", extra_steps="25")
    app = checked(press(app, "positions.run"))
    assert len(app.get("echarts_chart")) == 3
    assert "measured now" in said(app)


def test_what_lies_beyond_waits_for_a_prediction_or_a_word(open_lab):
    """Before: two lengths of the recording; then all six, and RoPE's cures with their second chart."""
    shut = open_lab("positions", part="rescue")
    opened = open_lab("positions", part="rescue", show_all="1")
    assert len(opened.get("echarts_chart")) == len(shut.get("echarts_chart")) + 1


# What was recorded has the shape that the lab tells of.


def seeds_of(result, names, name, length):
    """One value per seed."""
    return result.nats[:, names.index(name), list(result.lengths).index(length)]


def test_every_seed_ranks_the_encodings_alike(lengths):
    """RoPE best where it was trained, worst far outside; bands that do not touch, so no luck."""
    assert sorted(lengths.encodings) == sorted(ENCODINGS)
    assert len(lengths.seeds) == 3
    order = {64: ("rope", "alibi"), 1024: ("alibi", "none", "t5", "sinusoidal", "learned", "rope")}
    for length, names in order.items():
        values = [seeds_of(lengths, lengths.encodings, name, length) for name in names]
        for better, worse in pairwise(values):
            assert better.max() < worse.min()
    others = [name for name in ENCODINGS if name not in ("rope", "alibi")]
    for name in others:
        near = seeds_of(lengths, lengths.encodings, name, 64)
        assert near.min() > seeds_of(lengths, lengths.encodings, "alibi", 64).max()


def test_alibi_is_flat_and_rope_breaks(lengths):
    def climb(name):
        far, near = (seeds_of(lengths, lengths.encodings, name, length) for length in (1024, 64))
        return far - near

    assert np.abs(climb("alibi")).max() < 0.15
    assert climb("rope").min() > 3
    assert climb("none").max() < 0.6  # drifts, since its sums run over more words than ever
    assert climb("learned").min() > 2


def test_nobody_goes_below_the_floor(lengths, cures):
    for nats in (lengths.nats, cures.nats, cures.tuned_nats):
        assert nats.min() > lengths.floor_nats == cures.floor_nats


def test_trained_rows_are_near_their_neighbours_and_untrained_ones_are_not(lengths):
    neighbours = np.diag(positions_length.similarity(lengths.learned_rows), 1)
    assert neighbours[:63].mean() > 0.3
    assert abs(neighbours[64:].mean()) < 0.1


def test_stretched_angles_help_without_training_and_more_with_a_little(cures):
    """Eight times the trained length: only YaRN helps much. Linear alone blurs neighbours: worse than
    nothing near by. Some steps on 256 letters, and YaRN and NTK read 256 as well as 64."""
    assert cures.cures == list(CURES)
    names = cures.cures
    far = {name: seeds_of(cures, names, name, 512) for name in names}
    assert far["yarn"].max() < far["none"].min() - 1
    near = {name: seeds_of(cures, names, name, 128) for name in names}
    assert near["linear"].min() > near["none"].max() + 1
    tuned = {
        name: cures.tuned_nats[:, names.index(name), list(cures.lengths).index(256)]
        for name in names
    }
    for name in ("yarn", "ntk"):
        assert tuned[name].max() < tuned["none"].min()
        assert tuned[name].max() < seeds_of(cures, names, name, 64).max() + 0.1
    assert tuned["linear"].min() > tuned["none"].max()


def test_both_recordings_hold_the_same_rope(lengths, cures):
    """The rescue trains RoPE as the comparison does: the untouched model is the same model."""
    rope = lengths.nats[:, lengths.encodings.index("rope")]
    assert cures.nats[:, cures.cures.index("none")] == pytest.approx(rope, rel=1e-3)


def test_the_recorded_run_begins_as_a_run_of_today_does(lengths, monkeypatch):
    """The same seed gives the same first losses; kernels of other machines may differ in the last digits."""
    monkeypatch.setattr(positions_length, "LENGTHS", (64,))
    events = []
    run = positions_length.compare(positions_length.RECORDED)
    for event, _ in zip(run, range(4), strict=False):
        events.append(event.loss_nats)
    assert positions_length.RECORDED.encodings[0] == lengths.encodings[0]
    assert events == pytest.approx(lengths.train_nats[0, 0, :4], rel=1e-3)
