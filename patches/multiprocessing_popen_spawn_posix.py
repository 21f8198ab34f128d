"""multiprocessing.popen_spawn_posix: a child that is still starting up does not hold up its parent.

What blocks here: write(2) of the pickled process to a pipe that the child reads only when its interpreter is up. What
does not fit into the pipe (64 KiB) waits for that.
What we replace: `open`, as this module sees it. What stays: everything else.
"""

from greening.fdio.fileio import open_fd
from greening.patcher.spec import Patch

PATCH = Patch(target="multiprocessing.popen_spawn_posix", flag="os", replaces={"open": open_fd})
