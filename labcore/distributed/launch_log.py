"""What the processes of a launch have reported, put in order by run, step and process."""

from dataclasses import dataclass, field

import numpy as np

from labcore.distributed.wire import Asked, who_to_whom


@dataclass(slots=True, eq=False)
class Log:
    """Lines of `worker.tell`, kept as they come in; p processes, N steps."""

    processes: int  # p
    joined: dict[tuple[int, int], dict] = field(default_factory=dict)  # by run and process
    steps: dict[tuple[int, int, int], dict] = field(default_factory=dict)  # by run, step, process
    done: dict[tuple[int, int], dict] = field(default_factory=dict)

    def note(self, line: dict | None) -> None:
        if line is None:
            return
        run, rank = line["run"], line["rank"]
        if line["event"] == "step":
            self.steps[run, line["step"], rank] = line
        else:
            getattr(self, line["event"])[run, rank] = line

    def has(self, run: int, step: int) -> bool:
        """Whether everybody has reported this step."""
        return all((run, step, rank) in self.steps for rank in range(self.processes))

    def of_step(self, run: int, step: int) -> list[dict]:
        return [self.steps[run, step, rank] for rank in range(self.processes)]

    def rank_nats(self, run: int, step: int) -> list[float]:
        """Each process's mean loss on its own rows.  (p,)"""
        return [line["loss_sum"] / line["targets"] for line in self.of_step(run, step)]

    def nats(self, run: int, step: int) -> float:
        """Mean loss over the rows of all."""
        told = self.of_step(run, step)
        return sum(line["loss_sum"] for line in told) / sum(line["targets"] for line in told)

    def sent_bytes(self, run: int, steps: int) -> np.ndarray:
        """How much went from whom to whom in each step.  (N, p, p)"""
        before = [self.joined[run, rank] for rank in range(self.processes)]
        told = [before, *(self.of_step(run, step) for step in range(1, steps + 1))]
        so_far = np.array([who_to_whom(map(connections, lines)) for lines in told])
        return np.diff(so_far, axis=0)

    def asked(self, run: int) -> list[Asked]:
        return [Asked(**one) for one in self.done[run, 0]["asked"]]

    def held_bytes(self, run: int) -> np.ndarray:
        """Weights, gradients and optimizer states on each process.  (p, 3)"""
        return np.array([self.done[run, rank]["held"] for rank in range(self.processes)])


def connections(line: dict) -> dict[tuple[int, int], int]:
    return {(here, there): size for here, there, size in line["sent"]}
