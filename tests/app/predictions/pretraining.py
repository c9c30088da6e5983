"""Where the labs of chapter 2 ask for a prediction."""

from dataclasses import replace

from labcore.distributed.parallel_run import RunResult
from tests.app.predictions.asked import Asked


def a_run_with_a_bug(page):
    """The recorded run of two processes, as one with a bug that did nothing."""
    result = page.recording("default", RunResult).result
    training = replace(result.config.training, bug="not_averaged")
    return replace(result, config=replace(result.config, training=training))


ASKED = (
    Asked("data", "half", {"stage": "near", "kilobytes": "20"}),
    Asked("data", "foreign", {"stage": "tokenise"}),
    Asked("data", "stranger", {"stage": "pack", "measure_leak": "1"}),
    Asked("masked", "hidden"),
    Asked("masked", "agree", {"part": "fill"}),
    Asked("masked", "final", {"part": "train"}, came_out="default"),
    Asked("masked", "own", {"part": "sweep"}, came_out="default"),
    Asked("masked", "disguise", {"part": "sweep", "compare": "shares"}),
    Asked("objectives", "ceiling", came_out="world"),
    Asked("objectives", "gaps", {"part": "natural"}),
    Asked("objectives", "units", {"part": "bytes"}, came_out="units"),
    Asked("monitor", "final", came_out="default"),
    Asked("monitor", "fault", {"part": "faults"}, came_out="default"),
    Asked("monitor", "sturdiest", {"part": "optimisers"}),
    Asked("monitor", "memory", {"part": "resume"}, came_out="resume"),
    Asked("clinic", "patient"),
    Asked("clinic", "alone", {"part": "table", "level": "loss"}),
    Asked("clinic", "milder", {"part": "table"}),
    Asked("traps", "sum"),
    Asked("traps", "few_bits", {"part": "training", "steps": "10"}, press="traps.run"),
    Asked("traps", "curve", {"part": "accumulation", "batch_steps": "10"}, press="traps.run"),
    Asked("traps", "rest", {"part": "memory"}),
    Asked("traps", "whole", {"part": "emergence"}, came_out="emergence"),
    Asked("scaling", "without", {"form": "none"}),
    Asked("scaling", "counted", {"part": "isoflop", "count": "all"}),
    Asked("scaling", "held_out", {"part": "extrapolate"}),
    Asked("budget", "growth"),
    Asked("budget", "cheapest", {"part": "overtrain"}),
    Asked("budget", "mixture", {"part": "evolution"}),
    Asked("budget", "slowest", {"part": "experts"}, came_out="stories"),
    Asked("planner", "sixteen"),
    Asked("planner", "bubble", {"part": "timeline"}),
    Asked("planner", "states", {"part": "published"}),
    Asked("distributed", "curve", {"bug": "not_averaged"}, came_out=a_run_with_a_bug),
    Asked("distributed", "zero", {"part": "traffic"}),
    Asked("distributed", "recovered", {"part": "resume"}, came_out="resume"),
    Asked("distributed", "finest", {"part": "pipeline"}, came_out="pipeline-gpipe"),
)
