"""Data pipeline: raw text walks through eight stages; each says what it kept, what it dropped, and why."""

from collections.abc import Sequence
from dataclasses import fields, is_dataclass

from app.labs.pretraining import data_clean, data_knobs, data_pack, data_twins, data_vocabulary
from app.labs.pretraining.data_knobs import Settings
from app.page import LabPage
from labcore.pretraining import vocabulary
from labcore.text import bpe, cleaning, contamination, dedup, packing

SHOWN = (
    cleaning.normalise,
    cleaning.first_failed,
    dedup.signature,
    dedup.candidate_pairs,
    dedup.candidate_probability,
    contamination.look_up,
    bpe.train,
    vocabulary.spell,
    packing.fit,
    packing.document_mask,
)

VIEWS = {
    "source": data_clean.source,
    "normalise": data_clean.normalise,
    "filter": data_clean.filtering,
    "exact": data_twins.exact,
    "near": data_twins.near,
    "contamination": data_twins.contamination,
    "tokenise": data_vocabulary.draw,
    "pack": data_pack.draw,
}


def experiment(page: LabPage) -> None:
    stage = page.choice("stage", tuple(VIEWS), "source", style="pills", label=numbered(page))
    settings = data_knobs.read(page, stage)
    page.offer_notebook(*notebook(settings))
    VIEWS[stage](page, settings)


def numbered(page: LabPage):
    order = {name: number for number, name in enumerate(VIEWS, start=1)}
    return lambda name: f"{order[name]} {page.text(f'option.stage.{name}')}"


def notebook(settings: Settings) -> Sequence[str]:
    """The same pipeline with labcore alone."""
    return (
        "from labcore.pretraining import pipeline\n"
        "from labcore.pretraining.pipeline import (\n"
        "    ContaminationConfig, FilterConfig, NearConfig, NormaliseConfig,\n"
        "    PipelineConfig, SourceConfig,\n)\n"
        "from labcore.pretraining.training_text import TrainingTextConfig, training_text\n\n"
        f"config = {told(settings.pipeline)}\nresult = pipeline.run(config)",
        "import pandas as pd\n\npd.DataFrame(\n"
        "    [(stage.name, len(stage.entered), len(stage.kept)) for stage in result.stages],\n"
        '    columns=["stage", "entered", "kept"],\n)',
        f"text = training_text(TrainingTextConfig(config, vocab_size={settings.vocabulary.vocab_size}, "
        f"row_tokens={settings.row_tokens}, method={settings.method!r}))\n"
        "print(text.train.tokens.shape, text.held_out.tokens.shape)",
    )


def told(config: object) -> str:
    """A config as the code that makes it, defaults left out."""
    if not is_dataclass(config):
        return repr(config)
    default = type(config)()
    given = [
        f"{field.name}={told(getattr(config, field.name))}"
        for field in fields(config)
        if getattr(config, field.name) != getattr(default, field.name)
    ]
    return f"{type(config).__name__}({', '.join(given)})"
