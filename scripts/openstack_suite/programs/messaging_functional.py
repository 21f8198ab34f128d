"""oslo.messaging's own functional tests, which use the executor "eventlet", over a RabbitMQ of their own."""

import os
import subprocess
import sys

from rabbit import broker

MODULES = ("oslo_messaging.tests.functional.test_functional", "oslo_messaging.tests.functional.notify.test_logger")

if __name__ == "__main__":
    with broker() as rabbit:
        urls = {"RPC_TRANSPORT_URL": rabbit.url, "NOTIFY_TRANSPORT_URL": rabbit.url, "TRANSPORT_DRIVER": "rabbit"}
        command = [sys.executable, "-m", "unittest_recorder", *MODULES]
        status = subprocess.run(command, env={**os.environ, **urls}, check=False).returncode
    sys.exit(status)
