"""Record every lab's default result: `python -m app.record` (or `… training` for one lab).

A recording is made by the function that the page would run, with the config that the page opens on.
"""

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import cache, partial
from typing import Any

import torch

from app import results
from app.provenance import Provenance
from labcore.architecture import (
    build_train,
    causal_leak,
    depth_training,
    families_alignment,
    families_tasks,
    head_ranking,
    head_variants,
    induction,
    induction_cases,
    positions_length,
    positions_rescue,
)
from labcore.compression import (
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
from labcore.distributed import parallel_run, parallel_study, real_pipeline, recovery
from labcore.events import drain
from labcore.pretraining import (
    accumulation_runs,
    clinic_study,
    emergence,
    fault_study,
    hyper_search,
    masked_study,
    masked_train,
    memorisation,
    monitor,
    objective_natural,
    objective_units,
    objective_world,
    optimiser_study,
    precision_runs,
    resume_study,
    vocabulary,
)
from labcore.scaling import answers as scaling_answers
from labcore.scaling import experts, extrapolation
from labcore.scaling import sweep as scaling_sweep
from labcore.serving import (
    batch_speed,
    cache_bits,
    cache_race,
    capacity_check,
    constrained_study,
    exactness_study,
    forgetting,
    machine_roof,
    page_study,
    queueing,
    speculating_speed,
    step_costs,
    tile_exactness,
    tile_speed,
)
from labcore.tuning import (
    constitution,
    dpo,
    dpo_study,
    gradient_noise,
    hf_beside,
    hf_run,
    hf_study,
    jailbreaks,
    later_tuning,
    lora_arithmetic,
    lora_frontier,
    lora_rates,
    lora_spectrum,
    refusal,
    refusal_direction,
    refusal_tradeoff,
    reward,
    reward_study,
    rlhf,
    rlhf_config,
    rlhf_study,
    sft,
    sft_smollm2,
    sft_study,
    tune,
)
from labcore.tuning.reward_model import KINDS


def _sweep(name: str) -> scaling_sweep.SweepResult:
    """A sweep recorded before: what follows from it needs no second training."""
    path = results.RECORDINGS / f"scaling-{name}.safetensors"
    return results.load(path, scaling_sweep.SweepResult).result


def _extrapolated(count: str) -> extrapolation.Extrapolation:
    asking = scaling_answers.Asking(count)
    return extrapolation.extrapolate(_sweep("sweep"), _sweep("held-out"), asking)


def _loads() -> queueing.LoadStudy:
    """The queue with the step's cost as it was measured last."""
    path = results.RECORDINGS / "decoding-costs.safetensors"
    cost = results.load(path, step_costs.StepCosts).result.cost
    return queueing.study(queueing.QueueConfig(requests=400, cost=cost))


@dataclass(frozen=True, slots=True)
class Entry:
    lab: str
    name: str
    make: Callable[[], Any]
    seed: int


@cache
def clinic_pairs() -> clinic_study.PairsStudy:
    """Made once, for the pairs and for the table of all diagnoses."""
    return clinic_study.pairs()


ENTRIES: tuple[Entry, ...] = (
    Entry("depth", "grid", lambda: depth_training.grid(depth_training.GridConfig()), 0),
    Entry("training", "default", lambda: build_train.run(build_train.BuildTrainConfig()), 0),
    Entry("by_hand", "leak", lambda: causal_leak.run(causal_leak.CausalLeakConfig(seeds=5)), 0),
    Entry("families", "study", lambda: families_alignment.study(families_alignment.StudyConfig()), 0),
    Entry("families", "tasks", lambda: families_tasks.run(families_tasks.TasksConfig()), 5),
    Entry("induction", "default", lambda: induction.run(induction.InductionConfig()), 0),
    Entry("induction", "cases", lambda: induction_cases.run(induction_cases.CasesConfig()), 0),
    Entry("data", "default", lambda: vocabulary.run(vocabulary.VocabularyConfig()), 0),
    Entry("data", "languages", vocabulary.language_study, 0),
    Entry("scaling", "sweep", lambda: scaling_sweep.run(scaling_sweep.RECORDED), 0),
    Entry("scaling", "held-out", lambda: scaling_sweep.run(scaling_sweep.HELD_OUT), 0),
    Entry("scaling", "answers", lambda: scaling_answers.answers(_sweep("sweep")), 0),
    *(
        Entry("scaling", f"extrapolation-{count}", partial(_extrapolated, count), 0)
        for count in scaling_answers.COUNTS
    ),
    Entry("traps", "precision", lambda: precision_runs.study(precision_runs.StudyConfig()), 0),
    Entry("traps", "accumulation", lambda: accumulation_runs.study(accumulation_runs.StudyConfig()), 0),
    Entry("traps", "memory", lambda: memorisation.study(memorisation.StudyConfig()), 0),
    *(
        Entry("traps", f"memory-{language}", partial(memorisation.run, config), config.seed)
        for language, config in memorisation.DEFAULTS.items()
    ),
    Entry("traps", "emergence", lambda: emergence.run(emergence.EmergenceConfig()), 0),
    Entry("traps", "sizes", lambda: emergence.sizes(emergence.SizesConfig()), 0),
    Entry("masked", "default", lambda: masked_train.run(masked_train.MaskedConfig()), 0),
    Entry("masked", "study", lambda: masked_study.run(masked_study.StudyConfig()), 0),
    Entry("objectives", "world", lambda: objective_world.run(objective_world.RECORDED), 0),
    *(
        Entry(
            "objectives", f"natural-{language}",
            lambda language=language: objective_natural.run(objective_natural.recorded(language)),
            0,
        )
        for language in objective_natural.VOCAB_SIZE
    ),
    Entry("objectives", "units", lambda: objective_units.run(objective_units.RECORDED), 0),
    Entry("positions", "length", lambda: positions_length.run(positions_length.RECORDED), 0),
    Entry("positions", "rescue", lambda: positions_rescue.run(positions_rescue.RECORDED), 0),
    *(
        Entry("heads", f"ranking-{config.model}", partial(head_ranking.run, config), config.seed)
        for config in head_ranking.RECORDED
    ),
    Entry("distributed", "default", lambda: parallel_run.run(parallel_run.RunConfig()), 0),
    Entry("distributed", "resume", lambda: recovery.run(recovery.RecoveryConfig()), 0),
    Entry("distributed", "study", lambda: parallel_study.run(parallel_study.StudyConfig()), 0),
    *(
        Entry(
            "distributed", f"pipeline-{schedule}",
            partial(
                real_pipeline.run,
                real_pipeline.RealPipelineConfig(schedule, real_pipeline.RECORDED_REPEATS),
            ),
            0,
        )
        for schedule in real_pipeline.SCHEDULES
    ),
    Entry("clinic", "pairs", clinic_pairs, 0),
    Entry("clinic", "table", lambda: clinic_study.table(clinic_study.TableConfig(), clinic_pairs()), 0),
    Entry("heads", "count", partial(head_variants.run, head_variants.RECORDED_COUNTS), 0),
    Entry("heads", "sharing", partial(head_variants.run_timed, head_variants.RECORDED_SHARING), 0),
    Entry(
        "monitor", "default",
        lambda: fault_study.without_checkpoint(monitor.run(monitor.MonitorConfig())), 0,
    ),
    Entry("monitor", "faults", lambda: fault_study.run(fault_study.FaultStudyConfig()), 0),
    Entry("monitor", "optimisers", lambda: optimiser_study.study(optimiser_study.StudyConfig()), 0),
    Entry("monitor", "resume", lambda: resume_study.run(resume_study.ResumeConfig()), 0),
    Entry("monitor", "search", lambda: hyper_search.run(hyper_search.SearchConfig()), 0),
    Entry("lora", "default", lambda: tune.run(tune.TuneConfig()), 0),
    Entry("lora", "rates", lora_rates.study, 0),
    Entry("lora", "frontier", lora_frontier.frontier, 0),
    Entry("lora", "spectrum", lora_spectrum.study, 0),
    Entry("lora", "arithmetic", lora_arithmetic.study, 0),
    *(
        Entry("reward", kind, partial(reward.run, reward.RewardConfig(kind)), 0)
        for kind in KINDS
    ),
    Entry("reward", "strangers", reward_study.strangers, 0),
    Entry("reward", "study", reward_study.study, 0),
    Entry("hf", "default", lambda: hf_run.run(hf_run.HFConfig()), 0),
    Entry("hf", "longer", lambda: hf_run.run(hf_study.LONGER), 0),
    Entry("hf", "study", hf_study.study, 0),
    Entry("hf", "beside", lambda: hf_beside.run(hf_beside.BesideConfig()), 0),
    Entry("hf", "formats", lambda: hf_study.run_weigh(hf_study.FormatsConfig()), 0),
    Entry("sft", "default", lambda: sft.without_weights(sft.run(sft.SFTConfig())), 0),
    Entry("sft", "study", sft_study.study, 0),
    Entry("sft", "smollm2", lambda: sft_smollm2.run(sft_smollm2.RealConfig()), 0),
    Entry("dpo", "default", lambda: dpo.run(dpo.DPOConfig()), 0),
    Entry("dpo", "study", dpo_study.study, 0),
    Entry("rlhf", "ability", rlhf_study.ability, 0),
    Entry("rlhf", "noise", gradient_noise.study, 0),
    Entry("rlhf", "default", lambda: rlhf.run(rlhf_config.RLHFConfig()), 0),
    Entry("rlhf", "hacking", rlhf_study.hacking, 0),
    Entry("safety", "default", lambda: refusal.run(refusal.RefusalConfig()), 0),
    Entry("safety", "tradeoff", refusal_tradeoff.study, 0),
    Entry("safety", "attacks", jailbreaks.study, 0),
    Entry("safety", "direction", refusal_direction.study, 0),
    Entry("safety", "later", later_tuning.study, 0),
    Entry("safety", "constitution", constitution.study, 0),
    Entry("production", "machine", lambda: machine_roof.run(machine_roof.MachineConfig()), 0),
    Entry("production", "check", lambda: capacity_check.run(capacity_check.CheckConfig()), 0),
    Entry("flash", "exact", lambda: tile_exactness.run(tile_exactness.ExactConfig()), 0),
    Entry("flash", "time", lambda: tile_speed.run(tile_speed.SpeedConfig()), 0),
    Entry("flash", "time-causal", lambda: tile_speed.run(tile_speed.SpeedConfig(causal=True)), 0),
    Entry("pruning", "unstructured", unstructured.study, 0),
    Entry("pruning", "structured", structured.study, 0),
    Entry("pruning", "smaller", lambda: structured.run(structured.StructuredConfig()), 0),
    Entry("pruning", "forms", lambda: matrix_forms.run(matrix_forms.FormsConfig()), 0),
    Entry("pruning", "repair", lambda: repair.run(repair.RepairConfig()), 0),
    Entry("pruning", "repairs", repair.study, 0),
    *(
        Entry("kv_cache", f"race-{name}", partial(cache_race.run, config), config.seed)
        for name, config in cache_race.RECORDED.items()
    ),
    Entry("distillation", "default", lambda: distil_run.run(distil_run.DistilConfig()), 0),
    Entry("distillation", "amounts", distil_study.amounts, 0),
    Entry("distillation", "lessons", distil_study.lessons, 0),
    Entry("kv_cache", "batch", lambda: batch_speed.run(batch_speed.BatchConfig()), 0),
    Entry("kv_cache", "blocks", page_study.study, 0),
    Entry("kv_cache", "forgetting", lambda: forgetting.run(forgetting.ForgetConfig()), 0),
    Entry("kv_cache", "forgetting-smollm2", partial(forgetting.run, forgetting.PUBLISHED), 0),
    Entry("kv_cache", "bits", lambda: cache_bits.run(cache_bits.BitsConfig()), 0),
    Entry("kv_cache", "bits-smollm2", partial(cache_bits.run, cache_bits.PUBLISHED), 0),
    Entry("decoding", "speed", lambda: drain(speculating_speed.measure(speculating_speed.SpeedConfig())), 0),
    *(
        Entry("decoding", f"exactness-{name}", partial(exactness_study.study, config), 0)
        for name, config in exactness_study.CASES.items()
    ),
    Entry("decoding", "costs", step_costs.measure, 0),
    Entry("decoding", "loads", _loads, 0),
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
    Entry("decoding", "constrained", constrained_study.study, 0),
    *(
        Entry("budget", text, partial(experts.run, config), config.seeds[0])
        for text, config in experts.RECORDED.items()
    ),
)  # fmt: skip


def main(*labs: str) -> None:
    """Make the recordings of these labs, or of all."""
    torch.set_num_threads(1)
    for entry in ENTRIES:
        if labs and entry.lab not in labs:
            continue
        path = results.RECORDINGS / f"{entry.lab}-{entry.name}.safetensors"
        results.save(path, entry.make(), _provenance(entry))
        print(f"{path.name}: {path.stat().st_size / 1e3:.0f} kB")


def _provenance(entry: Entry) -> Provenance:
    return Provenance(
        "recorded",
        command=f"python -m app.record {entry.lab}",
        seed=entry.seed,
        date=date.today().isoformat(),
        machine=f"{os.cpu_count()} cores, torch {torch.__version__}",
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
