"""greening under the name of eventlet: `import eventlet` gives `greening.compat.eventlet`."""

import sys

from greening.compat.alias import install

del sys.modules[__name__]  # this module: what `install` puts there is what the import returns
install()
