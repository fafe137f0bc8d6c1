"""The prefetching node: runs its source ahead in a thread, and can be stopped at any time."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from torchdata.nodes import BaseNode

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Item(Generic[T]):
    """A value, and the state of the source right after it."""

    value: T
    state: dict[str, Any]


class Prefetcher(BaseNode[T]):
    """Holds up to `depth` items ready, each with the state that the source had after it.

    So the state is always that of the last item handed out, and what is held ready is lost
    neither by a checkpoint nor by a stop. (The `Prefetcher` of torchdata 0.11 cannot be shut down
    and waits for ever on an idle source.)

    Args:
        source: must end soon, by `StopIteration`, when `stop` is set.
        depth: number of items held ready.
        stop: is set by this node to end the source, and cleared when it begins anew.
        on_wait: is told the seconds that `next` has waited, several times during a long wait.
        report_s: how often a long wait is reported.
    """

    def __init__(
        self,
        source: BaseNode[T],
        depth: int,
        *,
        stop: threading.Event,
        on_wait: Callable[[float], None],
        report_s: float = 0.1,
    ) -> None:
        super().__init__()
        self._source = source
        self._depth = depth
        self._stop = stop
        self._on_wait = on_wait
        self._report_s = report_s
        self._state: dict[str, Any] = {}
        self._items: deque[_Item[T]] = deque()
        self._end: Exception | None = None
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def reset(self, initial_state: dict[str, Any] | None = None) -> None:
        """Drops what is held ready and begins anew, or goes on from a state of the source."""
        super().reset(initial_state)
        self.close()
        self._stop.clear()
        self._items.clear()
        # Should the source refuse the state, nothing may be read: not even from the beginning.
        self._end = RuntimeError("nothing to read: the last reset was refused")
        self._source.reset(initial_state)
        self._state = self._source.state_dict()
        self._end = None
        # A daemon, so that a program which forgets to close still ends.
        self._thread = threading.Thread(target=self._fill, name="prefetch", daemon=True)
        self._thread.start()

    def next(self) -> T:
        """The next item; waits for it.

        Raises:
            StopIteration: the source has ended, or this node was closed.
            Exception: what the source raised, after all items that came before it.
        """
        with self._changed:
            self._wait_for_item()
            if self._stop.is_set():
                raise StopIteration
            if not self._items:
                raise self._end or StopIteration
            item = self._items.popleft()
            self._changed.notify_all()
        self._state = item.state
        return item.value

    def get_state(self) -> dict[str, Any]:
        """The state of the source right after the last item that was handed out."""
        return self._state

    def ready(self, timeout_s: float) -> bool:
        """Waits until `next` would not wait; tells whether that is so."""
        with self._changed:
            return self._changed.wait_for(self._answers, timeout_s)

    def close(self) -> None:
        """Stops the source and its thread; a waiting `next` raises `StopIteration`."""
        self._stop.set()
        with self._changed:
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _answers(self) -> bool:
        return bool(self._items) or self._end is not None or self._stop.is_set()

    def _wait_for_item(self) -> None:
        while not self._answers():
            began = time.perf_counter()
            self._changed.wait(self._report_s)
            self._on_wait(time.perf_counter() - began)

    def _fill(self) -> None:
        try:
            while self._has_room():
                value = next(self._source)
                item = _Item(value, self._source.state_dict())
                with self._changed:
                    self._items.append(item)
                    self._changed.notify_all()
        except Exception as error:  # noqa: BLE001  the consumer raises it, whatever it is
            with self._changed:
                self._end = error
                self._changed.notify_all()

    def _has_room(self) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: len(self._items) < self._depth or self._stop.is_set())
            return not self._stop.is_set()
