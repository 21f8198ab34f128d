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


def _unit(project: str, *modules: str) -> Suite:
    """Those of a project's unit tests that touch eventlet."""
    targets = tuple(f"{project}.tests.unit.{module}" for module in modules)
    # nova's default is threads by now.
    environment = {"OS_NOVA_DISABLE_EVENTLET_PATCHING": "false"}
    return Suite(project, targets, "unittest", seconds=3600, environment=environment)


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
            *(f"oslo_messaging.tests.{name}" for name in ("rpc", "notify", "drivers")),
            *(f"oslo_messaging.tests.test_{name}" for name in ("exception_serialization", "expected_exceptions")),
            *(f"oslo_messaging.tests.test_{name}" for name in ("fixture", "target", "transport", "urls", "utils")),
        ),
        "unittest",
        seconds=1800,
    ),
    Suite("oslo.messaging functional", ("messaging_functional.py",), "program", seconds=1200),
    _unit(
        "nova",
        *("test_utils", "test_thread_pool_factory", "test_rpc", "test_service", "test_context"),
        *("api.openstack.test_requestlog", "api.openstack.test_wsgi", "cmd.test_compute", "compute.test_compute_mgr"),
        *("console.test_websocketproxy", "image.test_glance", "storage.test_rbd", "virt.disk.vfs.test_guestfs"),
        *("virt.libvirt.test_host", "virt.libvirt.test_driver"),
    ),
    _unit(
        "neutron",
        *("agent.common", "agent.dhcp.test_agent", "agent.l3.test_agent", "agent.l3.test_dvr_local_router"),
        *("agent.linux.test_utils", "agent.linux.test_dhcp", "agent.linux.test_daemon"),
        *("agent.linux.test_external_process", "agent.linux.test_iptables_firewall", "agent.metadata"),
        *("agent.ovn.metadata", "api.test_wsgi", "api.test_extensions", "common.test_utils", "common.ovn.test_utils"),
        *("notifiers.test_nova", "test_service", "test_worker", "tests.test_base"),
    ),
    _unit(
        "cinder",
        *("test_service", "test_utils", "test_manager", "test_ssh_utils", "test_image_utils", "test_cleanable_manager"),
        *("test_volume_cleanup", "test_volume_throttling", "test_coordination", "test_rpc", "test_cmd", "cmd"),
        *("api.openstack.test_wsgi", "api.v3.test_services", "scheduler.test_scheduler", "volume.test_volume"),
        *("backup.test_backup", "backup.drivers", "zonemanager", "volume.drivers.ibm.test_ds8k_proxy"),
    ),
    *map(_swift, ("account", "container", "cli", "obj", "proxy", "common/middleware")),
    _swift("common", "--ignore=test/unit/common/middleware"),
    _program("messaging_app"),
    _program("gunicorn_app"),
    _program("celery_app"),
    _program("socketio_app"),
    _program("examples", place="eventlet"),
)
