"""Loops that wait in C, such as uvloop's: the hub is their guest, and green threads run in their callbacks.

Facts: such a loop knows nothing of our selectors, but it watches any descriptor. An epoll set is a descriptor, and is
readable when something happened in it (epoll(7)). The hub counts as asleep whenever code of the loop runs. So code that
makes a green thread runnable there, or sets a timer, writes to the hub's wake-up descriptor. That descriptor is in the
hub's epoll set.
Consequence: one reader and one timer in the loop are enough, and no polling is needed.

Differences from a cooperative selector: a kill from a coroutine takes effect at the loop's next round, not at once. A
hub is the guest of one loop at a time. uvloop's runs may be nested in an OS thread, but must end in reverse order,
because each puts back the descriptor for signals that it found.
"""

from typing import Any

from greening._core.current import get_hub
from greening._core.fork import NET, on_child
from greening._core.waiting import sleep


class Guest:
    """A hub in a loop that waits in C. Everything happens in the greenlet that runs the loop.

    Attributes:
        stays: True: the loop's run is ours, and raises `fatal` when it has stopped.
        fatal: an exception for the green thread that runs the loop. It arrived in a callback, where it would be lost.
    """

    def __init__(self, loop: Any) -> None:
        hub = get_hub()
        self.loop = loop
        self.hub = hub
        self.visits = 0
        self.stays = False
        self.fatal: BaseException | None = None
        self._fd: int = hub.poller.fileno()
        self._timer: Any = None
        self._turning = False
        loop.add_reader(self._fd, self._turn)
        self.sleep()
        hub.wakeup.notify()

    def sleep(self) -> None:
        """Mark the hub as asleep: the loop's code is going to run."""
        self.hub.awake_ident = 0
        self.hub.wakeup.sleeping = True
        if not self._turning:  # the park that ends here may have left something to do
            self.hub.wakeup.notify()

    def mark_awake(self) -> None:
        """Mark the hub as awake: a greenlet of the loop is going to park, or the loop has ended."""
        self.hub.awake_ident = self.hub.thread
        self.hub.wakeup.sleeping = False

    def leave(self) -> None:
        """Take the hub out of the loop."""
        if not self.loop.is_closed():
            self.loop.remove_reader(self._fd)
        self._disarm()
        self.mark_awake()

    def _turn(self) -> None:
        """Run one round of the hub, as a callback of the loop."""
        if not self.visits:
            return
        self._turning = True
        try:
            self.hub.end_round()  # by way of the hub, which looks at descriptors and timers
            self.mark_awake()
            sleep(0)  # and not `yield_now`: a kill of the loop's thread strikes here
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            if not self.stays:
                raise
            self.fatal = error
            self.loop.stop()
        finally:
            self.sleep()
            self._turning = False
        self._arm()

    def _arm(self) -> None:
        self._disarm()
        hub = self.hub
        if hub.ready or hub.wakeup.inbox:
            self.loop.call_soon(self._turn)
            return
        deadline = hub.timers.next_deadline()
        if deadline is not None:
            self._timer = self.loop.call_later(max(0.0, deadline - hub.now()), self._turn)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


# By loop. Only loops that wait in C are in here.
GUESTS: dict[Any, Guest] = {}


def arrive(loop: Any) -> Guest | None:
    """Have green threads run beside `loop`, which runs or is about to run, until `depart` was called as often.

    Returns:
        The guest. None: the hub is another loop's guest, or its poller is no descriptor (systems without epoll).
    """
    guest = GUESTS.get(loop)
    if guest is None:
        hub = get_hub()
        if not hasattr(hub.poller, "fileno") or any(other.hub is hub for other in tuple(GUESTS.values())):
            return None
        guest = GUESTS[loop] = Guest(loop)
    guest.visits += 1
    return guest


def depart(guest: Guest) -> None:
    """Take back one `arrive` that was granted."""
    guest.visits -= 1
    if not guest.visits and GUESTS.pop(guest.loop, None) is not None:
        guest.leave()


# In a forked child the loops are the parent's.
on_child(NET, GUESTS.clear)
