"""What a config lets pass, runs: each function that asks for a config alone, with small values in its fields.

It gives numbers that are finite, unless the field that holds them says otherwise, or refuses the config in a
sentence. Of a run in steps the first two are taken. `LLM_LAB_EXAMPLES=2000` tries that many configs for each
function instead of a few, and for the slow ones as well.
"""

import inspect
import itertools
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings

from labcore.architecture.families_alignment import StudyConfig as AlignmentStudy
from labcore.architecture.head_probes import QueryKeyConfig
from labcore.compression.levels import LevelsConfig
from labcore.distributed.parallel_config import ParallelConfig
from labcore.distributed.planner import PlannerConfig
from labcore.errors import LabInputError
from labcore.foundations import bayes
from labcore.model.generation import distributions, next_token_probs
from labcore.pretraining.packing_study import tokenizer_of
from labcore.scaling.budget import BillConfig
from labcore.scaling.law import FitConfig
from labcore.scaling.sweep import SweepConfig
from labcore.serving.capacity import CapacityConfig
from labcore.serving.deployment import onnx
from labcore.serving.exactness import Exactness
from labcore.serving.queueing import QueueConfig
from labcore.serving.request_trace import TraceConfig, draw_trace
from labcore.tuning.methods import Method
from labcore.tuning.peft_files import peft_config
from labcore.tuning.sft import tuned
from labcore.tuning.sft_ask import AskConfig
from tests.labcore import config_search as search
from tests.labcore.test_configs import say

EXAMPLES = int(os.environ.get("LLM_LAB_EXAMPLES", "0"))
FIRST = 2
WILD = 1_000  # times the default: a run at such a learning rate may end in NaN
# Over half a second with the smallest config that its lab takes: with LLM_LAB_EXAMPLES alone.
SLOW = {
    "architecture.cross_alignment.finished", "architecture.families_tasks.measure",
    "architecture.head_variants.run_timed", "architecture.positions_length.compare",
    "architecture.positions_rescue.rescue", "bugs.zoo.examine", "compression.board.measure",
    "compression.board.measure_field", "compression.distil_run.distil", "compression.outliers.compare",
    "compression.quantise_model.quantise", "compression.quantise_sensitivity.alone",
    "compression.quantise_sensitivity.measure", "compression.repair.repair", "compression.repair.to_repair",
    "compression.structured.prune_units", "compression.unstructured.run",
    "distributed.parallel_run.compare", "distributed.parallel_study.run",
    "distributed.real_pipeline.time_it", "distributed.recovery.recover", "foundations.spectrum.judge",
    "foundations.spectrum.run", "frontier.calling.write", "frontier.learn_to_call.learn",
    "guard.injection.learn", "guard.marked_text.mark_texts", "guard.study.learn_guards",
    "guard.study.several", "pretraining.accumulation_runs.study", "pretraining.document_leak.run",
    "pretraining.fault_study.run", "pretraining.masked_study.one_rate",
    "pretraining.masked_train.train_model", "pretraining.memorisation.memorise",
    "pretraining.memorisation.study", "pretraining.mystery.mystery",
    "pretraining.objective_world.train_objectives", "pretraining.pipeline.run",
    "pretraining.pipeline.sweep_grams", "pretraining.precision_runs.train_in", "retrieval.answering.run",
    "retrieval.finding.run", "retrieval.long_context.run", "scaling.law.landings", "scaling.sweep.extend",
    "scaling.sweep.sweep", "serving.batch_speed.measure", "serving.exactness.compare",
    "serving.exactness_study.study", "serving.load_test.measure", "serving.machine_roof.measure",
    "serving.page_server.run", "serving.speculating_speed.measure", "serving.tile_backward.run",
    "tuning.best_of_n.run", "tuning.constitution.critique", "tuning.dpo.align", "tuning.hf_beside.compare",
    "tuning.hf_run.fine_tune", "tuning.hf_study.run_weigh", "tuning.hf_study.weigh",
    "tuning.later_tuning.drift", "tuning.lora_mechanics.merging", "tuning.lora_mechanics.starts",
    "tuning.refusal.align", "tuning.reward.train", "tuning.reward_study.case", "tuning.rlhf.align",
    "tuning.sft.tune", "tuning.sft_ask.run", "tuning.sft_smollm2.ask", "tuning.sft_smollm2.tune_real",
    "tuning.tune.trained", "tuning.tune.tune", "vision.pair_training.learn", "vision.reader_training.learn",
}  # fmt: skip


def runs() -> dict[str, tuple[type, Callable]]:
    """By name, a config and a function of it."""
    found = {}
    for config in search.configs():
        for function in config.functions:
            name = f"{function.__module__.removeprefix('labcore.')}.{function.__name__}"
            found[name] = config.cls, function
    return found


def is_drained(name: str) -> bool:
    """Whether the lab's `run` takes all that a function beside it yields, whose beginning is tried."""
    beside = name.rpartition(".")[0]
    return name == f"{beside}.run" and any(
        inspect.isgeneratorfunction(function)
        for other, (_, function) in RUNS.items()
        if other.rpartition(".")[0] == beside
    )


RUNS = runs()
TRIED = [name for name in RUNS if EXAMPLES or not (name in SLOW or is_drained(name))]


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("name", TRIED)
def test_a_config_that_is_taken_runs_to_finite_numbers_or_is_refused(name):
    cls, function = RUNS[name]
    plain = search.plain(cls)

    @settings(max_examples=EXAMPLES or 2, deadline=None, derandomize=True, database=None)
    @given(search.small_config(plain))
    def try_config(config):
        try:
            told = ran(function, config)
        except LabInputError as refused:
            say(refused)
        else:
            assert is_wild(config, plain) or set(unexplained(told, (function,))) == set()

    try_config()


def test_most_are_tried():
    assert RUNS.keys() >= SLOW
    assert len(TRIED) > 180


ESCAPED = {
    "KeyError": lambda: QueryKeyConfig("world-decoder", (5,), kind="x"),
    "OverflowError": lambda: SweepConfig(gigaflops=(1e300,)),
    "RuntimeError": lambda: LevelsConfig(scheme="fp4", block_size=54),
    "RuntimeError of a size": lambda: ParallelConfig(hidden_size=2**40),
    "ValueError": lambda: FitConfig((1e4,), (1e5,) * 5, (3.0,) * 5, (0,) * 5),
    "IndexError": lambda: AlignmentStudy(seeds=()),
    "NaN": lambda: FitConfig((-1e4,) * 5, (1e5,) * 5, (3.0,) * 5, (0,) * 5),
    "infinity": lambda: BillConfig(peak_share=1e-308),
    "infinite seconds": lambda: PlannerConfig(link_share=1e-308),
    "ZeroDivisionError": lambda: QueueConfig(load=1e-300),
    "MemoryError": lambda: QueueConfig(places=10**9),
    "KeyError of a preset": lambda: onnx(CapacityConfig("gpt3-175b")),
    "KeyError of a method": lambda: peft_config(Method("full")),
    "KeyError of a template": lambda: AskConfig("Hello", template="x"),
    "SafetensorError": lambda: tuned(b"["),
    "ValueError of a shape": lambda: tokenizer_of(b"abc"),
    "IndexError of merges": lambda: tokenizer_of(b"\xff" * 4),
}


@pytest.mark.parametrize("once", ESCAPED)
def test_what_escaped_once_is_refused(once):
    with pytest.raises(LabInputError) as refused:
        ESCAPED[once]()
    say(refused.value)


def test_what_came_out_as_no_number_is_one():
    """A temperature near 0 is argmax, whole requests a step are a rate, one outcome is no surprise."""
    logits = torch.tensor([1.0, 3.0, 2.0])
    for shares in (distributions, next_token_probs):
        assert shares(logits, 1e-300).tolist() == [0, 1, 0]
    assert draw_trace(TraceConfig(arrivals=1)) == draw_trace(TraceConfig(arrivals=1.0))
    assert Exactness(["…"], np.ones(1), {"plain": np.array([128])}).p_value("plain") == 1
    never = bayes.run(bayes.ScreeningConfig(prevalence=0, false_alarm=1e-300))
    assert never.independent.tolist() == [0] * (bayes.MOST_RESULTS + 1)


def ran(function: Callable, config: Any) -> list:
    """What it gives, or the first things that it yields."""
    given = function(config)
    if not inspect.isgenerator(given):
        return [given]
    try:
        return list(itertools.islice(given, FIRST))
    finally:
        given.close()


def unexplained(given: Any, holder: tuple, seen: set | None = None) -> Iterator[str]:
    """Where a number is infinite or none, and `holder`, who gives it, does not say that it may be."""
    seen = set() if seen is None else seen
    if isinstance(given, float | complex | np.floating | np.ndarray | torch.Tensor):
        if not is_finite(given) and not says_so(*holder):
            yield ".".join(getattr(part, "__qualname__", part) for part in holder)
    elif id(given) not in seen:
        seen.add(id(given))
        if is_dataclass(given) and not isinstance(given, type):
            for f in fields(given):
                yield from unexplained(getattr(given, f.name, None), (type(given), f.name), seen)
        elif isinstance(given, dict | list | tuple | set | frozenset):
            for part in given.values() if isinstance(given, dict) else given:
                yield from unexplained(part, holder, seen)


def is_finite(given: Any) -> bool:
    if isinstance(given, torch.Tensor):
        return bool(torch.isfinite(given.detach()).all())
    return np.asarray(given).dtype.kind not in "fc" or bool(np.isfinite(given).all())


@cache
def says_so(whose: Any, field: str = "") -> bool:
    """Whether a function's docstring, or a class's or its field's comment, tells of NaN or infinity."""
    told = inspect.getdoc(whose) or ""
    if field:
        rows = rf"^    {field}:.*?(?=^    \w+:|^$|\Z)"
        told += "".join(re.findall(rows, inspect.getsource(whose), re.DOTALL | re.MULTILINE))
    return re.search(r"\bnan\b|\binf|∞", told, re.IGNORECASE) is not None


def is_wild(config: Any, plain: Any) -> bool:
    pairs = [(getattr(config, f.name), getattr(plain, f.name)) for f in fields(config)]
    return any(
        isinstance(was, float) and isinstance(now, float | int) and abs(now) > WILD * abs(was)
        for now, was in pairs
    )
