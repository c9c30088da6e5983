"""The limits of SECURITY.md's table, at the limit and just over it.

At the limit a thing is taken, or refused for another reason than its size; just over it the refusal is a
sentence in both languages.
"""

import json
import re
from pathlib import Path

import pytest

from app import jobs
from app.classroom import subjects, tables
from app.controls import URL_TEXT_LIMIT
from app.course import progress
from app.i18n import LANGUAGES, Words
from app.jobs import JobManager
from labcore.errors import LabInputError
from labcore.frontier import calculator, calling, schema_grammar
from labcore.guard import pipeline
from labcore.pretraining import sources
from labcore.retrieval import own_documents
from labcore.retrieval.library import Document
from labcore.serving import regular, speculating
from labcore.training import checkpoints, log_files, resume
from labcore.tuning import hf_run, instructions, peft_reading
from labcore.vision import own_picture
from labcore.zoo import chat_template, hub, own
from tests.app.toy_runs import Steps, squares

ROOT = Path(__file__).resolve().parents[1]
MIB = 2**20


def row_of(number: int) -> str:
    return json.dumps({"instruction": "a", "output": str(number)})


def nested(depth: int) -> str:
    """A schema of arrays within arrays."""
    schema: dict = {"type": "integer"}
    for _ in range(depth):
        schema = {"type": "array", "items": schema, "maxItems": 1}
    return json.dumps(schema)


# what: (limit, what takes a thing of a size, rule of the refusal over the limit)
LIMITS = {
    "a learner's model": (
        checkpoints.UPLOAD_LIMIT_BYTES, lambda n: own.adopt(bytes(n)), "at_most_bytes",
    ),
    "a run put aside": (resume.LIMIT_BYTES, lambda n: resume.read(bytes(n)), "at_most_bytes"),
    "an adapter": (
        peft_reading.LIMIT_BYTES, lambda n: peft_reading.with_adapter(bytes(n)), "at_most_bytes",
    ),
    "instructions": (
        instructions.MOST_BYTES, lambda n: instructions.read(b"[" + b" " * (n - 2) + b"]"), "at_most_bytes",
    ),
    "a log": (log_files.LIMIT_BYTES, lambda n: log_files.read_table(bytes(n)), "at_most_bytes"),
    "rows of a log": (
        log_files.LIMIT_ROWS, lambda n: log_files.read_table(b"loss\n" + b"1\n" * n), "log_size",
    ),
    "columns of a log": (
        log_files.LIMIT_COLUMNS,
        lambda n: log_files.read_table(json.dumps([{f"c{i}": 1 for i in range(n)}]).encode()),
        "log_size",
    ),
    "a picture": (
        own_picture.MOST_BYTES, lambda n: own_picture.read_picture(bytes(n)), "picture_bytes",
    ),
    "pixels of a picture": (
        own_picture.MOST_PIXELS, lambda n: own_picture.check_size(n // 4000, 4000), "picture_pixels",
    ),
    "a document": (
        own_documents.MOST_BYTES, lambda n: own_documents.read_file("a.txt", b"a" * n), "too_many_bytes",
    ),
    "documents": (
        own_documents.MOST_DOCUMENTS,
        lambda n: own_documents.checked([Document("a", "b")] * n),
        "at_most_documents",
    ),
    "all documents": (
        own_documents.MOST_CHARACTERS,
        lambda n: own_documents.checked([Document("a", "b" * n)]),
        "at_most_characters",
    ),
    "text for the data lab": (
        sources.OWN_TEXT_LIMIT, lambda n: sources.SourceConfig("own", own=("a" * n,)), "at_most",
    ),
    "rows for the trainer": (
        hf_run.OWN_ROWS_LIMIT, lambda n: hf_run.HFConfig(own_rows="a" * n), "at_most_bytes",
    ),
    "a question to the trainer": (
        hf_run.MOST_CHARACTERS, lambda n: hf_run.HFConfig(questions=("a" * n,)), "at_most",
    ),
    "a request to the tools": (
        calling.MOST_REQUEST, lambda n: calling.CallingConfig(request="a" * n), "at_most",
    ),
    "a schema": (
        schema_grammar.MOST_SCHEMA,
        lambda n: schema_grammar.schema_from('{"type":"integer"}'.ljust(n)),
        "schema_size",
    ),
    "depth of a schema": (
        schema_grammar.MOST_DEPTH, lambda n: schema_grammar.pattern_of(json.loads(nested(n))), "schema_depth",
    ),
    "a pattern": (regular.MOST_CHARACTERS, lambda n: regular.Automaton("a" * n), "pattern_size"),
    "digits of a sum": (
        calculator.MOST_DIGITS, lambda n: calculator.calculate("9" * n), "within_digits",
    ),
    "texts of the guard": (
        pipeline.MOST_SIGNS, lambda n: pipeline.WalkConfig(message="a" * n), "at_most_characters",
    ),
    "progress": (
        progress.MOST_BYTES,
        lambda n: progress.from_file(progress.to_file({"a/opened": 1}).ljust(n)),
        "progress_file",
    ),
    "marks of progress": (
        progress.MOST_MARKS, lambda n: progress.valid({f"a/{i}": 1 for i in range(n)}), "progress_file",
    ),
    "a poll's question": (
        subjects.QUESTION_LIMIT, lambda n: subjects.own("a" * n, "b\nc"), "at_most_characters",
    ),
    "a poll's choice": (
        subjects.CHOICE_LIMIT, lambda n: subjects.own("a", f"b\n{'c' * n}"), "at_most_characters",
    ),
    "a poll's choices": (
        subjects.MOST_CHOICES, lambda n: subjects.own("a", "b\n" * n), "choices_between",
    ),
}  # fmt: skip


def refusal(take, size: int) -> LabInputError | None:
    try:
        take(size)
    except LabInputError as error:
        return error
    return None


def sentences(error: LabInputError) -> list[str]:
    """What a learner reads, in both languages."""
    return [
        Words(language, lab)(f"error.{error.rule}", field="…", **error.facts)
        for language in LANGUAGES
        for lab in ("classroom" if error.rule == "choices_between" else "common",)
    ]


@pytest.mark.parametrize("what", LIMITS)
def test_a_thing_of_the_limit_is_taken_and_one_more_is_refused_in_a_sentence(what):
    limit, take, rule = LIMITS[what]
    step = 4000 if what == "pixels of a picture" else 1
    at = refusal(take, limit)
    assert at is None or at.rule != rule
    over = refusal(take, limit + step)
    assert over is not None
    assert over.rule == rule
    assert all(len(sentence) > 8 and "{" not in sentence for sentence in sentences(over))


def test_rows_of_instructions_over_the_limit_are_left_out():
    rows = "\n".join(map(row_of, range(instructions.MOST_ROWS + 1)))
    assert len(instructions.read(rows.encode())) == instructions.MOST_ROWS


def test_an_opening_that_leaves_no_room_for_a_story_is_refused_and_one_that_does_is_told():
    """The limit is the model's: opening and story share its positions. A rare letter takes three."""
    room = speculating.load(speculating.TARGET).model.config.max_positions
    config = speculating.SpeculatingConfig
    longest = (room - 2 - config().max_new_tokens) // 3  # before it: a beginning, and a language
    assert speculating.run(config(opening="龘" * longest)).written
    over = refusal(lambda n: speculating.run(config(opening="龘" * n)), longest + 1)
    assert over.rule == "max_positions"
    assert all(str(room) in sentence for sentence in sentences(over))


def test_the_queue_takes_so_many_runs_and_no_more(monkeypatch):
    """Nothing is started: a manager whose thread never comes, and whose queue only fills."""
    queue = JobManager()
    monkeypatch.setattr(queue, "warm_up", lambda: None)
    monkeypatch.setattr(jobs, "MOST_WAITING", 3)
    waiting = [queue.submit(squares, Steps(number), watcher="me") for number in range(1, 4)]
    with pytest.raises(LabInputError) as caught:
        queue.submit(squares, Steps(4), watcher="me")
    assert caught.value.rule == "queue_full"
    assert all("3" in sentence for sentence in sentences(caught.value))
    assert (
        queue.submit(squares, Steps(2), watcher="you") is waiting[1]
    )  # to watch what waits is free


def test_the_table_of_limits_says_what_the_code_holds():
    """Each limit of SECURITY.md's table, by its number."""
    told = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    table = told[told.index("## Limits") :]
    for name, value in {
        "MAX_UPLOAD": 20, "UPLOAD": checkpoints.UPLOAD_LIMIT_BYTES // MIB, "RUN": resume.LIMIT_BYTES // MIB,
        "ADAPTER": peft_reading.LIMIT_BYTES // MIB, "LOG": log_files.LIMIT_BYTES // MIB,
    }.items():  # fmt: skip
        assert f"{value} MiB" in table or f"{value} MB" in table, name
    for value in (
        log_files.LIMIT_ROWS, log_files.LIMIT_COLUMNS, instructions.MOST_ROWS, instructions.MOST_BYTES,
        own_picture.MOST_PIXELS, own_documents.MOST_BYTES, own_documents.MOST_CHARACTERS,
        own_documents.MOST_DOCUMENTS, sources.OWN_TEXT_LIMIT, hub.SIZE_LIMIT_BYTES, URL_TEXT_LIMIT,
        hub.DESCRIBED_LIMITS["decoder_layers"], jobs.MOST_WAITING, jobs.UNWATCHED_SECONDS,
        tables.MOST_CLASSES,
        tables.MOST_LEARNERS, tables.MOST_POLLS, tables.QUERY_BYTES, tables.SUBJECT_BYTES,
        schema_grammar.MOST_SCHEMA, regular.MOST_CHARACTERS, regular.MOST_STATES, calculator.MOST_DIGITS,
        progress.MOST_BYTES, progress.MOST_MARKS, chat_template.MOST_CHARACTERS,
    ):  # fmt: skip
        assert re.search(rf"(?<![\d,]){int(value):,}(?![\d,])", table), value
