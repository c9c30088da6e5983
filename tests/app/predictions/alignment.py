"""Where the labs of chapter 3 ask for a prediction."""

from tests.app.predictions.asked import Asked

ASKED = (
    Asked("sft", "forgets", {"part": "run"}, came_out="default"),
    Asked("sft", "stops", {"part": "mistakes"}),
    Asked("sft", "other_marks", {"part": "mistakes", "group": "template"}),
    Asked("lora", "forgetting", came_out="default"),
    Asked("lora", "forgets_more", {"part": "frontier"}),
    Asked("lora", "cut", {"part": "spectrum"}),
    Asked("hf", "answer", came_out="default"),
    Asked("hf", "repacked", {"part": "qlora", "look": "training"}),
    Asked("hf", "shrink", {"part": "qlora"}),
    Asked("reward", "learnt", {"part": "train"}, came_out="shallow"),
    Asked("reward", "flat", {"part": "study", "group": "slips"}),
    Asked("reward", "few", {"part": "study", "group": "pairs"}),
    Asked("rlhf", "truth", came_out="default"),
    Asked("rlhf", "many", {"part": "ability"}),
    Asked("rlhf", "shifted", {"part": "estimators"}),
    Asked("dpo", "chosen", came_out="default"),
    Asked("dpo", "price", {"part": "study", "group": "betas"}),
    Asked("dpo", "own", {"part": "study", "group": "sources"}),
    Asked("safety", "borderline", came_out="default"),
    Asked("safety", "one_word", {"part": "attacks"}),
    Asked("safety", "one_word_answers", {"part": "later"}),
)
