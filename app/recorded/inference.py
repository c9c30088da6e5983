"""The recordings of chapter 4, inference optimisation."""

from functools import partial

from app import results
from app.recorded.entry import Entry
from labcore.compression import (
    board,
    distil_run,
    distil_study,
    matrix_forms,
    outliers,
    quantise_model,
    quantise_sensitivity,
    quantise_smollm,
    quantise_speed,
    quantise_study,
    repair,
    structured,
    unstructured,
)
from labcore.events import drain
from labcore.serving import (
    batch_speed,
    cache_bits,
    cache_race,
    capacity_check,
    constrained_study,
    exactness_study,
    forgetting,
    load_test,
    machine_roof,
    page_study,
    queueing,
    speculating_speed,
    step_costs,
    tile_exactness,
    tile_speed,
)


def _loads() -> queueing.LoadStudy:
    """The queue with the step's cost as it was measured last."""
    path = results.RECORDINGS / "decoding-costs.safetensors"
    cost = results.load(path, step_costs.StepCosts).result.cost
    return queueing.study(queueing.QueueConfig(requests=400, cost=cost))


ENTRIES: tuple[Entry, ...] = (
    Entry(
        "quantisation", "model",
        lambda: quantise_model.run(quantise_model.QuantiseConfig()), 0,
    ),
    Entry("quantisation", "methods", quantise_study.methods, 0),
    Entry("quantisation", "outliers", lambda: outliers.run(outliers.OutliersConfig()), 0),
    Entry("quantisation", "planted", quantise_study.planted, 0),
    Entry("quantisation", "smollm2", quantise_smollm.study, 0),
    Entry("quantisation", "speed", quantise_speed.study, 0),
    Entry(
        "quantisation", "alone",
        lambda: quantise_sensitivity.run(quantise_sensitivity.SensitivityConfig()), 0,
    ),
    Entry("quantisation", "sensitivity", quantise_sensitivity.study, 0),
    Entry("pruning", "unstructured", unstructured.study, 0),
    Entry("pruning", "structured", structured.study, 0),
    Entry("pruning", "smaller", lambda: structured.run(structured.StructuredConfig()), 0),
    Entry("pruning", "forms", lambda: matrix_forms.run(matrix_forms.FormsConfig()), 0),
    Entry("pruning", "repair", lambda: repair.run(repair.RepairConfig()), 0),
    Entry("pruning", "repairs", repair.study, 0),
    Entry("distillation", "default", lambda: distil_run.run(distil_run.DistilConfig()), 0),
    Entry("distillation", "amounts", distil_study.amounts, 0),
    Entry("distillation", "lessons", distil_study.lessons, 0),
    *(
        Entry("kv_cache", f"race-{name}", partial(cache_race.run, config), config.seed)
        for name, config in cache_race.RECORDED.items()
    ),
    Entry("kv_cache", "batch", lambda: batch_speed.run(batch_speed.BatchConfig()), 0),
    Entry("kv_cache", "blocks", page_study.study, 0),
    Entry("kv_cache", "forgetting", lambda: forgetting.run(forgetting.ForgetConfig()), 0),
    Entry("kv_cache", "forgetting-smollm2", partial(forgetting.run, forgetting.PUBLISHED), 0),
    Entry("kv_cache", "bits", lambda: cache_bits.run(cache_bits.BitsConfig()), 0),
    Entry("kv_cache", "bits-smollm2", partial(cache_bits.run, cache_bits.PUBLISHED), 0),
    Entry("flash", "exact", lambda: tile_exactness.run(tile_exactness.ExactConfig()), 0),
    Entry("flash", "time", lambda: tile_speed.run(tile_speed.SpeedConfig()), 0),
    Entry("flash", "time-causal", lambda: tile_speed.run(tile_speed.SpeedConfig(causal=True)), 0),
    Entry("decoding", "speed", lambda: drain(speculating_speed.measure(speculating_speed.SpeedConfig())), 0),
    *(
        Entry("decoding", f"exactness-{name}", partial(exactness_study.study, config), 0)
        for name, config in exactness_study.CASES.items()
    ),
    Entry("decoding", "costs", step_costs.measure, 0),
    Entry("decoding", "loads", _loads, 0),
    Entry("decoding", "constrained", constrained_study.study, 0),
    Entry("board", "field", lambda: board.run(board.BoardConfig(board.field(), rounds=7)), 0),
    Entry("production", "machine", lambda: machine_roof.run(machine_roof.MachineConfig()), 0),
    Entry("production", "load", lambda: load_test.run(load_test.LoadConfig()), 0),
    Entry("production", "check", lambda: capacity_check.run(capacity_check.CheckConfig()), 0),
)  # fmt: skip
