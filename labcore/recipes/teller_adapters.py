"""The two adapters that come with "LoRA and its family": the default run on each new task.

python -m labcore.recipes.teller_adapters
"""

import torch

from labcore import shipped
from labcore.tuning.lora_arithmetic import ASSETS
from labcore.tuning.tune import NEW_TASKS, TuneConfig, run


def main() -> None:
    torch.set_num_threads(1)
    ASSETS.mkdir(parents=True, exist_ok=True)
    for task in NEW_TASKS:
        result = run(TuneConfig(task=task))
        (ASSETS / f"{task}.zip").write_bytes(result.adapter)
        shipped.seal(ASSETS / f"{task}.zip")
        print(f"{task}: {result.looks[-1].new_nats:.4f} nats, {len(result.adapter) / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
