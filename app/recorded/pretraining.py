"""The recordings of chapter 2, pre-training."""

from functools import cache, partial

from app import results
from app.recorded.entry import Entry
from labcore.distributed import parallel_run, parallel_study, real_pipeline, recovery
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


def _sweep(name: str) -> scaling_sweep.SweepResult:
    """A sweep recorded before: what follows from it needs no second training."""
    path = results.RECORDINGS / f"scaling-{name}.safetensors"
    return results.load(path, scaling_sweep.SweepResult).result


def _extrapolated(count: str) -> extrapolation.Extrapolation:
    asking = scaling_answers.Asking(count)
    return extrapolation.extrapolate(_sweep("sweep"), _sweep("held-out"), asking)


@cache
def clinic_pairs() -> clinic_study.PairsStudy:
    """Made once, for the pairs and for the table of all diagnoses."""
    return clinic_study.pairs()


ENTRIES: tuple[Entry, ...] = (
    Entry("data", "default", lambda: vocabulary.run(vocabulary.VocabularyConfig()), 0),
    Entry("data", "languages", vocabulary.language_study, 0),
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
    Entry(
        "monitor", "default",
        lambda: fault_study.without_checkpoint(monitor.run(monitor.MonitorConfig())), 0,
    ),
    Entry("monitor", "faults", lambda: fault_study.run(fault_study.FaultStudyConfig()), 0),
    Entry("monitor", "optimisers", lambda: optimiser_study.study(optimiser_study.StudyConfig()), 0),
    Entry("monitor", "resume", lambda: resume_study.run(resume_study.ResumeConfig()), 0),
    Entry("monitor", "search", lambda: hyper_search.run(hyper_search.SearchConfig()), 0),
    Entry("clinic", "pairs", clinic_pairs, 0),
    Entry("clinic", "table", lambda: clinic_study.table(clinic_study.TableConfig(), clinic_pairs()), 0),
    Entry("traps", "precision", lambda: precision_runs.study(precision_runs.StudyConfig()), 0),
    Entry("traps", "accumulation", lambda: accumulation_runs.study(accumulation_runs.StudyConfig()), 0),
    Entry("traps", "memory", lambda: memorisation.study(memorisation.StudyConfig()), 0),
    *(
        Entry("traps", f"memory-{language}", partial(memorisation.run, config), config.seed)
        for language, config in memorisation.DEFAULTS.items()
    ),
    Entry("traps", "emergence", lambda: emergence.run(emergence.EmergenceConfig()), 0),
    Entry("traps", "sizes", lambda: emergence.sizes(emergence.SizesConfig()), 0),
    Entry("scaling", "sweep", lambda: scaling_sweep.run(scaling_sweep.RECORDED), 0),
    Entry("scaling", "held-out", lambda: scaling_sweep.run(scaling_sweep.HELD_OUT), 0),
    Entry("scaling", "answers", lambda: scaling_answers.answers(_sweep("sweep")), 0),
    *(
        Entry("scaling", f"extrapolation-{count}", partial(_extrapolated, count), 0)
        for count in scaling_answers.COUNTS
    ),
    *(
        Entry("budget", text, partial(experts.run, config), config.seeds[0])
        for text, config in experts.RECORDED.items()
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
)  # fmt: skip
