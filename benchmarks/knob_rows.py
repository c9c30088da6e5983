"""Which knob of each lab is turned, and which picture follows it: the rows of `python -m benchmarks.knob`.

A row takes the lab's first part where a picture follows a knob at once; where that part waits for a run,
the row's link opens another part.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """One lab: `knob` is turned `steps` places from where the lab opens, and `figure` follows."""

    lab: str
    knob: str
    figure: str
    steps: int = 6  # negative: to the left
    link: str = ""  # the rest of the link, as "part=shape"


ROWS = (
    Row("matrices", "start_degrees", "power"),
    Row("probability", "false_alarm", "town"),
    Row("gradients", "steps", "walks"),
    Row("information", "position", "story"),
    Row("dataflow", "temperature", "next"),
    Row("by_hand", "width", "walk", 2),
    Row("attention", "layer", "heads", 1),
    Row("positions", "encoding", "gallery", 5),
    Row("heads", "when", "maps", 1),
    Row("induction", "moment", "maps", -6),
    Row("families", "window", "mask", 6),
    Row("depth", "num_layers", "size", 6),
    Row("training", "moment", "maps", -6),
    Row("data", "kilobytes", "funnel", 6),
    Row("masked", "rate", "shares"),
    Row("objectives", "objective", "looks", 2, "part=views"),
    Row("monitor", "measure", "overlay", 1, "part=compare"),
    Row("clinic", "signal", "signal", 4),
    Row("traps", "additions", "sums"),
    Row("scaling", "height", "losses", 1),
    Row("budget", "exponent", "plane"),
    Row("planner", "peak_share", "step", -6),
    Row("distributed", "cut", "gantt", -2, "part=pipeline"),
    Row("sft", "conversations", "rows_padded", 4, "part=rows"),
    Row("lora", "start_rank", "starts", 2, "part=mechanics"),
    Row("hf", "outlier", "levels", 6, "part=levels"),
    Row("reward", "kind", "misread", 2, "part=strangers"),
    Row("rlhf", "distance", "policies", 6, "part=estimators"),
    Row("dpo", "shape_beta", "losses", 4, "part=shape"),
    Row("safety", "threshold", "trained_points", 6, "part=tradeoff"),
    Row("quantisation", "bits", "levels", 5),
    Row("pruning", "ratio", "losses"),
    Row("distillation", "place", "opinions", 5, "part=dark"),
    Row("kv_cache", "devices", "parts", 6, "part=memory"),
    Row("flash", "tile", "row", -2),
    Row("decoding", "guesses", "rounds", 4),
    Row("board", "x", "scatter", 5),
    Row("production", "context", "roof", 6),
    Row("multimodal", "row", "looks", -2),
    Row("tools", "studied", "learn_study", 1, "part=learn"),
    Row("reasoning", "shown", "tree", -3, "part=search&method=breadth"),
    Row("retrieval", "chunk_words", "places", 4),
    Row("guard", "earlier", "bucket", 6),
    Row("ecosystem", "largest", "map", -3),
)

# Labs without such a picture, and why.
LEFT_OUT: dict[str, str] = {}
