"""The presenter view of a lab: the whole lesson on one page, for the browser to show slide by slide."""

import json

import pytest

from app.catalog import LABS
from app.chapter import source
from app.i18n import LANGUAGES, Words
from tests.app.conftest import checked, elements, press


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_facet_and_every_function_is_on_the_page(open_lab, language):
    app = checked(open_lab("heads", language, present="1"))
    shown = {element.value for element in app.markdown}
    for facet in ("principle", "derivation", "practice"):
        alone = {element.value for element in open_lab("heads", language, facet=facet).markdown}
        assert alone <= shown
    code = [block.value.strip() for block in app.code]
    assert all(source(function).strip() in code for function in LABS["heads"].module().SHOWN)
    assert f"heads.facet@{language}" not in [group.key for group in app.button_group]


def test_the_bar_is_told_the_slides_in_the_order_of_the_lesson(open_lab):
    app = checked(open_lab("heads", "zh", present="1"))
    (bar,) = [
        element.proto for element in elements(app, "bidi_component")
        if element.proto.component_name.endswith("presenter")
    ]  # fmt: skip
    told = json.loads(bar.json)
    names = [name for name, _ in told["slides"]]
    functions = [f"present-code-{n}" for n in range(1, 1 + len(LABS["heads"].module().SHOWN))]
    assert names == [
        "present-principle", "present-experiment", "present-derivation", *functions, "present-practice",
    ]  # fmt: skip
    assert told["title"] == Words("zh")("lab.heads")


def test_the_way_in_is_a_button_and_a_link_carries_it(open_lab):
    app = press(checked(open_lab("heads")), "present.heads")
    assert app.query_params["present"] in ("1", ["1"])
    app.session_state["heads.link.popover"] = True  # the link is sent once its popover is open
    link = next(block.value for block in checked(app.run()).code if "lab=heads" in block.value)
    assert "present=1" in link


@pytest.mark.parametrize("value", ["", "0", "yes", "<b>", "11"])
def test_any_other_value_shows_the_page_as_it_is(open_lab, value):
    app = checked(open_lab("heads", present=value))
    assert "present.heads" in [button.key for button in app.button]
    assert "heads.facet@en" in [group.key for group in app.button_group]
