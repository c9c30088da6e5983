"""The endpoint that a page starts: asked over the wire, gone when it is stopped or dies."""

import pytest

from app.i18n import Words
from app.labs.inference import production_served
from app.served_model import Shelf
from labcore.serving import endpoint_process
from tests.app.conftest import checked, press, said


@pytest.fixture
def shelf():
    made = Shelf()
    yield made
    made.stop()


def test_it_starts_answers_and_stops(shelf):
    assert shelf.now() is None
    shelf.start("world-decoder", "torch-8", 2)
    running = shelf.now()
    heard = endpoint_process.ask(running, "One day, Lily", 8, seed=1)
    assert (heard.error, heard.tokens) == ("", 8)
    assert 0 < heard.first_seconds <= heard.total_seconds
    refused = endpoint_process.ask(running, "x" * 30_000, 8, seed=1)
    assert refused.error == "context_length_exceeded"
    running.process.kill()  # it dies by itself
    running.process.wait()
    assert shelf.now() is None
    gone = endpoint_process.ask(running, "One day, Lily", 8, seed=1)
    assert gone.error


def test_a_model_that_is_not_there_is_said_at_once(shelf):
    with pytest.raises(RuntimeError):
        shelf.start("no-such-model", "fp32", 2)
    assert shelf.now() is None


@pytest.mark.parametrize("language", ["en", "zh"])
def test_from_the_page(open_lab, language):
    app = checked(open_lab("production", language, part="served", form="torch-8"))
    assert len(app.get("echarts_chart")) == 0  # the recording is of fp32
    app = checked(press(app, "production.serve"))
    try:
        assert "OpenAI(base_url" in said(app)
        app.text_input(key="production.try").set_value("<b>One day</b>, $Lily$")
        label = Words(language, "production")("served.ask")
        app = checked(next(one for one in app.button if one.label == label).click().run())
        assert any(
            "<b>One day</b>, $Lily$" in text.value for text in app.text
        )  # as it is, never as HTML
    finally:
        app = checked(press(app, "production.unserve"))
    assert "OpenAI(base_url" not in said(app)


def test_the_lines_to_copy_run(shelf):
    """They are a program: run as they stand, they print an answer."""
    shelf.start("world-decoder", "fp32", 2)
    lines = production_served.client_lines(shelf.now())
    compile(lines, "lines", "exec")
    assert shelf.now().address in lines
