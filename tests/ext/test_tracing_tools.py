"""Tools that watch a program: begun before or after the patch; their contexts follow `spawn`, and the exit is clean."""

import sys
from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.slow

PATCH = "import greening; greening.monkey_patch()\n"

OPENTELEMETRY = """
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
class Kept(SpanExporter):
    spans = []
    def export(self, spans):
        self.spans.extend(spans)
        return SpanExportResult.SUCCESS
provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(Kept(), schedule_delay_millis=20))
tracer = provider.get_tracer("test")
with tracer.start_as_current_span("before"): pass
"""

SPANS = """
import time
def child(n):
    with tracer.start_as_current_span(f"child {n}"): time.sleep(0.02)
def parent(n):
    with tracer.start_as_current_span(f"parent {n}"): greening.spawn(child, n).wait()
for thread in [greening.spawn(parent, n) for n in range(20)]: thread.wait()
provider.shutdown()
spans = {span.name: span for span in Kept.spans}
assert len(spans) == 41
for n in range(20): assert spans[f"child {n}"].parent.span_id == spans[f"parent {n}"].context.span_id
"""

SENTRY = """
import sentry_sdk
from sentry_sdk.transport import Transport
class Kept(Transport):
    messages = []
    def capture_envelope(self, envelope):
        for item in envelope.items:
            event = item.get_event()
            if event: self.messages.append((event["message"], event.get("tags", {}).get("n")))
# Its integrations with what is installed would import all of that.
sentry_sdk.init(
    dsn="http://key@127.0.0.1:9/1", transport=Kept, traces_sample_rate=1.0, auto_enabling_integrations=False
)
"""

EVENTS = """
import time
def child(n):
    time.sleep(0.02)
    sentry_sdk.capture_message(f"child {n}")
def parent(n):
    with sentry_sdk.isolation_scope() as scope:
        scope.set_tag("n", n)
        greening.spawn(child, n).wait()
for thread in [greening.spawn(parent, n) for n in range(20)]: thread.wait()
sentry_sdk.flush()
assert sorted(Kept.messages) == sorted((f"child {n}", n) for n in range(20)), Kept.messages
"""


@pytest.mark.parametrize("order", ["before", "after"])
@pytest.mark.parametrize(
    ("module", "begin", "use"),
    [("opentelemetry.sdk", OPENTELEMETRY, SPANS), ("sentry_sdk", SENTRY, EVENTS)],
    ids=["OpenTelemetry", "Sentry"],
)
def test_contexts_follow_spawn(module: str, begin: str, use: str, order: str, run_program: Callable[..., Any]) -> None:
    pytest.importorskip(module)
    # Sentry's SDK looks whether eventlet has patched the process, and eventlet says that it is deprecated.
    quiet = ("-W", "ignore::Warning:sentry_sdk.utils")
    done = run_program((begin + PATCH if order == "before" else PATCH + begin) + use, python_args=quiet, timeout=60)
    assert done.stderr == ""


def test_the_sender_of_sentry_that_runs_already_does_not_crash_the_exit(run_program: Callable[..., Any]) -> None:
    pytest.importorskip("sentry_sdk")
    begin = SENTRY.replace("transport=Kept, ", "")  # its own thread, to an address that refuses
    for _ in range(3):
        run_program(begin + "sentry_sdk.capture_message('first')\n" + PATCH + "greening.sleep(0.05)\n", timeout=60)


@pytest.mark.parametrize("options", [{}, {"DD_PROFILING_ENABLED": "true"}], ids=["tracer", "profiler"])
def test_ddtrace_run(options: dict[str, str], run_program: Callable[..., Any]) -> None:
    """Its profiler puts wrappers in place of the locks of `threading`, before anything is patched."""
    pytest.importorskip("ddtrace")
    source = PATCH + (
        "import time, threading\nassert greening.is_monkey_patched('thread')\nfrom ddtrace.trace import tracer\n"
        "def child(): return tracer.current_span().name\n"
        "def parent(n):\n"
        "    with tracer.trace(f'parent {n}'):\n        time.sleep(0.02)\n        return greening.spawn(child).wait()\n"
        "threads = [greening.spawn(parent, n) for n in range(20)]\n"
        "assert [thread.wait() for thread in threads] == [f'parent {n}' for n in range(20)]\n"
        "condition = threading.Condition()\n"
        "with condition: condition.wait(0.01)\n"
        "print('done')\n"
    )
    env = {"DD_TRACE_AGENT_URL": "http://127.0.0.1:9", "DD_INSTRUMENTATION_TELEMETRY_ENABLED": "false", **options}
    run = ("-m", "ddtrace.commands.ddtrace_run", sys.executable)
    done = run_program(source, python_args=run, env=env, timeout=60)
    assert "done" in done.stdout


@pytest.mark.parametrize("name", ["Condition", "Lock", "RLock", "Event", "Thread"])
@pytest.mark.parametrize("form", ["function", "proxy", "subclass"])
def test_wrappers_in_place_of_what_is_patched(name: str, form: str, run_program: Callable[..., Any]) -> None:
    """As agents of profilers and New Relic put them there."""
    wrapper = {
        "function": "lambda *args, **kwargs: real(*args, **kwargs)",
        "proxy": "__import__('wrapt').FunctionWrapper(real, lambda f, _, args, kwargs: f(*args, **kwargs))",
        "subclass": "type('Wrapped', (real,), {}) if isinstance(real, type) else lambda *args: real(*args)",
    }[form]
    run_program(
        f"import threading\nreal = threading.{name}\ntry: threading.{name} = {wrapper}\nexcept TypeError: pass\n"
        + PATCH
        + "condition = threading.Condition()\nlock = threading.RLock()\n"
        "def notify():\n    with condition: condition.notify()\n"
        "with condition:\n    thread = threading.Thread(target=notify)\n    thread.start()\n"
        "    assert condition.wait(20)\n"
        "thread.join()\n"
    )


def test_the_example_of_the_page(run_page: Callable[..., Any]) -> None:
    run_page("tracing")
