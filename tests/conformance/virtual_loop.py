"""An asyncio event loop on a virtual clock: where a real one would sleep, this one moves the clock.

Three things differ from the loops of CPython, all of them so that a program has one trace:

- Time starts at 0 and is a whole number of microseconds. It moves only when nothing is ready.
- Timers with equal deadlines fire in the order in which they were set. (Deadlines are floats here
  as everywhere in asyncio: 0.013 + 0.008 comes before 0.021.)
- Nothing ready and no timer raises Deadlock out of run_until_complete().
"""

import asyncio
import heapq
import itertools


class Deadlock(BaseException):
    """Nothing is ready and no timer is set: nobody can ever go on."""


class Timer(asyncio.TimerHandle):
    """A timer that knows how many were set before it."""

    __slots__ = ("_number",)

    def __init__(self, number, *arguments):
        super().__init__(*arguments)
        self._number = number

    def __lt__(self, other):
        return (self._when, self._number) < (other._when, other._number)


class VirtualLoop(asyncio.BaseEventLoop):
    def __init__(self):
        super().__init__()
        self.microseconds = 0
        self._clock_resolution = 1e-6
        self._numbers = itertools.count()
        self._selector = self
        self.set_exception_handler(lambda loop, context: None)

    def time(self):
        return self.microseconds / 1e6

    def call_at(self, when, callback, *arguments, context=None):
        timer = Timer(next(self._numbers), when, callback, arguments, self, context)
        heapq.heappush(self._scheduled, timer)
        timer._scheduled = True
        return timer

    # What BaseEventLoop wants of a selector: there are no files, so `select` is only a sleep.
    def select(self, seconds):
        if seconds is None:
            raise Deadlock
        if seconds > 0:
            self.microseconds += max(1, round(seconds * 1e6))
        return []

    def _process_events(self, events):
        pass
