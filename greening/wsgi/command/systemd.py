"""What systemd, or another service manager of its kind, is told: sd_notify(3). Sockets that it passes: `binds`."""

import os
import socket
import time
from collections.abc import MutableMapping

_PATIENCE = 1.0  # seconds, for a manager that is busy


class Notifier:
    """Tells the service manager how the service is. Does nothing when there is none.

    The variables are removed: programs that the application starts are not the service.

    Args:
        environ: has NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID, if anything.
    Attributes:
        watchdog: seconds between two signs of life that it wants; 0: none.
    Source: sd_notify(3), sd_watchdog_enabled(3).
    """

    def __init__(self, environ: MutableMapping[str, str]) -> None:
        self._address = environ.pop("NOTIFY_SOCKET", "")
        microseconds, pid = environ.pop("WATCHDOG_USEC", ""), environ.pop("WATCHDOG_PID", "")
        self.watchdog = 0.0
        if self._address and microseconds.isdecimal() and pid in ("", str(os.getpid())):
            # The manual page: at half of the time that is allowed.
            self.watchdog = int(microseconds) / 2e6

    def ready(self, status: str) -> None:
        """It serves, for the first time or again after `reloading`."""
        self._send(f"READY=1\nMAINPID={os.getpid()}\nSTATUS={status}")

    def reloading(self) -> None:
        """New workers are being started."""
        now = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self._send(f"RELOADING=1\nMONOTONIC_USEC={now}\nSTATUS=reloading")

    def stopping(self) -> None:
        """It accepts no more."""
        self._send("STOPPING=1\nSTATUS=finishing what is in flight")

    def alive(self) -> None:
        """The sign of life."""
        self._send("WATCHDOG=1")

    def _send(self, text: str) -> None:
        address = self._address
        if not address:
            return
        if address.startswith("@"):
            address = "\0" + address[1:]
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
                sock.settimeout(_PATIENCE)
                sock.sendto(text.encode(), address)
        except OSError:
            pass  # the manager is gone, or does not read: the service goes on
