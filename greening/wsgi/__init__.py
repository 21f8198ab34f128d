"""An HTTP/1.1 server for WSGI applications, with eventlet's interface. It needs the extra `wsgi` (httptools).

| | |
|---|---|
| `server` | serve until killed, as eventlet's |
| `Server` | the same as an object: start, stop, address |
| `ServerSettings` | what either is told, by keyword |
| `Limits` | bytes and seconds that a client may cost |
| `HttpProtocol` | a connection |
| `FileWrapper` | `wsgi.file_wrapper` |
| `BadBody` | what reading a body raises |
| `DEFAULT_FORMAT`, `COMBINED_FORMAT` | of log lines |
| `Metrics`, `metrics_app` | what several processes count together, and an application that shows it to Prometheus |
| `TlsSettings` | certificates, and what is asked of clients, as a context for `ssl_context` |
| `StaticFiles` | an application that serves files before another one, for development |
"""

from greening.wsgi.environ import FileWrapper
from greening.wsgi.errors import BadBody
from greening.wsgi.limits import Limits
from greening.wsgi.log import COMBINED_FORMAT, DEFAULT_FORMAT
from greening.wsgi.metrics import Metrics
from greening.wsgi.prometheus import metrics_app
from greening.wsgi.protocol import HttpProtocol
from greening.wsgi.server import Server, server
from greening.wsgi.settings import ServerSettings
from greening.wsgi.static import StaticFiles
from greening.wsgi.tls import TlsSettings

__all__ = [
    "server",
    "Server",
    "ServerSettings",
    "Limits",
    "HttpProtocol",
    "FileWrapper",
    "BadBody",
    "DEFAULT_FORMAT",
    "COMBINED_FORMAT",
    "Metrics",
    "metrics_app",
    "TlsSettings",
    "StaticFiles",
]
