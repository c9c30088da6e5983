"""Every config takes what it can use, and refuses the rest by name and in a sentence. Nothing else escapes.

`LLM_LAB_EXAMPLES=2000` tries that many values for each config instead of a few.
"""

import os
from dataclasses import fields
from typing import get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.i18n import LANGUAGES, Words
from labcore.configs import SEED_LIMIT, lab_config
from labcore.errors import LabInputError
from tests.labcore import config_search as search

EXAMPLES = int(os.environ.get("LLM_LAB_EXAMPLES", "6"))
CONFIGS = search.configs()
# What a lab's page calls a field: the knob `knob.sentence` turns `text`.
NAMED_OTHERWISE = {"sentence", "objective", "picture"}


def test_every_config_checks_the_kinds_of_its_fields():
    unchecked = [
        found.name
        for found in CONFIGS
        if getattr(found.cls, "__post_init__", None).__module__ != lab_config.__module__
    ]
    assert len(CONFIGS) > 200  # the walk did find them
    assert unchecked == []


def test_what_stands_by_default_is_accepted():
    for found in CONFIGS:
        search.plain(found.cls)


@pytest.mark.parametrize("found", CONFIGS, ids=lambda found: found.name)
def test_a_config_is_made_or_refused_in_a_sentence(found):
    plain = search.plain(found.cls)
    hints = get_type_hints(found.cls)
    names = [f.name for f in fields(found.cls) if f.init]
    known = set(search.names_of(plain))

    @settings(max_examples=EXAMPLES, deadline=None, derandomize=True, database=None)
    @given(st.data())
    def try_values(data):
        chosen = data.draw(st.lists(st.sampled_from(names), min_size=1, max_size=3, unique=True))
        new = {
            name: data.draw(search.anything(hints[name], getattr(plain, name)), label=name)
            for name in chosen
        }
        try:
            search.changed(plain, new)
        except LabInputError as refused:
            say(refused, known)

    try_values()


def say(refused: LabInputError, known: set[str] | None = None) -> None:
    """The sentence stands in both languages, with every number that it quotes; the field is one that there
    is, or has a name of its own on the page."""
    for language in LANGUAGES:
        words = Words(language)
        assert words(f"error.{refused.rule}", field=refused.field, **refused.facts)
    if known is not None:
        assert refused.field in known | NAMED_OTHERWISE, refused


@lab_config
class Toy:
    steps: int = 1
    rate: float = 0.5
    text: str = ""
    on: bool = True
    pair: tuple[int, int] = (1, 2)
    limit: float | None = None
    seed: int = 0


@pytest.mark.parametrize(
    ("field", "value", "rule"),
    [
        ("steps", None, "whole_number"), ("steps", True, "whole_number"), ("steps", 1.0, "whole_number"),
        ("steps", 2**63, "whole_number"), ("rate", float("nan"), "number"), ("rate", "1", "number"),
        ("pair", (1, 2.0), "list"), ("rate", -float("inf"), "number"), ("text", None, "text"),
        ("on", 1, "yes_or_no"), ("pair", (1,), "list"), ("pair", [1, 2], "list"), ("pair", (1, None), "list"),
        ("limit", "x", "number"), ("seed", -1, "between"), ("seed", SEED_LIMIT + 1, "between"),
    ],
)  # fmt: skip
def test_a_value_of_another_kind_is_refused(field, value, rule):
    with pytest.raises(LabInputError) as refused:
        Toy(**{field: value})
    assert (refused.value.field, refused.value.rule) == (field, rule)
    say(refused.value)


def test_what_python_takes_for_a_number_is_one():
    import numpy as np

    config = Toy(steps=np.int64(3), rate=np.float32(0.5), on=np.bool_(False), limit=2)
    assert config.steps == 3
    assert Toy(rate=1).rate == 1
