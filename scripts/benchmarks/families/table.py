"""The families, by the name that rows and peers use."""

from __future__ import annotations

from benchmarks.families.celery import CelerySampler
from benchmarks.families.client import ClientSampler
from benchmarks.families.common import Open
from benchmarks.families.driver import DriverSampler
from benchmarks.families.echo import open_churn, open_echo, open_instrumented, open_patched_asyncio, open_stream
from benchmarks.families.http import open_http
from benchmarks.families.latency import open_latency
from benchmarks.families.loops import LoopSampler
from benchmarks.families.memory import open_memory
from benchmarks.families.startup import StartupSampler
from benchmarks.families.websocket import open_websocket

FAMILIES: dict[str, Open] = {
    "echo": open_echo,
    "stream": open_stream,
    "churn": open_churn,
    "patched-asyncio": open_patched_asyncio,
    "memory": open_memory,
    "green": LoopSampler,
    "patched": LoopSampler,
    "client": ClientSampler,
    "driver": DriverSampler,
    "celery": CelerySampler,
    "http": open_http,
    "websocket": open_websocket,
    "startup": StartupSampler,
    "latency": open_latency,
    "instruments": open_instrumented,
}
