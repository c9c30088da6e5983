"""A published model's chat template, run where it does no harm: in Jinja's sandbox, in a process of its own.

The sandbox keeps a stranger's template away from Python. It does not keep it from counting to a billion or
from writing a gigabyte, and a thread that does cannot be ended. This file is both sides, `frame` here and
`python chat_template.py` there, where nothing heavy is imported.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from functools import lru_cache

PLACEHOLDER = "\ue000"  # private use: stands where somebody's words go
MOST_CHARACTERS = 100_000  # of a template and of what it writes
CPU_SECONDS = 1  # starting takes a tenth, a template in use a hundredth
WALL_SECONDS = 20
MEMORY_BYTES = 1 << 29


class NoFrame(ValueError):
    """The template cannot hold these turns, or takes more than it may."""


@lru_cache(maxsize=64)
def frame(
    template: str, roles: Sequence[str], answering: bool, names: Sequence[tuple[str, str]] = ()
) -> tuple[str, ...]:
    """What the template puts before, between and after the words of turns by `roles`.

    `answering`: up to where the model is to speak. `names`: special tokens, such as ("bos_token", "<s>").
    Raises `NoFrame`.
    """
    if len(template) > MOST_CHARACTERS:
        raise NoFrame
    given = {
        "messages": [{"role": role, "content": PLACEHOLDER} for role in roles],
        "add_generation_prompt": answering,
        **dict(names),
    }
    try:
        run = subprocess.run(  # nosec B603 # this file; the template goes in as data
            [sys.executable, "-I", __file__], input=json.dumps([template, given]).encode(),
            capture_output=True, timeout=WALL_SECONDS, check=True,
        )  # fmt: skip
    except subprocess.SubprocessError as error:
        raise NoFrame from error
    around = tuple(json.loads(run.stdout).split(PLACEHOLDER))
    if len(around) != len(roles) + 1:
        raise NoFrame
    return around


# The other side.


def main() -> None:
    """Template and values from the input, as JSON; what it writes, as JSON. Fails if it cannot."""
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    limit()
    template, given = json.load(sys.stdin)
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    written = environment.from_string(template).render(given)
    if len(written) > MOST_CHARACTERS:
        raise SystemExit(1)
    json.dump(written, sys.stdout)


def limit() -> None:
    try:
        import resource
    except ImportError:  # Windows has no such limits; the clock ends it there
        return
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_BYTES, MEMORY_BYTES))


if __name__ == "__main__":
    main()
