"""A visitor without a browser: opens a page of the lab over its websocket, turns knobs, presses buttons.

Speaks Streamlit's own protocol (its protobuf messages), so the server does all that it does for a browser;
what a browser spends on drawing is left out. A fragment that asks to be run every second is run every
second, as a page would.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

import websockets
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.Slider_pb2 import Slider
from streamlit.proto.WidgetStates_pb2 import WidgetState

PATIENCE_SECONDS = 120
Place = tuple[int, ...]  # the way through the page's containers
SUCCEEDED = (
    ForwardMsg.ScriptFinishedStatus.FINISHED_SUCCESSFULLY,
    ForwardMsg.ScriptFinishedStatus.FINISHED_FRAGMENT_RUN_SUCCESSFULLY,
)


@dataclass
class Visitor:
    """One session. `wrong` collects every exception and error box that the page showed."""

    address: str  # ws://host:port
    page: str  # a chapter's id
    query: str  # ?lab=…&lang=…
    wrong: list[str] = field(default_factory=list)
    sliders: dict[str, tuple[Slider, str]] = field(default_factory=dict)  # with their fragments
    buttons: dict[str, str] = field(default_factory=dict)  # id -> fragment
    received: int = 0  # bytes, so far
    texts: dict[str, str] = field(default_factory=dict)  # fields to type into: id -> fragment

    async def open(self) -> float:
        """Connect and wait for the first full run; seconds."""
        self._states: dict[str, WidgetState] = {}
        self._waiting: tuple[str, asyncio.Future] | None = None
        self._roots: dict[str, Place] = {}  # where the fragments stand that the present run told of
        self._told: set[str] = set()  # sliders, buttons and texts told in it
        self._places: dict[str, Place] = {}  # and where all those on the page stand
        self._page_hash = ""  # the server's name for the page, told with every run
        self._polls: dict[str, asyncio.Task] = {}
        begun = time.perf_counter()
        self._socket = await websockets.connect(
            f"{self.address}/_stcore/stream", subprotocols=["streamlit"], max_size=None,
            open_timeout=PATIENCE_SECONDS,
        )  # fmt: skip
        self._listener = asyncio.create_task(self._listen())
        await self._run("")
        return time.perf_counter() - begun

    async def turn(self, id: str, share: float) -> float:
        """Move a slider to this share of its scale and wait for the answer; seconds."""
        slider, fragment = self.sliders[id]
        state = WidgetState(id=slider.id)
        if slider.options:  # steps with names
            at = round(share * (len(slider.options) - 1))
            state.string_array_value.data.append(slider.options[at])
        else:
            steps = round((slider.max - slider.min) / slider.step)
            state.double_array_value.data.append(slider.min + round(share * steps) * slider.step)
        self._states[id] = state
        return await self._run(fragment)

    async def type(self, id: str, text: str) -> float:
        """Write into a field and wait for the answer; seconds."""
        self._states[id] = WidgetState(id=id, string_value=text)
        return await self._run(self.texts[id])

    async def press(self, key: str) -> float | None:
        """Press the button whose key this is, if the page has it; seconds."""
        id = next((id for id in self.buttons if id.endswith(f"-{key}")), None)
        return None if id is None else await self.press_id(id)

    async def press_id(self, id: str) -> float:
        """Press this button and wait for the answer; seconds."""
        self._states[id] = WidgetState(id=id, trigger_value=True)
        try:
            return await self._run(self.buttons[id])
        finally:
            del self._states[id]

    def told_of(self) -> set[str]:
        """The fragments that the last run drew; "" for what stands in none."""
        return set(self._roots)

    async def close(self) -> None:
        for poll in self._polls.values():
            poll.cancel()
        self._listener.cancel()
        await self._socket.close()

    async def _run(self, fragment: str) -> float:
        done = asyncio.get_running_loop().create_future()
        self._waiting = (fragment, done)
        begun = time.perf_counter()
        await self._ask(fragment)
        await asyncio.wait_for(done, PATIENCE_SECONDS)
        return time.perf_counter() - begun

    async def _ask(self, fragment: str, automatic: bool = False) -> None:
        message = BackMsg()
        run = message.rerun_script
        run.query_string, run.page_name = self.query, self.page
        run.page_script_hash = self._page_hash
        run.fragment_id, run.is_auto_rerun = fragment, automatic
        states = self._states.values()  # a press counts once, in the run that it asks for
        run.widget_states.widgets.extend(
            state for state in states if not (automatic and state.trigger_value)
        )
        await self._socket.send(message.SerializeToString())

    async def _listen(self) -> None:
        async for data in self._socket:
            self.received += len(data)
            message = ForwardMsg()
            message.ParseFromString(data)
            kind = message.WhichOneof("type")
            if kind == "new_session":
                self._roots, self._told = {}, set()
            elif kind == "navigation":
                self._page_hash = message.navigation.page_script_hash
            elif kind == "page_info_changed":  # as a browser's address bar would
                self.query = message.page_info_changed.query_string
            elif kind == "delta":
                self._take(message.delta, tuple(message.metadata.delta_path))
            elif kind == "auto_rerun":
                self._poll(message.auto_rerun.fragment_id, message.auto_rerun.interval)
            elif kind == "stop_auto_rerun":
                for fragment in message.stop_auto_rerun.fragment_ids:
                    if fragment in self._polls:
                        self._polls.pop(fragment).cancel()
            elif kind == "script_finished":
                self._settle(message.script_finished in SUCCEEDED)

    def _take(self, delta, place: Place) -> None:
        fragment = delta.fragment_id
        if not fragment:
            self._roots[""] = ()  # the whole page
        elif len(place) < len(self._roots.get(fragment, (*place, 0))):
            self._roots[fragment] = place
        if delta.WhichOneof("type") != "new_element":
            return
        kind = delta.new_element.WhichOneof("type")
        element = getattr(delta.new_element, kind)
        if kind == "slider":
            if not element.disabled and len(element.default) == 1:
                self._keep(self.sliders, element.id, (element, fragment), place)
        elif kind == "button" and not element.disabled:
            self._keep(self.buttons, element.id, fragment, place)
        elif kind in ("text_input", "text_area") and not element.disabled:
            self._keep(self.texts, element.id, fragment, place)
        elif kind == "exception":
            self.wrong.append(f"{self.query}: {element.type} {element.message}")
        elif kind == "alert" and element.format == element.ERROR:
            self.wrong.append(f"{self.query}: {element.body}")

    def _keep(self, kept: dict, id: str, what: object, place: Place) -> None:
        kept[id], self._places[id] = what, place
        self._told.add(id)

    def _settle(self, whole: bool) -> None:
        """A run has ended: what stood in its fragments and was not told again is gone, and who waited for
        it goes on.

        A run that gave way to another has told what it had to tell, but perhaps not to the end.
        """
        if whole:
            for kept in (self.sliders, self.buttons, self.texts):
                for id in [
                    id for id in kept if id not in self._told and self._stood_in_this_run(id)
                ]:
                    del kept[id]
        if self._waiting and self._roots.keys() & {self._waiting[0], ""}:
            _, done = self._waiting
            self._waiting = None
            if not done.done():
                done.set_result(None)

    def _stood_in_this_run(self, id: str) -> bool:
        place = self._places[id]
        return any(place[: len(root)] == root for root in self._roots.values())

    def _poll(self, fragment: str, seconds: float) -> None:
        async def again() -> None:
            while True:
                await asyncio.sleep(seconds)
                await self._ask(fragment, automatic=True)

        if fragment not in self._polls:
            self._polls[fragment] = asyncio.create_task(again())
