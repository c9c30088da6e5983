"""Shown = executed: the functions whose code a lab shows run when the lab draws its default picture."""

import inspect
import sys
import threading

import pytest
import torch

from app import catalog
from app.chapter import source
from app.results import _cache
from labcore.architecture.build_train_corpus import held_out_of
from labcore.architecture.positions_text import letters
from labcore.compression import judged, levels, outliers
from labcore.pretraining import memorisation, precision_runs
from labcore.pretraining.small_world import floor_nats
from labcore.training.rules import OPTIMISERS
from labcore.tuning import tale_tasks
from tests.app.conftest import press

MOST_LINES = 60  # what fits on a screen and a half


def every_part_of(*parts):
    """Draws these parts of a lab, one after the other."""

    def prepare(app):
        for part in parts:
            app.query_params["part"] = part
            app = app.run()
            assert not app.exception
        return app

    return prepare


def every_part_of_by_hand(app):
    for part in ("scale", "leak"):
        app.query_params["part"] = part
        app = app.run()
        assert not app.exception
    return press(app, "by_hand.run")


def every_part_of_families(app):
    for part, more in (("text", {}), ("tasks", {}), ("alignment", {"whose": "bundled"})):
        app.query_params.update({"part": part, **more})
        app = app.run()
        assert not app.exception
        if part == "tasks":
            app = press(app, "families.run")
    return app


def every_stage_of_data(app):
    for stage in ("near", "contamination", "tokenise", "pack"):
        app.query_params["stage"] = stage
        app = app.run()
        assert not app.exception
        if stage == "tokenise":
            app = press(app, "data.run")
    return app


def every_part_of_positions(app):
    quick = {"steps": "50", "use_rope": "0", "use_learned": "0"}
    for part, more in (("shift", {}), ("order", {}), ("length", quick)):
        app.query_params.update({"part": part, **more})
        app = app.run()
        assert not app.exception
    letters("en")  # told in this thread, where calls are not noted: there are five million
    return press(app, "positions.run")


def every_part_of_lora(app):
    tale_tasks.training_rows("cipher")  # told in this thread, where calls are not noted
    app = press(app, "lora.run")
    for part in ("mechanics", "mixing"):
        app.query_params["part"] = part
        app = app.run()
        assert not app.exception
    return app


def every_part_of_sft(app):
    app.query_params.update({"part": "run", "steps": "50", "taught": "en"})
    return press(app.run(), "sft.run")


def every_part_of_dpo(app):
    app = press(app, "dpo.run")
    app.query_params["part"] = "shape"
    return app.run()


def every_part_of_pruning(app):
    for method in ("wanda", "sparsegpt"):
        app.query_params["method"] = method
        app = app.run()
        assert not app.exception
    for part, knob, value in (
        ("structured", "importance", "slope"), ("repair", "steps", "10"), ("speed", "size", "256"),
    ):  # fmt: skip
        app.query_params.update({"part": part, knob: value})
        app = press(app.run(), "pruning.run")
        assert not app.exception
    return app


def every_part_of_kv_cache(app):
    app = press(app, "kv_cache.run")
    for part, more in (
        ("memory", {}), ("batch", {"size": "small", "cached": "16"}), ("pages", {}),
        ("forgetting", {"reader": "world-decoder"}), ("bits", {"rounded_model": "world-decoder"}),
    ):  # fmt: skip
        app.query_params.update({"part": part, **more})
        app = app.run()
        assert not app.exception
        if part not in ("memory", "pages"):
            app = press(app, "kv_cache.run")
    return app


def every_part_of_decoding(app):
    for more in (
        {"part": "queue"},
        {"part": "constrained", "grammar": "trap"},
        {"part": "exactness"},
        {"look": "draws", "draws": "500"},
    ):
        app.query_params.update(more)
        app = app.run()
        assert not app.exception
    app = press(app, "decoding.run")
    # Ten seconds of timing, in the thread whose calls are noted: a recorded picture will do.
    app.query_params["part"] = "speculative"
    return app.run()


def every_part_of_quantisation(app):
    # Told in this thread, where calls are not noted.
    judged.held_out(), judged.calibrated(0), judged.calibrated(0, levels.STORIES)
    judged.calibration_rows(0, outliers.STORIES)
    app.query_params.update({"part": "levels", "clip": "mse"})
    app = app.run()
    for method in ("gptq", "awq"):
        app.query_params.update({"part": "model", "method": method, "clip": "none"})
        app = press(app.run(), "quantisation.run")
    app.query_params.update({"part": "outliers"})
    return press(app.run(), "quantisation.run")


def every_part_of_rlhf(app):
    app = press(app, "rlhf.run")
    app.query_params["algorithm"] = "ppo"
    app = press(app.run(), "rlhf.run")
    app.query_params["part"] = "estimators"
    return app.run()


def every_part_of_hf(app):
    app = press(app, "hf.run")
    for more in (
        {"part": "beside", "beside_model": "tiny-llama"},
        {"part": "levels", "double": "1"},
    ):
        app.query_params.update(more)
        app = app.run()
        assert not app.exception
        if more["part"] == "beside":
            app = press(app, "hf.run")
    return app


def every_part_of_reward(app):
    app = press(app, "reward.finish")
    app.query_params["part"] = "study"
    app = app.run()
    app.query_params.update({"group": "slips", "unveil": "1"})
    app = app.run()
    app.query_params.update({"part": "train", "kind": "informed"})
    return press(app.run(), "reward.run")


def every_part_of_safety(app):
    app = press(app, "safety.run")
    for part in ("tradeoff", "attacks", "direction"):
        app.query_params["part"] = part
        app = app.run()
        assert not app.exception
    return app


def every_part_of_heads(app):
    for part, more in (("ranking", {"ranked": "world-copier"}), ("sharing", {})):
        app.query_params.update({"part": part, **more})
        app = press(app.run(), "heads.run")
        assert not app.exception
    return app


def every_part_of_monitor(app):
    app.query_params.update({"part": "search", "trials": "2", "trial_steps": "30"})
    app = press(app.run(), "monitor.run")
    for optimiser in OPTIMISERS:
        app.query_params.update({"part": "run", "optimiser": optimiser})
        app = press(app.run(), "monitor.run")
        assert not app.exception
    return press(press(app, "monitor.go_on"), "monitor.run")


def every_part_of_traps(app):
    quick = {  # a link's knob counts only where the part that it opens has it
        "training": {"steps": "10"},
        "accumulation": {"batch_steps": "10"},
        "memory": {"memory_steps": "25"},
        "emergence": {"answer_steps": "10"},
    }
    # Told in this thread, where calls are not noted: there are millions.
    floor_nats(memorisation.build(memorisation.MemoryConfig(), torch.Generator()).held_out)
    precision_runs.text()
    held_out_of("decoder", ("en", "zh"))
    app.query_params["part"] = "numbers"
    app = app.run()
    for part, more in quick.items():
        app.query_params.update({"part": part, **more})
        app = press(app.run(), "traps.run")
        assert not app.exception
    return app


def every_part_of_objectives(app):
    app = press(app, "objectives.run")
    for part in ("views", "natural", "bytes"):
        app.query_params["part"] = part
        app = app.run()
        assert not app.exception
    return app


def every_part_of_clinic(app):
    app.query_params.update({"part": "own"})
    app = app.run()
    assert not app.exception
    return app


def every_part_of_scaling(app):
    for part in ("isoflop", "extrapolate", "sweep"):
        app.query_params["part"] = part
        app = app.run()
        assert not app.exception
    return press(app, "scaling.run")


def every_part_of_budget(app):
    for more in (
        {"look": "counting"},
        {"look": "bill"},
        *({"part": p} for p in ("overtrain", "evolution")),
    ):
        app.query_params.update(more)
        app = app.run()
        assert not app.exception
    app.query_params.update({"part": "experts", "steps": "5", "experts": "4"})
    return press(app.run(), "budget.run")


def every_part_of_distillation(app):
    app.query_params["part"] = "dark"
    app = app.run()
    assert not app.exception
    app.query_params.update({"part": "run", "steps": "20"})
    return press(app.run(), "distillation.run")


def every_part_of_flash(app):
    for part in ("tiles", "backward", "exact"):
        app.query_params["part"] = part
        app = app.run()
        assert not app.exception
    return press(app, "flash.run")


def every_part_of_production(app):
    for part in ("capacity", "plans", "machine"):
        app.query_params["part"] = part
        app = app.run()
        assert not app.exception
    app = press(app, "production.run")
    app.query_params.update({"part": "served", "seconds": "1.0"})
    return press(app.run(), "production.run")


def every_part_of_tools(app):
    for more in ({"part": "count"}, {"part": "learn", "updates": "25"}, {"part": "loop"}):
        app.query_params.update(more)
        app = app.run()
        assert not app.exception
        if more["part"] == "learn":
            app = press(app, "tools.run")
    short = {
        "part": "schema",
        "schema": '{"type": "object", "properties": {"a": {"enum": [1, 2]}}}',
    }
    app.query_params.update(short)
    return press(app.run(), "tools.run")


def every_part_of_ecosystem(app):
    app.query_params["part"] = "fit"
    return app.run()


def every_part_of_masked(app):
    train = {"part": "train", "steps": "50"}
    for more in ({"unit": "word"}, {"unit": "span"}, {"part": "fill"}, train):
        app.query_params.update(more)
        app = app.run()
        assert not app.exception
    return press(app, "masked.run")


def every_part_of_reasoning(app):
    app = press(app, "reasoning.run")
    for more in (
        {"part": "votes"},
        {"part": "search", "method": "beam"},
        {"method": "best"},
        {"look": "path"},
        {"part": "cost"},
    ):
        app.query_params.update(more)
        app = app.run()
        assert not app.exception
    return app


def every_part_of_retrieval(app):
    app.query_params["part"] = "answer"
    app = press(app.run(), "retrieval.ask")
    app.query_params["part"] = "long"
    app = press(app.run(), "retrieval.long.ask")
    app.query_params["part"] = "agent"
    return app.run()


def every_part_of_guard(app):
    for more in ({"part": "attacks", "steps": "50"}, {"part": "injection", "updates": "100"}):
        app.query_params.update(more)
        app = press(app.run(), "guard.run")
        assert not app.exception
    app.query_params.update({"part": "watermark", "texts": "10", "bias": "3.0"})
    return press(app.run(), "guard.run")


def every_part_of_multimodal(app):
    for negatives in ("random", "hard"):
        app.query_params.update(
            {"part": "pairs", "updates": "50", "batch": "8", "negatives": negatives}
        )
        app = press(app.run(), "multimodal.run")
        assert not app.exception
    app.query_params.update({"part": "tell", "reader_updates": "50"})
    return press(app.run(), "multimodal.run")


PREPARE = {
    "multimodal": every_part_of_multimodal,
    "guard": every_part_of_guard,
    "ecosystem": every_part_of_ecosystem,
    "tools": every_part_of_tools,
    "board": lambda app: press(app, "board.run"),
    "budget": every_part_of_budget,
    "clinic": every_part_of_clinic,
    "distillation": every_part_of_distillation,
    "flash": every_part_of_flash,
    "production": every_part_of_production,
    "objectives": every_part_of_objectives,
    "data": every_stage_of_data,
    "positions": every_part_of_positions,
    "traps": every_part_of_traps,
    "training": lambda app: press(app, "training.run"),
    "masked": every_part_of_masked,
    "by_hand": every_part_of_by_hand,
    "families": every_part_of_families,
    "induction": lambda app: press(app, "induction.run"),
    "heads": every_part_of_heads,
    "distributed": lambda app: press(app, "distributed.run"),
    "monitor": every_part_of_monitor,
    "lora": every_part_of_lora,
    "sft": every_part_of_sft,
    "dpo": every_part_of_dpo,
    "pruning": every_part_of_pruning,
    "kv_cache": every_part_of_kv_cache,
    "decoding": every_part_of_decoding,
    "rlhf": every_part_of_rlhf,
    "quantisation": every_part_of_quantisation,
    "reward": every_part_of_reward,
    "hf": every_part_of_hf,
    "safety": every_part_of_safety,
    "scaling": every_part_of_scaling,
    "reasoning": every_part_of_reasoning,
    "retrieval": every_part_of_retrieval,
    "matrices": every_part_of("product", "spectrum"),
    "probability": every_part_of("story", "plot"),
    "gradients": every_part_of("graph", "chain"),
    "information": every_part_of("fit", "mutual"),
}
QUICK = {
    "guard": {"example": "personal"},
    "board": {"cache": "int8"},
    "reasoning": {"digits": "2", "updates": "20"},
    "retrieval": {"chunk_words": "120", "passages": "1", "documents": "2"},
    "quantisation": {"part": "model"},  # opens on a recording; its stories are told before the rest
    "budget": {"steps": "5", "experts": "4"},
    "clinic": {"steps": "40"},
    "traps": {"part": "emergence"},
    "objectives": {"steps": "60"},
    "data": {"kilobytes": "20", "seed": "7", "vocab_size": "512"},
    "masked": {"text": "A black duck was hungry."},
    "training": {"steps": "50", "hidden_size": "16", "batch_size": "4"},
    "by_hand": {"num_layers": "1", "length": "8", "steps": "50"},
    "families": {"passages": "20"},
    "induction": {"steps": "50", "num_heads": "1"},
    "distributed": {"steps": "3", "way": "tp", "processes": "1"},
    "heads": {"samples": "2", "rows": "1", "steps": "20"},
    "monitor": {"steps": "20", "num_layers": "1", "hidden_size": "16", "batch_size": "4"},
    "lora": {"steps": "25"},
    "sft": {"conversations": "4", "end": "padding"},
    "dpo": {"steps": "20"},
    "distillation": {"steps": "20"},
    "kv_cache": {"new_tokens": "32", "rounds": "2"},
    "rlhf": {"steps": "5", "prompts": "8"},
    "reward": {"pairs": "250", "epochs": "1"},
    "hf": {"model": "tiny-llama", "steps": "4"},
    "safety": {"steps": "20", "depth": "deep"},
    "scaling": {"budget": "5"},
}


def forget_what_was_computed():
    """Tests before this one may have asked the same: what labcore and the app remember must go."""
    _cache.clear()
    for name, module in list(sys.modules.items()):
        if name.startswith("labcore."):
            for value in vars(module).values():
                if inspect.isfunction(getattr(value, "__wrapped__", None)) and hasattr(
                    value, "cache_clear"
                ):
                    value.cache_clear()


@pytest.mark.parametrize("lab", list(catalog.LABS))
def test_the_code_shown_is_the_code_that_drew_the_picture(open_lab, lab):
    ran = set()

    def note(frame, event, argument):
        if event == "call":
            ran.add(frame.f_code)

    forget_what_was_computed()
    threading.setprofile(note)  # the page's script runs in a thread of its own
    try:
        app = open_lab(lab, **QUICK.get(lab, {}))
        app = PREPARE.get(lab, lambda app: app)(app)
    finally:
        threading.setprofile(None)
    assert not app.exception
    for function in catalog.LABS[lab].module().SHOWN:
        assert function.__module__.startswith("labcore."), function
        assert inspect.unwrap(function).__code__ in ran, f"{function.__qualname__} did not run"


@pytest.mark.parametrize("lab", list(catalog.LABS))
def test_the_code_facet_shows_exactly_these_functions(open_lab, lab):
    app = open_lab(lab, facet="code")
    assert not app.exception
    blocks = [block.value for block in app.code]
    for function in catalog.LABS[lab].module().SHOWN:
        assert source(function).count("\n") <= MOST_LINES, function
        assert source(function).strip() in [block.strip() for block in blocks]
