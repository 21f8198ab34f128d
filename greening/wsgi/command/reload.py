"""Which files a process has been made of, and whether one of them is no longer what it was."""

import os
import sys
import time
from collections.abc import Iterable


class Watch:
    """Looks at the files of all loaded modules whenever it is asked. One stat(2) for each; contents are not read.

    Args:
        since: seconds since the epoch: when loading began. A file that is met for the first time counts as changed if
            it was written after that.
        more: further files.
    """

    def __init__(self, since: float | None = None, more: Iterable[str] = ()) -> None:
        self._since = time.time() if since is None else since
        self._more = {file for file in more if file}
        self._seen: dict[str, tuple[int, int]] = {}
        self._module_files: dict[str, str] = {}

    def changed(self) -> str | None:
        """A file that has changed since the last call, or None. All changes up to now count as seen."""
        found = None
        for file in self._files():
            try:
                status = os.stat(file)
            except OSError:
                continue  # an editor replaces it at this moment, or it is in an archive
            state = (status.st_mtime_ns, status.st_size)
            before = self._seen.get(file)
            self._seen[file] = state
            if before is None:
                # Later than now: a clock is wrong, and it would look new for ever. Not later than when this call began:
                # it may have been written since then.
                if self._since < status.st_mtime <= time.time():
                    found = file
            elif before != state:
                found = file
        return found

    def _files(self) -> set[str]:
        known = self._module_files
        for name, module in tuple(sys.modules.items()):
            if name not in known:
                # Not `getattr`: a module's own `__getattr__` may import things.
                file = getattr(module, "__dict__", {}).get("__file__")
                known[name] = file if isinstance(file, str) else ""
        return (self._more | set(known.values())) - {""}
