"""The recordings of chapter 1, the Transformer."""

from functools import partial

from app.recorded.entry import Entry
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

ENTRIES: tuple[Entry, ...] = (
    Entry("by_hand", "leak", lambda: causal_leak.run(causal_leak.CausalLeakConfig(seeds=5)), 0),
    Entry("positions", "length", lambda: positions_length.run(positions_length.RECORDED), 0),
    Entry("positions", "rescue", lambda: positions_rescue.run(positions_rescue.RECORDED), 0),
    *(
        Entry("heads", f"ranking-{config.model}", partial(head_ranking.run, config), config.seed)
        for config in head_ranking.RECORDED
    ),
    Entry("heads", "count", partial(head_variants.run, head_variants.RECORDED_COUNTS), 0),
    Entry("heads", "sharing", partial(head_variants.run_timed, head_variants.RECORDED_SHARING), 0),
    Entry("induction", "default", lambda: induction.run(induction.InductionConfig()), 0),
    Entry("induction", "cases", lambda: induction_cases.run(induction_cases.CasesConfig()), 0),
    Entry("families", "study", lambda: families_alignment.study(families_alignment.StudyConfig()), 0),
    Entry("families", "tasks", lambda: families_tasks.run(families_tasks.TasksConfig()), 5),
    Entry("depth", "grid", lambda: depth_training.grid(depth_training.GridConfig()), 0),
    Entry("training", "default", lambda: build_train.run(build_train.BuildTrainConfig()), 0),
)  # fmt: skip
