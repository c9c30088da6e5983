"""Backpropagation on a graph small enough to see: values go forward, slopes come back.

Every node knows its value, the nodes that it was made of and, for each of them, the slope of this one step
(the local derivative). The chain rule does the rest: a node's gradient is the sum, over all nodes made of
it, of their gradient times the local slope. Going back through the graph once gives the slope of the loss in
*every* number; asking by finite differences costs a forward pass or two for each.

The graph is a neuron in front of a logistic loss: h = tanh(w·x + b), s = v·h, loss = −ln σ(s) for the target
1 and −ln σ(−s) for 0. A learner's own chain of such layers shows what becomes of a slope that passes many.

Axes: N nodes, H steps h of the differences, L layers.
Source: Rumelhart, Hinton & Williams 1986; Griewank & Walther, *Evaluating Derivatives*.
"""

import math
from dataclasses import dataclass, field

import numpy as np

from labcore.configs import lab_config
from labcore.errors import LabInputError, check_limits

LEAVES = ("x", "w", "b", "v")
INNER = ("wx", "a", "h", "s", "loss")
STEPS = tuple(10.0**-power for power in np.arange(0.5, 15.1, 0.5))  # of the finite differences


@dataclass(eq=False)
class Node:
    value: float
    parents: tuple["Node", ...] = ()
    slopes: tuple[float, ...] = ()  # ∂ this / ∂ each parent
    name: str = ""
    gradient: float = field(default=0.0)  # ∂ loss / ∂ this, once `backward` has been here


def times(one: Node, other: Node) -> Node:
    return Node(one.value * other.value, (one, other), (other.value, one.value))


def plus(one: Node, other: Node) -> Node:
    return Node(one.value + other.value, (one, other), (1.0, 1.0))


def tanh(node: Node) -> Node:
    value = math.tanh(node.value)
    return Node(value, (node,), (1 - value**2,))


def logistic_loss(score: Node, target: int) -> Node:
    """−ln σ(±s) = ln(1 + e^∓s), and its slope σ(s) − target."""
    sign = 1 if target else -1
    share = 1 / (1 + math.exp(-score.value))
    return Node(math.log1p(math.exp(-sign * score.value)), (score,), (share - target,))


def backward(loss: Node) -> list[Node]:
    """Give every node its gradient; nodes in the order in which they were visited, the loss first.

    A node is visited when all nodes made of it have been: only then is its own gradient complete.
    """
    waiting: dict[Node, int] = {}
    found = [loss]
    for node in found:  # grows while it is read
        for parent in node.parents:
            if parent not in waiting:
                found.append(parent)
            waiting[parent] = waiting.get(parent, 0) + 1
    loss.gradient = 1.0
    ready, visited = [loss], []
    while ready:
        node = ready.pop()
        visited.append(node)
        for parent, slope in zip(node.parents, node.slopes, strict=True):
            parent.gradient += node.gradient * slope
            waiting[parent] -= 1
            if not waiting[parent]:
                ready.append(parent)
    return visited


@lab_config
class GraphConfig:
    x: float = 1.5
    w: float = 0.8
    b: float = -0.4
    v: float = 1.2
    target: int = 0

    def __post_init__(self):
        check_limits(self, {name: (-5.0, 5.0) for name in LEAVES})
        if self.target not in (0, 1):
            raise LabInputError("target", self.target, "between", low=0, high=1)


@dataclass(frozen=True, slots=True, eq=False)
class GraphResult:
    names: list[str]  # (N,) leaves, then inner nodes in the order of the forward pass
    values: np.ndarray  # (N,)
    gradients: np.ndarray  # (N,) ∂ loss / ∂ node
    edges: list[tuple[str, str, float]]  # from, to, local slope
    differences: dict[str, float]  # by leaf: central difference with h = 1e-5
    steps: np.ndarray  # (H,)
    errors: dict[
        str, np.ndarray
    ]  # (H,) |difference − gradient| in w: "one-sided", "central", "central32"


def build(leaves: dict[str, Node], target: int) -> dict[str, Node]:
    """The forward pass; every node by its name."""
    wx = times(leaves["w"], leaves["x"])
    a = plus(wx, leaves["b"])
    h = tanh(a)
    s = times(leaves["v"], h)
    nodes = leaves | {"wx": wx, "a": a, "h": h, "s": s, "loss": logistic_loss(s, target)}
    for name, node in nodes.items():
        node.name = name
    return nodes


def loss_at(config: GraphConfig, **moved: float) -> float:
    leaves = {name: Node(moved.get(name, getattr(config, name))) for name in LEAVES}
    return build(leaves, config.target)["loss"].value


def loss_at_32(config: GraphConfig, w: float) -> float:
    """The same in 32 bits."""
    f = np.float32
    h = np.tanh(f(w) * f(config.x) + f(config.b))
    return float(np.log1p(np.exp((f(-1) if config.target else f(1)) * f(config.v) * h)))


def run(config: GraphConfig) -> GraphResult:
    nodes = build({name: Node(getattr(config, name)) for name in LEAVES}, config.target)
    backward(nodes["loss"])
    steps = np.array(STEPS)
    true, here = nodes["w"].gradient, loss_at(config)
    one_sided = [(loss_at(config, w=config.w + h) - here) / h for h in steps]
    central, central_32 = (
        [(f(config, w=config.w + h) - f(config, w=config.w - h)) / (2 * h) for h in steps]
        for f in (loss_at, loss_at_32)
    )
    return GraphResult(
        list(nodes), np.array([node.value for node in nodes.values()]),
        np.array([node.gradient for node in nodes.values()]),
        [
            (parent.name, node.name, slope)
            for node in nodes.values()
            for parent, slope in zip(node.parents, node.slopes, strict=True)
        ],
        {leaf: difference(config, leaf) for leaf in LEAVES},
        steps,
        {
            name: np.abs(np.array(found) - true)
            for name, found in (("one_sided", one_sided), ("central", central), ("central_32", central_32))
        },
    )  # fmt: skip


def difference(config: GraphConfig, leaf: str, h: float = 1e-5) -> float:
    """(f(x + h) − f(x − h)) / 2h: the error is of the order h²."""
    at = getattr(config, leaf)
    return (loss_at(config, **{leaf: at + h}) - loss_at(config, **{leaf: at - h})) / (2 * h)


@lab_config
class ChainConfig:
    layers: int = 30
    weight: float = 0.9
    x: float = 0.5

    def __post_init__(self):
        check_limits(self, {"layers": (1, 60), "weight": (-3.0, 3.0), "x": (-5.0, 5.0)})


@dataclass(frozen=True, slots=True, eq=False)
class ChainResult:
    depth: np.ndarray  # (L + 1,) layers between a place and the output
    slopes: dict[str, np.ndarray]  # (L + 1,) |∂ output / ∂ the place|: "plain", "residual"
    outputs: dict[str, float]


def chain(config: ChainConfig) -> ChainResult:
    """h ← tanh(w·h), layer upon layer, and the same with h added: h ← h + tanh(w·h)."""
    slopes, outputs = {}, {}
    for kind in ("plain", "residual"):
        places = [Node(config.x)]
        for _ in range(config.layers):
            layer = tanh(times(Node(config.weight), places[-1]))
            places.append(plus(places[-1], layer) if kind == "residual" else layer)
        backward(places[-1])
        slopes[kind] = np.abs([place.gradient for place in reversed(places)])
        outputs[kind] = places[-1].value
    return ChainResult(np.arange(config.layers + 1), slopes, outputs)
