"""The one error a learner can cause: a value that a lab cannot use.

`labcore` holds no sentence for readers. An error names the field, echoes the value and names the rule;
the screen looks the sentence up in the learner's language (`assets/strings/<lang>/errors.toml`).
"""

import errno
import re
from collections.abc import Mapping, Sequence


class LabInputError(ValueError):
    """A value that breaks a rule.

    `field`: the config field or input at fault. `value`: what was given. `rule`: a short key, such as
    "positive" or "divides_hidden_size", under which the screen finds its sentence. `facts`: numbers
    that the sentence quotes, such as `limit=512`.

    >>> raise LabInputError("temperature", 0, "positive")
    Traceback (most recent call last):
    labcore.errors.LabInputError: temperature = 0: positive
    """

    def __init__(self, field: str, value: object, rule: str, **facts: object):
        self.field, self.value, self.rule, self.facts = field, value, rule, facts
        stated = ", ".join(f"{name} {fact}" for name, fact in facts.items())
        super().__init__(f"{field} = {value!r}: {rule}" + (f" ({stated})" if stated else ""))

    def __reduce__(self):  # so that it survives the way back from a worker process
        return _restore, (type(self), self.field, self.value, self.rule, self.facts)


def _restore(kind, field, value, rule, facts):
    return kind(field, value, rule, **facts)


def check_limits(config: object, limits: Mapping[str, tuple[float, float]]) -> None:
    """Each of these fields must lie between its two ends, which it may reach."""
    for name, (low, high) in limits.items():
        if not low <= getattr(config, name) <= high:
            raise LabInputError(name, getattr(config, name), "between", low=low, high=high)


def check_choices(config: object, choices: Mapping[str, Sequence[str]]) -> None:
    """Each of these fields must have one of the values that it may have."""
    for name, allowed in choices.items():
        if getattr(config, name) not in allowed:
            raise LabInputError(name, getattr(config, name), "known_choice", allowed=allowed)


_NO_ROOM = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}
_NO_WRITING = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST}


def no_room(error: BaseException) -> bool:
    """Whether a disk, a quota or a limit was full when somebody wrote."""
    return not _NO_ROOM.isdisjoint(_numbers(error))


def no_writing(error: BaseException) -> bool:
    """Whether a place may not be written to, or is not what it should be."""
    return not _NO_WRITING.isdisjoint(_numbers(error))


def _numbers(error: BaseException) -> list[int | None]:
    """The system's numbers of an error, which others quote: safetensors, and who tells of a process."""
    quoted = re.findall(r"(?:\(os error |\[Errno )(\d+)[])]", str(error))
    return [int(number) for number in quoted] or [getattr(error, "errno", None)]
