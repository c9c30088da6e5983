"""How far a load has come: one share of the whole and a short key for the stage it is in."""

from collections.abc import Callable

# on_progress(share, stage): share from 0 to 1 over the whole load; stage is one of
# "waiting", "downloading", "checking", "converting", "loading".
OnProgress = Callable[[float, str], None]


def stretch(on_progress: OnProgress, low: float, high: float) -> OnProgress:
    """A reporter whose 0…1 is the stretch low…high of `on_progress`."""
    return lambda share, stage: on_progress(low + (high - low) * share, stage)
