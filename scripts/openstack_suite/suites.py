"""The suites, as data."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Suite:
    """A suite of one project.

    Args:
        targets: files and folders for pytest, modules for unittest, or a file in programs/ and its arguments.
        runner: "pytest", "unittest" or "program".
        place: "site": targets are in site-packages. "swift", "eventlet": in the source distribution of that name.
        seconds: after which its process is ended.
        quick: it belongs to --quick.
    """

    name: str
    targets: tuple[str, ...]
    runner: str = "pytest"
    place: str = "site"
    seconds: int = 600
    quick: bool = False
    environment: dict[str, str] = field(default_factory=dict)


def _swift(name: str, *more: str) -> Suite:
    environment = {"SWIFT_TEST_IN_MEMORY_OBJ": "1"}
    return Suite(f"swift {name}", (f"test/unit/{name}", *more), place="swift", seconds=1800, environment=environment)


def _program(name: str, *arguments: str, place: str = "site") -> Suite:
    return Suite(name, (f"{name}.py", *arguments), "program", place)


SUITES = (
    Suite("semantics", ("semantics.py",), "program", quick=True, seconds=60),
    Suite("imports", ("imports.py",), "program", quick=True, seconds=60),
    Suite(
        "oslo.utils",
        tuple(f"oslo_utils/tests/test_{name}.py" for name in ("eventletutils", "excutils", "netutils", "timeutils")),
        quick=True,
        seconds=90,
    ),
    Suite("oslo.log", ("oslo_log/tests",), quick=True, seconds=90),
    Suite("futurist, quick part", ("futurist.tests.test_waiters",), "unittest", quick=True, seconds=90),
    Suite("futurist", ("futurist.tests",), "unittest"),
    Suite(
        "oslo.service, quick part",
        tuple(
            f"oslo_service/tests/test_{name}.py" for name in ("eventlet_backdoor", "threadgroup", "wsgi", "sslutils")
        ),
        quick=True,
        seconds=90,
    ),
    Suite("oslo.service", ("oslo_service/tests", "--ignore=oslo_service/tests/backend")),
    Suite("oslo.concurrency", ("oslo_concurrency/tests",), environment={"TEST_EVENTLET": "1"}),
    Suite(
        "oslo.messaging",
        (
            "oslo_messaging/tests/rpc",
            "oslo_messaging/tests/notify",
            "oslo_messaging/tests/test_utils.py",
            "oslo_messaging/tests/drivers/test_pool.py",
        ),
    ),
    Suite(
        "nova",
        (
            "nova.tests.unit.test_utils",
            "nova.tests.unit.test_thread_pool_factory",
            "nova.tests.unit.test_rpc",
            "nova.tests.unit.test_service",
            "nova.tests.unit.virt.libvirt.test_host",
            "nova.tests.unit.api.openstack.test_requestlog",
        ),
        "unittest",
        seconds=1200,
    ),
    Suite(
        "neutron",
        (
            "neutron/tests/unit/api/test_wsgi.py",
            "neutron/tests/unit/common/test_utils.py",
            "neutron/tests/unit/agent/linux/test_utils.py",
            "neutron/tests/unit/agent/linux/test_external_process.py",
            "neutron/tests/unit/agent/common/test_async_process.py",
            "neutron/tests/unit/agent/common/test_polling.py",
            "neutron/tests/unit/tests/test_base.py",
        ),
        seconds=1200,
    ),
    Suite(
        "cinder",
        (
            "cinder.tests.unit.test_service",
            "cinder.tests.unit.test_utils",
            "cinder.tests.unit.test_image_utils",
            "cinder.tests.unit.api.openstack.test_wsgi",
            "cinder.tests.unit.backup.drivers.test_backup_nfs",
        ),
        "unittest",
        seconds=1200,
    ),
    *map(_swift, ("account", "container", "cli", "obj", "proxy", "common/middleware")),
    _swift("common", "--ignore=test/unit/common/middleware"),
    _program("gunicorn_app"),
    _program("celery_app"),
    _program("socketio_app"),
    _program("examples", place="eventlet"),
)
