"""Seeing and changing what happens inside one forward pass.

Every intermediate tensor has a name, `layers.0.attn.weights` for instance (ARCHITECTURE.md lists them).
The model hands each to a `Probe`, which writes it down if somebody asked for a trace and replaces it
if somebody brought an intervention of that name: {name: function(tensor) -> tensor}.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from labcore.errors import LabInputError

Change = Callable[[Tensor], Tensor]
Interventions = Mapping[str, Change]


@dataclass(frozen=True, slots=True)
class Probe:
    """Shows each named tensor of one forward pass to whoever looks, and lets them replace it."""

    interventions: Interventions = field(default_factory=dict)
    trace: dict[str, Tensor] | None = None  # filled if not None
    met: set[str] = field(default_factory=set)  # names of interventions that came by
    prefix: str = ""

    def __call__(self, name: str, tensor: Tensor) -> Tensor:
        """The tensor to go on with: the given one, or what an intervention made of it."""
        if self.idle:
            return tensor
        name = self.prefix + name
        if name in self.interventions:
            tensor = _changed(name, tensor, self.interventions[name])
            self.met.add(name)
        if self.trace is not None:
            self.trace[name] = tensor
        return tensor

    @property
    def idle(self) -> bool:
        """Nobody looks, nobody changes anything."""
        return self.trace is None and not self.interventions

    def within(self, part: str) -> "Probe":
        """The same probe inside a part of the model: names get `part.` in front."""
        if self.idle:
            return self  # nobody asks for names
        return Probe(self.interventions, self.trace, self.met, f"{self.prefix}{part}.")

    def looks_at(self, *names: str) -> bool:
        """Does anybody trace, or change one of these?"""
        return self.trace is not None or any(self.prefix + n in self.interventions for n in names)

    def excuse(self, part: str) -> None:
        """Interventions inside `part` need not come by: it does not run in this pass."""
        self.met.update(name for name in self.interventions if name.startswith(f"{part}."))

    def check_all_met(self) -> None:
        """An intervention that touched nothing is a mistyped name, never a silent success."""
        for name in self.interventions:
            if name not in self.met:
                raise LabInputError("interventions", name, "known_name")


def _changed(name: str, tensor: Tensor, change: Change) -> Tensor:
    new = change(tensor)
    if new.shape != tensor.shape:
        raise LabInputError(
            "interventions", name, "same_shape", expected=tuple(tensor.shape), got=tuple(new.shape)
        )
    return new


def switch_off_head(layer: int, head: int, part: str = "attn") -> dict[str, Change]:
    """The intervention that silences one head: its output becomes 0 at every position.

    `part`: "attn", or "cross" for cross-attention.
    """

    def silence(heads: Tensor) -> Tensor:  # (B, H, T, d)
        if not 0 <= head < heads.shape[1]:
            raise LabInputError("head", head, "between", low=0, high=heads.shape[1] - 1)
        heads = heads.clone()
        heads[:, head] = 0
        return heads

    return {f"layers.{layer}.{part}.heads": silence}


def patch(name: str, value: Tensor | float, index: Any = ...) -> dict[str, Change]:
    """The intervention that writes `value` into the tensor `name`, at `index` or everywhere."""

    def write(tensor: Tensor) -> Tensor:
        tensor = tensor.clone()
        tensor[index] = value
        return tensor

    return {name: write}


def combine(*interventions: Interventions) -> dict[str, Change]:
    """Several interventions as one; those of the same name act one after the other, in order."""
    combined: dict[str, Change] = {}
    for named in interventions:
        for name, change in named.items():
            combined[name] = _in_turn(combined[name], change) if name in combined else change
    return combined


def _in_turn(first: Change, second: Change) -> Change:
    return lambda tensor: second(first(tensor))
