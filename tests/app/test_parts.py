"""A part of an experiment over a real connection: what a turn of its knob sends and leaves alone."""

import asyncio

from benchmarks.visitor import Visitor
from tests.browser.serving import serve


def test_a_knob_of_a_part_redraws_its_part_and_leaves_the_experiment_alone(tmp_path):
    with serve("app/main.py", tmp_path / "server.log") as address:
        asyncio.run(turn_both(address.replace("http", "ws", 1)))


async def turn_both(address: str) -> None:
    visitor = Visitor(address, "foundations", "lab=matrices&lang=en&preset=own")
    await visitor.open()
    inside, outside = (
        next(id for id in visitor.sliders if f"matrices.{knob}@" in id)
        for knob in ("start_degrees", "a")
    )
    part, experiment = (visitor.sliders[id][1] for id in (inside, outside))
    assert part != experiment
    before = visitor.received
    await visitor.turn(inside, 0.25)
    small = visitor.received - before
    assert visitor.told_of() == {part}
    before = visitor.received
    await visitor.turn(outside, 0.25)
    assert {part, experiment} <= visitor.told_of()
    assert small < (visitor.received - before) / 2
    assert not visitor.wrong
    await visitor.close()
