"""Knobs: a value survives a change of language, comes from a link, and nonsense never breaks a page."""

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest

from benchmarks.hostile import NUMBERS, TEXTS


def page():
    """A page with one knob of each kind, reporting their values."""
    import streamlit as st

    from app.controls import Controls
    from app.i18n import Words

    class Labels(Words):
        def __call__(self, key, **numbers):
            return f"{self.language}:{key}"

        def find(self, key):
            return None

    st.session_state.setdefault("language", "zh")
    knobs = Controls("toy", Labels(st.session_state["language"]))
    if st.session_state.pop("clicked", False):
        knobs.set("layer", 5)
    kind = knobs.choice("kind", ("rope", "alibi", "none"), "rope")
    style = knobs.choice("style", tuple("abcdefgh"), "a", style="select")
    layer = knobs.slider("layer", 0, 5, 2)
    rate = knobs.slider("rate", 0.0, 1.0, 0.5, 0.1)
    mask = knobs.toggle("mask", True)
    steps = knobs.number("steps", 1, 500, 200)
    text = knobs.text("text", "你好", 100)
    st.session_state["seen"] = (kind, style, layer, rate, mask, steps, text)
    st.session_state["rejected"] = list(knobs.rejected)


DEFAULTS = ("rope", "a", 2, 0.5, True, 200, "你好")


def run(**query: str) -> AppTest:
    app = AppTest.from_function(page)
    for name, value in query.items():
        app.query_params[name] = value
    app.run()
    assert not app.exception
    return app


def seen(app: AppTest) -> tuple:
    assert not app.exception
    return app.session_state["seen"]


def url(app: AppTest) -> dict[str, str]:
    return {k: v if isinstance(v, str) else v[0] for k, v in app.query_params.items()}


def switch(app: AppTest, language: str) -> AppTest:
    app.session_state["language"] = language
    return app.run()


def test_the_first_picture_has_the_defaults_and_a_short_link():
    app = run()
    assert seen(app) == DEFAULTS
    assert url(app) == {}


def test_a_link_sets_every_knob():
    app = run(kind="alibi", style="c", layer="4", rate="0.3", mask="0", steps="17", text="hi <b>")
    assert seen(app) == ("alibi", "c", 4, 0.3, False, 17, "hi <b>")
    assert app.session_state["rejected"] == []


@pytest.mark.parametrize(
    "nonsense",
    [
        {"kind": "🙂"}, {"style": ""}, {"layer": "99"}, {"layer": "nan"}, {"layer": "two"}, {"rate": "inf"},
        {"rate": "nan"}, {"mask": "yes"}, {"steps": "-1"}, {"steps": "1e9"}, {"layer": "9" * 400},
    ],
)  # fmt: skip
def test_nonsense_in_a_link_leaves_the_default_and_is_told(nonsense):
    app = run(**nonsense)
    assert seen(app) == DEFAULTS
    assert app.session_state["rejected"] == list(nonsense)


KNOBS = ("kind", "style", "layer", "rate", "mask", "steps", "text")
EXAMPLES = int(os.environ.get("LLM_LAB_EXAMPLES", "4"))
SAID = st.one_of(
    st.sampled_from([*TEXTS, *map(str, NUMBERS), "1", "0.3", "alibi", "1_0", "０.５", "+3", "3 "]),
    st.text(st.characters(codec="utf-8"), max_size=120),  # what a browser can say
)


@settings(max_examples=EXAMPLES, deadline=None, derandomize=True, database=None)
@given(st.dictionaries(st.sampled_from([*KNOBS, "lock", "hide", "present", "x"]), SAID, max_size=5))
def test_whatever_a_link_says_its_values_are_the_knobs_own_and_go_into_the_next_link(query):
    app = run(**query)
    kind, style, layer, rate, mask, steps, text = seen(app)
    assert kind in ("rope", "alibi", "none")
    assert style in tuple("abcdefgh")
    assert layer in range(6)
    assert 0 <= rate <= 1
    assert mask in (True, False)
    assert steps in range(1, 501)
    assert len(text) <= 100
    assert set(app.session_state["rejected"]) <= query.keys() & set(KNOBS)
    again = run(**url(app))
    assert seen(again) == seen(app)
    assert again.session_state["rejected"] == []


def test_a_choice_survives_a_change_of_language_and_more_runs():
    app = run()
    app.segmented_control[0].set_value("none").run()
    app.selectbox[0].set_value("d").run()
    app.slider[0].set_value(5).run()
    app.toggle[0].set_value(False).run()
    app.number_input[0].set_value(9).run()
    app.text_area[0].set_value("新的").run()
    changed = ("none", "d", 5, 0.5, False, 9, "新的")
    assert seen(app) == changed
    assert seen(switch(app, "en")) == changed
    assert seen(app.run()) == changed
    assert seen(switch(app, "zh").run()) == changed


def test_the_url_follows_the_knobs_and_drops_what_is_default_again():
    app = run()
    app.slider[0].set_value(5).run()
    app.segmented_control[0].set_value("none").run()
    assert url(app) == {"layer": "5", "kind": "none"}
    app.slider[0].set_value(2).run()
    assert url(app) == {"kind": "none"}


def test_a_second_link_in_the_same_session_counts():
    app = run(layer="4")
    app.slider[0].set_value(5).run()
    app.query_params["layer"] = "1"
    app.run()
    assert seen(app)[2] == 1


def test_a_locked_knob_cannot_be_turned_and_a_hidden_one_is_not_shown():
    app = run(lock="layer", hide="kind,mask", layer="3", kind="alibi")
    assert seen(app) == ("alibi", "a", 3, 0.5, True, 200, "你好")
    assert app.slider[0].disabled
    assert not app.slider[1].disabled
    assert not app.segmented_control
    assert not app.toggle


def test_a_long_text_stays_out_of_the_url():
    app = run()
    app.text_area[0].set_value("长" * 5000).run()
    assert len(seen(app)[6]) == 5000
    assert "text" not in app.query_params


@pytest.mark.parametrize(("lock", "layer"), [("", 5), ("layer", 3)])
def test_a_click_in_a_picture_turns_a_knob_unless_it_is_locked(lock, layer):
    app = run(layer="3", lock=lock)
    app.session_state["clicked"] = True
    assert seen(app.run())[2] == layer
    assert seen(app.run())[2] == layer
