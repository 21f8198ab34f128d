"""multiprocessing.popen_forkserver: a child that is still starting up does not hold up its parent.

What blocks here: write(2) of the pickled process to a pipe that the child reads only when it has imported the main
module. What we replace: `open`, as this module sees it. What stays: everything else.
"""

from greening.fdio.fileio import open_fd
from greening.patcher.spec import Patch

PATCH = Patch(target="multiprocessing.popen_forkserver", flag="os", replaces={"open": open_fd})
