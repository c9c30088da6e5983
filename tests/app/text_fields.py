"""Every field of the app that takes a stranger's text or file, and the link on which it stands.

`written()` finds the fields in the source; a test holds the table to it, so that none can be forgotten.
"""

import ast
from pathlib import Path

from app.catalog import LABS, ROOT

PLACE = (
    "//e.x"  # an address outside: who reads the text as markdown or HTML fetches it, or links to it
)
HOSTILE = f"![z]({PLACE})<img src={PLACE} onerror=pwned=1><a href={PLACE}>y</a>"

# lab: (knobs of the link, its text knobs). A learner's text reaches the page by the link, or typed.
KNOBS: dict[str, list[tuple[dict[str, str], tuple[str, ...]]]] = {
    "sft": [
        ({}, ("question", "answer")),
        ({"part": "run"}, ("prompt",)),
        ({"part": "real"}, ("real_prompt",)),
    ],
    "hf": [({}, ("question",))],
    "reward": [({"part": "strangers"}, ("answer",))],
    "safety": [({"part": "constitution", "mode": "own", "own_principle": "own"}, ("own_question", "rule"))],
    "guard": [({"example": "own"}, ("message", "fetched", "answer"))],
    "reasoning": [
        ({"part": "votes"}, ("question",)),
        ({"part": "search"}, ("numbers",)),
        ({"part": "search", "look": "path", "layout": "own"}, ("map",)),
    ],
    "retrieval": [
        ({"example_en": "own"}, ("question_en",)),
        ({"library": "zh", "example_zh": "own"}, ("question_zh",)),
        ({"library": "own"}, ("question_own", "own")),
        ({"part": "answer", "example_en": "own"}, ("question_en", "planted")),
    ],
    "tools": [({}, ("request", "schema")), ({"part": "count"}, ("own_call",))],
    "board": [({}, ("wishes",))],
    "decoding": [
        ({}, ("opening",)),
        ({"part": "constrained", "grammar": "own"}, ("own_opening", "own_pattern")),
    ],
    "flash": [
        ({}, ("text",)),
        ({"source": "own"}, ("own",)),
        ({"part": "exact"}, ("text",)),
    ],
    "kv_cache": [({}, ("text",))],
    "production": [({"part": "capacity"}, ("price",))],
    "data": [
        ({"source": "own"}, ("own_text",)),
        ({"stage": "normalise", "source": "own", "own_text": HOSTILE}, ()),
        ({"stage": "filter", "source": "own", "own_text": HOSTILE}, ("blocked",)),
        (
            {"stage": "contamination", "source": "own", "own_text": HOSTILE, "evaluation": "own"},
            ("own_test",),
        ),
        ({"stage": "tokenise", "source": "own", "own_text": HOSTILE}, ("text",)),
        ({"stage": "pack", "source": "own", "own_text": HOSTILE}, ()),
    ],
    "masked": [({}, ("text",)), ({"part": "fill"}, ("sentence",))],
    "objectives": [
        ({"part": "views"}, ("sentence",)),
        ({"part": "natural"}, ("own",)),
        ({"part": "bytes"}, ("scored",)),
    ],
    "traps": [({}, ("number",)), ({"part": "memory"}, ("pin",))],
    "attention": [
        ({}, ("text",)),
        ({"view": "text"}, ("text",)),
        ({"view": "overview"}, ("text",)),
        ({"view": "rollout"}, ("text",)),
        ({"view": "bertviz"}, ("text",)),
        ({"view": "compare"}, ("text", "text2")),
        ({"model": "world-translator"}, ("text", "target")),
        ({"model": "hub"}, ("model_id",)),
        ({"view": "compare", "with": "model", "model2": "hub"}, ("model2_id",)),
    ],
    "by_hand": [({}, ("tokens",))],
    "dataflow": [
        ({}, ("text",)),
        ({"view": "lens"}, ("text",)),
        ({"view": "credit"}, ("text",)),
        ({"view": "paths"}, ("text",)),
        ({"model": "world-translator"}, ("text", "target")),
        ({"model": "hub"}, ("model_id",)),
    ],
    "families": [
        ({}, ("first", "second")),
        ({"shape": "encoder_decoder"}, ("source", "target")),
        ({"part": "text"}, ("text",)),
        ({"part": "text", "text": "小猫在花园里。"}, ("english",)),
    ],
    "heads": [
        ({}, ("text", "off")),
        ({"model": "world-translator"}, ("text", "target")),
        ({"model": "hub"}, ("model_id",)),
        ({"part": "ranking", "ranked": "hub"}, ("ranked_id",)),
    ],
    "induction": [({"part": "surgery"}, ("text",))],
    "positions": [
        ({"part": "shift"}, ("text",)),
        ({"part": "order"}, ("text",)),
        ({"part": "shift", "who": "model", "model": "hub"}, ("model_id",)),
    ],
    "training": [({"corpus": "own"}, ("own_text",))],
}  # fmt: skip

# Fields whose knob is no plain string in the source: what it can be.
SPELT = {
    ("guard", "name"): ("message", "fetched", "answer"),
    ("families", "name"): ("first", "second", "source", "target"),
    ("retrieval", "f'question_{library}'"): ("question_en", "question_zh"),
}

# Fields outside the labs: file, key of the widget.
ELSEWHERE = {
    ("app/home.py", "f'home.text@{words.language}'"),
    ("app/classroom/screen.py", "'classroom.code'"),
    ("app/classroom/desk.py", "'classroom.link'"),
    ("app/classroom/desk.py", "'classroom.own.text'"),
    ("app/classroom/desk.py", "'classroom.own.choices'"),
    ("app/classroom/desk.py", "'classroom.key'"),
    ("app/labs/inference/production_served.py", "'production.try'"),
    ("app/reference/glossary_page.py", "f'reference.search@{words.language}'"),
    ("app/reference/guide.py", "f'reference.ask@{words.language}'"),
    ("app/reference/reading.py", "f'reference.papers@{words.language}'"),
}


def lab_of(path: Path) -> str | None:
    """The lab of a screen's file: the longest id that its name begins with."""
    return max((lab for lab in LABS if path.stem.startswith(lab)), key=len, default=None)


def calls(*names: str):
    """Every call of a method of one of these names in `app`: (path, call)."""
    for path in sorted((ROOT / "app").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in names
            ):
                yield path, node


def written() -> tuple[set[tuple[str, str]], set[tuple[str, str]]]:
    """({(lab, text knob)}, {(file, key of a text widget outside of the knobs)}), as the source has them."""
    knobs, elsewhere = set(), set()
    for path, call in calls("text_area", "text_input", "chat_input", "data_editor"):
        name = path.relative_to(ROOT).as_posix()
        given = {word.arg: word.value for word in call.keywords}
        if name == "app/controls.py":
            continue  # where a text knob is drawn
        if name == "app/model_picker.py":  # drawn by every lab that lets one pick a model
            knobs |= {(lab, f"{knob}_id") for lab, knob in pickers()}
        elif "key" in given:
            elsewhere.add((name, ast.unparse(given["key"])))
        else:
            lab, spelt = lab_of(path), ast.unparse(call.args[0])
            for knob in SPELT.get((lab, spelt), (spelt.strip("'"),)):
                knobs.add((lab, knob))
    return knobs, elsewhere


def pickers() -> set[tuple[str, str]]:
    """(lab, knob) of every `model_picker.pick(page, default, knob)`."""
    found = set()
    for path, call in calls("pick"):
        if ast.unparse(call.func) == "model_picker.pick":
            knob = call.args[2].value if len(call.args) > 2 else "model"
            found.add((lab_of(path), knob))
    return found


# Where a file can be brought: file of the source and key of the widget -> the link, and an ending it takes.
UPLOADS = {
    ("app/home.py", "'home.import'"): ("/?lang=en", "json"),
    ("app/reference/data_sets.py", "'reference.alpaca.file'"): (
        "/reference?lang=en&section=data&set=alpaca", "json",
    ),
    ("app/classroom/contest.py", "'classroom.upload'"): ("", "safetensors"),  # in a class only
    ("app/model_picker.py", "key"): ("/transformer?lang=en&lab=attention", "safetensors"),
    ("app/labs/alignment/lora_mixing.py", "'lora.upload'"): (
        "/alignment?lang=en&lab=lora&part=mixing", "zip",
    ),
    ("app/labs/alignment/hf_train.py", "'hf.own_rows'"): ("/alignment?lang=en&lab=hf", "json"),
    ("app/labs/alignment/sft_real.py", "'sft.own_data'"): (
        "/alignment?lang=en&lab=sft&part=real&data=own", "json",
    ),
    ("app/labs/frontier/retrieval_knobs.py", "UPLOAD"): (
        "/frontier?lang=en&lab=retrieval&library=own", "txt",
    ),
    ("app/labs/frontier/multimodal_picture.py", "UPLOAD"): (
        "/frontier?lang=en&lab=multimodal&source=brought", "png",
    ),
    ("app/labs/pretraining/clinic_own.py", "'clinic.upload'"): (
        "/pretraining?lang=en&lab=clinic&part=own", "csv",
    ),
    ("app/labs/pretraining/data_knobs.py", "'data.upload.file'"): (
        "/pretraining?lang=en&lab=data&source=own", "txt",
    ),
    ("app/labs/pretraining/monitor_session.py", "'monitor.checkpoint.file'"): (
        "/pretraining?lang=en&lab=monitor", "safetensors",
    ),
}  # fmt: skip


def uploaders() -> set[tuple[str, str]]:
    """(file, key of the widget) of every place where a file can be brought, as the source has them."""
    return {
        (path.relative_to(ROOT).as_posix(), ast.unparse(word.value))
        for path, call in calls("file_uploader")
        for word in call.keywords
        if word.arg == "key"
    }
