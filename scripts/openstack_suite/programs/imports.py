"""Names that the counted programs import from eventlet, and modules of theirs that do it."""

import importlib

from checks import CHECKS, run

NAMES = """
eventlet:GreenPool eventlet:GreenPile eventlet:Timeout eventlet:Queue eventlet:Semaphore eventlet:Event eventlet:spawn
eventlet:spawn_n eventlet:spawn_after eventlet:sleep eventlet:listen eventlet:connect eventlet:serve eventlet:wrap_ssl
eventlet:StopServe eventlet:getcurrent eventlet:monkey_patch eventlet:import_patched eventlet:with_timeout
eventlet:kill eventlet:greenlet eventlet.greenthread:GreenThread eventlet.greenthread:spawn_after_local
eventlet.greenpool:GreenPool eventlet.event:Event eventlet.queue:Empty eventlet.queue:LightQueue
eventlet.queue:PriorityQueue eventlet.semaphore:Semaphore eventlet.semaphore:CappedSemaphore eventlet.timeout:Timeout
eventlet.timeout:with_timeout eventlet.tpool:execute eventlet.tpool:Proxy eventlet.tpool:set_num_threads
eventlet.tpool:killall eventlet.corolocal:local eventlet.pools:Pool eventlet.corolocal:get_ident
eventlet.pools:TokenPool eventlet.dagpool:DAGPool eventlet.db_pool:ConnectionPool eventlet.patcher:original
eventlet.patcher:is_monkey_patched eventlet.patcher:already_patched eventlet.hubs:get_hub eventlet.hubs:use_hub
eventlet.hubs:trampoline eventlet.greenio:GreenSocket eventlet.greenio:GreenPipe eventlet.greenio:shutdown_safe
eventlet.debug:hub_exceptions eventlet.debug:hub_prevent_multiple_readers eventlet.debug:hub_blocking_detection
eventlet.support.greenlets:GreenletExit eventlet.backdoor:backdoor_server eventlet.wsgi:server
eventlet.wsgi:HttpProtocol eventlet.wsgi:Input eventlet.wsgi:ChunkReadError eventlet.wsgi:WSGI_LOCAL
eventlet.wsgi:STATE_IDLE eventlet.wsgi:STATE_REQUEST eventlet.wsgi:STATE_CLOSE
eventlet.websocket:WebSocketWSGI eventlet.asyncio:spawn_for_awaitable eventlet.green:socket eventlet.green:ssl
eventlet.green:threading eventlet.green:subprocess eventlet.green:os eventlet.green:select eventlet.green:time
eventlet.green:profile eventlet.green:Queue eventlet.green.http:client eventlet.green.urllib:request
__original_module_threading:Thread oslo_service:wsgi oslo_service:threadgroup oslo_service:eventlet_backdoor
oslo_log:pipe_mutex oslo_concurrency:processutils oslo_utils:eventletutils futurist:GreenThreadPoolExecutor
""".split()


def importer(entry: str) -> None:
    """Import one name."""
    module, _, name = entry.partition(":")
    found = importlib.import_module(module)
    if not hasattr(found, name):
        importlib.import_module(f"{module}.{name}")


CHECKS["monkey_patch"] = lambda: importlib.import_module("eventlet").monkey_patch()
CHECKS.update({entry: (lambda entry=entry: importer(entry)) for entry in NAMES})

if __name__ == "__main__":
    run()
