"""The retrieval lab: its four parts, in both languages, at the ends of the knobs, with a stranger's text."""

import pytest

from app import results
from app.charts import retrieval as charts
from app.charts import retrieval_agent as agent_charts
from app.charts import retrieval_answers as answer_charts
from app.i18n import LANGUAGES, Words
from app.labs.frontier import retrieval as screen
from app.labs.frontier import retrieval_agent, retrieval_answer
from labcore.retrieval import answering, finding
from labcore.retrieval.agent import POISONS, AgentConfig
from labcore.retrieval.agent import run as run_agent
from labcore.retrieval.agent_study import AgentStudy
from labcore.retrieval.answering_study import AnsweringStudy
from labcore.retrieval.finding import FindConfig
from labcore.retrieval.finding_study import FindingStudy
from labcore.retrieval.library import Document
from labcore.retrieval.long_study import LongStudy
from tests.app.conftest import checked, press, said

EN = Words("en", "retrieval")
SCRIPT = "<script>alert(1)</script> **bold** $x$ ](javascript:1)"


def recorded(name, kind):
    return results.load(results.RECORDINGS / f"retrieval-{name}.safetensors", kind).result


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    "knobs",
    [
        {},
        {"library": "zh", "study_library": "zh", "top": "10"},
        {"chunk_words": "5", "overlap": "0", "top": "1"},
        {"chunk_words": "120", "overlap": "60"},
        {"library": "own"},
    ],
)
def test_it_finds_at_the_ends_of_the_knobs(open_lab, language, knobs):
    app = checked(open_lab("retrieval", language, **knobs))
    assert not app.warning
    assert len(app.get("plotly_chart")) == 2
    assert len(app.get("echarts_chart")) == (1 if knobs.get("library") == "own" else 2)


def test_the_opening_question_is_found_by_meaning_alone(open_lab):
    """ "How do travellers get across during a storm?": no word of its evidence is in the question."""
    app = checked(open_lab("retrieval"))
    texts = [text.value for text in app.text]
    marked = [text for text in texts if text.endswith("✓")]
    assert "1. The ferry · 2 ✓" in marked
    result = finding.run(FindConfig())
    assert not any(one.chunk in result.answering for one in result.found["bm25"])


def test_torn_evidence_is_said(open_lab):
    app = checked(open_lab("retrieval", chunk_words="5", overlap="0", example_en="2"))
    assert "torn" in said(app)


@pytest.mark.parametrize(
    ("knobs", "says"),
    [
        ({"chunk_words": "10", "overlap": "10"}, "must be smaller than a piece"),
        ({"library": "own", "own": " "}, "empty"),
        ({"library": "own", "question_own": " "}, "empty"),
        ({"example_en": "own", "question_en": "x" * 301}, None),  # cut by the knob
        ({"example_en": "99"}, "link"),
    ],
)
def test_what_cannot_be_searched_is_said_in_a_sentence(open_lab, knobs, says):
    app = checked(open_lab("retrieval", **knobs))
    warnings = " ".join(one.value for one in app.warning)
    assert (says or "") in warnings
    assert bool(warnings) == (says is not None)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("part", ["find", "answer"])
def test_a_script_in_a_document_is_shown_as_it_is_and_never_rendered(open_lab, language, part):
    own = f"{SCRIPT}\n\nsecond {SCRIPT}"
    app = checked(
        open_lab("retrieval", language, part=part, library="own", own=own, question_own=SCRIPT)
    )
    rendered = [
        str(one.value) for kind in ("markdown", "caption", "warning") for one in getattr(app, kind)
    ]
    assert not any("script>" in one or "**bold**" in one for one in rendered)
    if part == "find":
        assert SCRIPT in [one.value for one in app.text]


def test_a_title_is_escaped_where_plotly_reads_tags():
    own = (Document("<a href='javascript:1'>x</a>", "cat"), Document("<b>y</b>", "dog"))
    result = finding.run(FindConfig("cat", "own", own, meaning=False))
    figure = charts.places(result, EN)
    assert "<a" not in figure.spec.to_json()
    assert "<a" in figure.data().iloc[0, 0]  # a table renders nothing


def test_uploads_are_searched_and_bad_ones_refused_in_a_sentence(open_lab):
    app = open_lab("retrieval", library="own", question_own="what about the zebra")
    files = [
        ("../../zebra.txt", b"The zebra is striped.", "text/plain"),
        ("<b>bad</b>.txt", b"\xff\xfe\x00", "text/plain"),
    ]
    app = checked(app.get("file_uploader")[0].set_value(files).run())
    assert "not UTF-8 text" in app.warning[0].value
    assert "<b>" not in app.warning[0].value
    assert any(one.value.startswith("1. zebra.txt") for one in app.text)


@pytest.mark.parametrize(("guess", "right"), [("between", True), ("above", False)])
def test_the_guess_about_the_fusion_is_scored_by_the_recording(open_lab, guess, right):
    assert screen.compared(recorded("finding", FindingStudy)) == "between"
    app = open_lab("retrieval")
    radio = next(radio for radio in app.radio if "fusion" in radio.key)
    app = checked(press(radio.set_value(guess).run(), "retrieval.predict.fusion.lock"))
    assert len(app.success) == right


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("part", ["answer", "long", "agent"])
def test_the_other_parts_open_on_their_recordings(open_lab, language, part):
    app = checked(open_lab("retrieval", language, part=part))
    assert not app.warning
    assert {"en": "recorded", "zh": "实测录制"}[language] in said(app)
    assert len(app.get("echarts_chart")) == {"answer": 1, "long": 1, "agent": 3}[part]


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_answer_shows_its_prompt_its_words_and_where_they_stand(open_lab, language, monkeypatch):
    """The model's words are replaced: any text may come from it, and none of it may be rendered."""
    monkeypatch.setattr(answering, "written", lambda prompt: (f"bus {SCRIPT}", 99, 0.5))
    app = open_lab(
        "retrieval", language, part="answer", planted=SCRIPT, passages="5", method="fused"
    )
    app = checked(press(app, "retrieval.ask"))
    texts = [one.value for one in app.text]
    assert f"bus {SCRIPT}" in texts
    assert any(one.startswith(f"[1] {SCRIPT}\n[2] ") and "\n[6] " in one for one in texts)
    rendered = [str(one.value) for kind in ("markdown", "caption") for one in getattr(app, kind)]
    assert not any("script>" in one for one in rendered)


def test_a_question_goes_both_ways(open_lab, monkeypatch):
    monkeypatch.setattr(answering, "written", lambda prompt: ("1938", len(prompt), 0.5))
    app = open_lab("retrieval", part="long", documents="24", depth="1.0", long_question="0")
    app = checked(press(app, "retrieval.long.ask"))
    assert "place 24 of 24" in said(app)
    table = app.dataframe[1].value
    assert table["Right?"].tolist() == ["✓", "✓"]
    assert table["Prompt tokens"][0] > 5 * table["Prompt tokens"][1]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    "knobs",
    [
        {"kind": "three", "max_steps": "1", "failing": "0.9", "seed": "9999"},
        {"agent": "naive", "failing": "0.9", "max_steps": "16"},
        {"poison": "order", "failing": "0.0"},
        {"poison": "order", "failing": "0.0", "trusted_only": "1"},
    ],
)
def test_the_agent_runs_at_the_ends_of_the_knobs(open_lab, language, knobs):
    app = checked(open_lab("retrieval", language, part="agent", **knobs))
    if knobs.get("trusted_only"):
        assert {"en": "**Right:**", "zh": "**对**"}[language] in said(app)
    elif "poison" in knobs:
        assert {"en": "**Right:**", "zh": "**对**"}[language] not in said(app)


def test_the_charts_say_the_recorded_numbers():
    """Each table holds exactly what the recording holds, in the order of its axes."""
    study = recorded("answering", AnsweringStudy)
    table = answer_charts.accuracy(study, EN).data()
    words = [kind == "words" for kind in study.kinds]
    assert table.iloc[-1, 1] == pytest.approx(study.right["right"][words].mean())
    assert len(answer_charts.costs(study, EN)) == 5
    long = recorded("long", LongStudy)
    assert answer_charts.depth(long, EN).alt.count(":") >= 4
    assert answer_charts.lengths(long, EN).iloc[-1, 1] == round(long.found_tokens)
    agents = recorded("agent", AgentStudy)
    ends = agent_charts.poisoned(agents, EN).data()
    assert ends.iloc[:, 1:].sum(axis=1).tolist() == pytest.approx([1.0] * len(agents.ends))
    finds = recorded("finding", FindingStudy)
    assert len(charts.by_kind(finds, EN).data()) == 12


def test_the_guesses_are_scored_by_the_recordings():
    assert retrieval_answer.verdict(recorded("answering", AnsweringStudy)) in (
        "half",
        "few",
        "most",
    )
    assert retrieval_agent.verdict(recorded("agent", AgentStudy)) == "some"


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_end_and_fate_of_a_trace_has_its_words(language):
    words = Words(language, "retrieval")
    for poison in POISONS:
        trace = run_agent(AgentConfig(agent="naive", failing=0.4, poison=poison, seed=3))
        assert len(agent_charts.steps(trace, words)) == len(trace.steps)
    for end in ("right", "wrong", "no_steps", "unreadable"):
        assert words(f"trace.{end}", answer="1", truth=1, steps=1, fewest=1, repeated=0)
    for fate in ("done", "failed", "refused", "planted"):
        assert words(f"fate.{fate}")
