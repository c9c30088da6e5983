"""Which column of somebody's log is which signal: every tool has its own names, and the same few words.

`train/loss` (W&B), `eval_loss` (Trainer), `val loss`, `Loss/validation` (TensorBoard), `train_loss_step`
(Lightning), `验证损失`: a name is cut into words, and the words decide.
"""

import re

SIGNALS = (
    "loss_nats", "validation_nats", "grad_norm", "learning_rate", "update_ratio", "tokens_per_second",
)  # fmt: skip
BLOCK_SIGNALS = ("activation_rms", "layer_update_ratio")  # one column for each block
LOSSES = {"loss_nats", "validation_nats"}  # of which one is needed
STEP, EPOCH = "step", "epoch"

_HELD_OUT = {"val", "valid", "validation", "eval", "evaluation", "test", "dev", "held", "predict"}
_LOSS = {"loss", "nll", "xent", "nats"}
# A loss of another kind, a count of something, or a number about a loss.
_OTHER = {
    "aux", "balance", "router", "kl", "reward", "value", "policy", "acc", "accuracy", "min", "max", "std",
    "scale", "scaler", "smoothed", "best", "runtime", "floor", "uniform", "entropy",
}  # fmt: skip
_STEP = {"step", "steps", "iter", "iters", "iteration", "iterations", "update", "updates"}
_PACE = {"per", "second", "seconds", "sec", "time", "size", "ms", "min", "max"}
_CHINESE = {
    "损失": "loss", "验证": "val", "测试": "test", "训练": "train", "学习率": "lr", "步": "step",
    "轮": "epoch", "梯度范数": "grad norm",
}  # fmt: skip


def words_of(name: str) -> list[str]:
    """The words of a column's name; of W&B's "my run - train/loss" only what follows the run's name.

    >>> words_of("test 7 - train/gradNorm"), words_of("验证损失")
    (['train', 'grad', 'norm'], ['val', 'loss'])
    """
    name = name.rsplit(" - ", 1)[-1]
    for chinese, english in _CHINESE.items():
        name = name.replace(chinese, f" {english} ")
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    return re.findall(r"[a-z]+|\d+", name.lower())


def signal_of(name: str) -> str | None:
    """The signal, "step" or "epoch" that a column of this name holds; None if it is something else.

    >>> [signal_of(name) for name in ("loss", "eval/loss", "lr-AdamW", "global_step", "loss_scale")]
    ['loss_nats', 'validation_nats', 'learning_rate', 'step', None]
    """
    words = words_of(name)
    known = set(words)
    if {"cross", "entropy"} <= known:
        known = known - {"entropy"} | {"loss"}
    if ("tokens" in known and known & {"second", "sec"}) or known & {"tps", "tok"}:
        return "tokens_per_second"
    if "update" in known and "ratio" in known:
        return None if "layer" in known else "update_ratio"
    if (
        words == ["norm"]
        or known & {"gnorm", "gradnorm"}
        or ("norm" in known and known & {"grad", "gradient"})
    ):
        return None if known & {"layer", "clipped", "param"} else "grad_norm"
    if "lr" in known or {"learning", "rate"} <= known:
        return "learning_rate"
    if known & _LOSS and not known & _OTHER:
        return "validation_nats" if known & _HELD_OUT else "loss_nats"
    if known & _STEP and not known & (_PACE | _HELD_OUT):
        return STEP
    return EPOCH if "epoch" in known and len(words) <= 2 else None


def block_of(name: str) -> tuple[str, int] | None:
    """The signal and the number of the block, for a column that belongs to one block.

    >>> block_of("layer_update_ratio.3"), block_of("activation_rms/0"), block_of("loss.1")
    (('layer_update_ratio', 3), ('activation_rms', 0), None)
    """
    words = words_of(name)
    if len(words) < 3 or not words[-1].isdigit():
        return None
    signal = "_".join(words[:-1])
    return (signal, int(words[-1])) if signal in BLOCK_SIGNALS else None


def choose(names: dict[str, int]) -> dict[str, str]:
    """One column for each signal: the one with most values, then the one with the fewest words.

    `names` are the columns with how many values each has.  -> {signal: column}

    >>> choose({"train_loss_epoch": 3, "train_loss_step": 90, "val_loss": 3, "acc": 90})
    {'loss_nats': 'train_loss_step', 'validation_nats': 'val_loss'}
    """
    chosen: dict[str, str] = {}
    for name in sorted(names, key=lambda name: (-names[name], len(words_of(name)), name)):
        signal = signal_of(name)
        if signal is not None and names[name] > 0:
            chosen.setdefault(signal, name)
    return chosen
