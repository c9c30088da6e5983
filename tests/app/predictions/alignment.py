"""Where the labs of chapter 3 ask for a prediction."""

from tests.app.predictions.asked import Asked

ASKED = (
    Asked("sft", "forgets", {"part": "run"}, came_out="default"),
    Asked("lora", "forgetting", came_out="default"),
    Asked("hf", "answer", came_out="default"),
    Asked("hf", "repacked", {"part": "qlora", "look": "training"}),
    Asked("reward", "learnt", {"part": "train"}, came_out="shallow"),
    Asked("rlhf", "truth", came_out="default"),
    Asked("dpo", "chosen", came_out="default"),
    Asked("safety", "borderline", came_out="default"),
)

# Labs that do not ask three times yet, and how often they do: this table only ever shrinks.
BELOW_THREE = {"sft": 1, "lora": 1, "hf": 2, "reward": 1, "rlhf": 1, "dpo": 1, "safety": 1}
