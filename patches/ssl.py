"""ssl: the methods of `ssl.SSLSocket` that read, write, shake hands and say goodbye.

What blocks here: SSL_read(3), SSL_write(3), SSL_do_handshake(3), SSL_shutdown(3) on a blocking descriptor.
What we replace: seven methods, on the class itself, so that every context - default ones and those made earlier, too -
makes cooperative sockets.
What stays: contexts, verification, certificates, `SSLObject` and MemoryBIO.
"""

from greening.net import tls
from greening.patcher.spec import Patch

PATCH = Patch(target="ssl", flag="socket", replaces={}, methods={"SSLSocket": tls.METHODS})
