"""Tool use: a call under a schema, calls counted, a model that learns to call, the loop around it."""

import json

import streamlit as st

from app.charts import tools as charts
from app.job import JobView
from app.labs.frontier import tools_learn, tools_loop
from app.page import LabPage
from app.provenance import MEASURED, Provenance
from labcore.errors import LabInputError
from labcore.frontier import calling, learn_to_call, schema_grammar, tool_loop, toolbox
from labcore.frontier import calling as lab
from labcore.frontier.calling import CallingConfig, CallingResult
from labcore.frontier.calling_study import CallStudy
from labcore.frontier.schema_grammar import MOST_SCHEMA

SHOWN = (
    toolbox.call, schema_grammar.pattern_of, schema_grammar._object, calling.may_come,
    learn_to_call.response, learn_to_call.run_call, tool_loop.loop, tool_loop.carry_out,
)  # fmt: skip

PARTS = ("schema", "count", "learn", "loop")
TEMPERATURES = ("0", "0.5", "1.0")
SAMPLES = {
    "weather": calling.EXAMPLE_SCHEMA,
    "event": {
        "type": "object",
        "properties": {
            "title": {"type": "string", "minLength": 2, "maxLength": 30},
            "hour": {"type": "integer", "minimum": 0, "maximum": 23},
            "guests": {
                "type": "array",
                "items": {"type": "string", "maxLength": 12},
                "maxItems": 3,
            },
        },
        "required": ["title", "hour"],
    },
    "planet": toolbox.TOOLS["look_up"].schema,
}
OWN_CALL = '{"name": "convert", "arguments": {"amount": 26.2, "source": "mile", "target": "km"}}'
REQUESTS = {  # in English: SmolLM2 has hardly read anything else
    "weather": CallingConfig().request,
    "event": "Put lunch with Ann and Bob into my calendar, at one o'clock.",
    "planet": "How many moons does Jupiter have?",
}


def experiment(page: LabPage) -> None:
    part = page.choice("part", PARTS, PARTS[0])
    page.caption(f"part.{part}")
    {
        "schema": under_schema, "count": counted, "learn": tools_learn.experiment,
        "loop": tools_loop.experiment,
    }[part](page)  # fmt: skip


def under_schema(page: LabPage) -> None:
    sample = page.choice("sample", tuple(SAMPLES), "weather", style="pills")
    request = page.text_area("request", REQUESTS[sample], lab.MOST_REQUEST)
    text = page.text_area("schema", json.dumps(SAMPLES[sample], indent=1), MOST_SCHEMA)
    left, right = st.columns(2)
    with left:
        heat = float(page.choice("temperature", TEMPERATURES, "0", label=str))
    with right:
        seed = page.number("seed", 0, 9999, 0)
    try:
        schema = schema_grammar.schema_from(text)
        schema_grammar.automaton_of(schema)  # refused by name before anything runs
        config = CallingConfig(request, json.dumps(schema), heat, seed=seed)
    except LabInputError as error:
        page.error(error)
        return
    opens = CallingConfig(REQUESTS["weather"], json.dumps(SAMPLES["weather"]))
    page.job(lab.write, config, lambda view: draw(page, view, config == opens))
    page.offer_notebook(
        "import json\n\nfrom labcore.frontier import calling as lab\n\n"
        f"schema = json.loads({json.dumps(schema)!r})\n"
        f"result = lab.run(lab.CallingConfig({request!r}, json.dumps(schema), {heat}, seed={seed}))",
        "print(result.constrained.text, '|', result.constrained.problem or 'valid')\n"
        "print(result.free.text, '|', result.free.problem or 'valid')",
    )


def draw(page: LabPage, view: JobView | None, opens: bool) -> None:
    if view is None and opens:
        kept = page.recording("call", CallingResult)
        page.caption("job.recorded")
        outcome(page, kept.result, kept.provenance)
    elif view is None:
        page.caption("press_run")
    elif view.result is not None:
        outcome(page, view.result, MEASURED)
    elif view.events:
        st.text(view.events[-1])


def outcome(page: LabPage, result: CallingResult, source: Provenance) -> None:
    for way, written in (("schema", result.constrained), ("free", result.free)):
        st.markdown(f"**{page.text(f'way.{way}')}**")
        st.code(written.text, language=None, wrap_lines=True)
        if written.problem:
            st.caption(page.text("verdict.wrong"))
            st.text(written.problem)
        else:
            st.caption(page.text("verdict.valid"))
    if result.constrained.places:
        page.figure(charts.places(result.constrained, page.text), source, "places")


def counted(page: LabPage) -> None:
    guess = page.predict("right", options=("few", "half", "most"))
    kept = page.recording("count", CallStudy)
    study = kept.result
    counts = {way: study.scores[way] for way in ("free", "schema")}
    if guess is not None or page.toggle("unveil", False):
        st.markdown(
            page.text(
                "count.outcome", count=len(study.requests),
                **{f"{way}_{name}": int(counts[way][name].sum())
                   for way in counts for name in ("valid", "tool", "result")},
            )
        )  # fmt: skip
        page.reveal(guess, verdict(study))
        page.figure(charts.scores(study, page.text), kept.provenance, "scores")
        with st.expander(page.text("count.all"), key="tools-count"):
            st.dataframe(charts.score_table(study, page.text), hide_index=True)
    page.caption("count.tools")
    st.dataframe(
        [{page.text("column.tool"): tool.name, page.text("column.does"): page.text(f"tool.{tool.name}"),
          page.text("column.schema"): json.dumps(tool.schema["properties"])}
         for tool in toolbox.TOOLS.values()],
        hide_index=True,
    )  # fmt: skip
    try_a_call(page)
    page.offer_notebook(
        "from labcore.frontier import toolbox\n\n"
        'print(toolbox.call("convert", {"amount": 26.2, "source": "mile", "target": "km"}))',
        'print(toolbox.read_call(\'{"name": "calculate", "arguments": {"expression": "6*7"}}\'))',
    )


def try_a_call(page: LabPage) -> None:
    """A call of the learner's own, carried out or refused as a model's would be."""
    written = page.text_area("own_call", OWN_CALL, lab.MOST_REQUEST)
    try:
        name, arguments = toolbox.read_call(written)
        result = toolbox.call(name, arguments)
    except LabInputError as error:
        page.error(error)
        return
    st.caption(page.text("own.result"))
    st.code(result, language=None, wrap_lines=True)


def verdict(study: CallStudy) -> str:
    share = float(study.scores["schema"]["result"].mean())
    return "few" if share < 1 / 3 else "half" if share < 2 / 3 else "most"
