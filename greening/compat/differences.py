"""What is said about names of eventlet that are not quite the same under greening. What it has not is in missing.py.

A name that is in neither is the same, if `greening.compat.eventlet` has it. What is said of a class holds for its
methods. tests/compat/test_differences.py checks that every name exists (or does not), and that every difference
has the test that is named with it; docs/migrating-from-eventlet.md has the same table.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Difference:
    """One difference.

    Args:
        note: ends a sentence that begins with "same, but".
        test: the test that pins greening's side: "file in tests/::its name".
    """

    note: str
    test: str


_NO_GREENLET: Final = Difference(
    "it is no greenlet: use its own methods; greenlet.getcurrent() is the greenlet that it runs on; who switches to it "
    "goes on in its turn; a switch ends a sleep, the wait for an event and a trampoline, but no other wait",
    "core/test_suspend.py::test_a_switch_to_one_that_waits_for_a_lock_does_nothing",
)
_IN_ORDER: Final = Difference(
    "waiters are served in order of arrival: an item that is put belongs at once to the first getter that waits, and a "
    "free place to the first putter; a negative timeout is a ValueError, as in the stdlib; it works between OS "
    "threads, too",
    "compat/eventlet/test_queue.py::test_an_item_belongs_to_the_first_getter_and_a_place_to_the_first_putter",
)
_TIMED_JOIN: Final = Difference(
    "join(timeout) returns as in the stdlib, and the main greenlet is the main thread",
    "patches/test_threading.py::test_join_with_a_timeout_returns_and_non_daemon_threads_are_joined_at_exit",
)
_CONNECTIONS: Final = Difference(
    "a reset connection raises ConnectionResetError (eventlet: recv returns b''), close() wakes those that wait with "
    "EBADF, and several may read one socket",
    "net/test_socket.py::test_a_reset_is_an_error_as_in_the_stdlib",
)
_LOOK_UPS: Final = Difference(
    "names are looked up by the system's getaddrinfo in native threads",
    "net/test_dns.py::test_others_run_meanwhile_and_numbers_do_not_wait",
)

_WELL_FORMED: Final = Difference(
    "requests that are not well-formed get 400: without Host, with both Content-Length and Transfer-Encoding, with "
    "chunks in HTTP/1.0 ...; see HTTP below",
    "compat/eventlet/test_wsgi_protocol.py::test_subclasses_refuse_what_greening_refuses",
)
_PERMITS: Final = Difference(
    "a permit that is released while others wait is the first waiter's at once: `counter` stays 0, and nobody else can "
    "take it; release() takes no argument",
    "compat/eventlet/test_semaphore.py::test_a_permit_belongs_to_the_first_waiter_and_release_takes_no_argument",
)
_SHARED: Final = Difference(
    "waiters are served in order of arrival, resize() upwards wakes them, and there is no attribute `channel`",
    "compat/eventlet/test_pools.py::test_a_larger_size_lets_waiters_make_items",
)
_LENT: Final = Difference(
    "a connection whose borrower was killed or timed out in the middle of a statement is closed, and one that is "
    "closed twice is given back once",
    "compat/eventlet/test_db_pool.py::test_a_connection_in_the_middle_of_a_statement_is_closed",
)
_NO_DRAFTS: Final = Difference(
    "the drafts hixie-75 and hixie-76 are not spoken",
    "compat/eventlet/test_websocket.py::test_drafts_before_the_rfc_are_refused",
)

DIFFERENCES: Final[dict[str, Difference]] = {
    "eventlet.green.socket": _CONNECTIONS,
    "eventlet.green.socket.socket": _CONNECTIONS,
    "eventlet.green.threading": _TIMED_JOIN,
    "eventlet.green.threading.Thread": _TIMED_JOIN,
    "eventlet.wsgi.server": _WELL_FORMED,
    "eventlet.wsgi.HttpProtocol": _WELL_FORMED,
    "eventlet.queue.Queue": _IN_ORDER,
    "eventlet.queue.LightQueue": _IN_ORDER,
    "eventlet.queue.PriorityQueue": _IN_ORDER,
    "eventlet.queue.LifoQueue": _IN_ORDER,
    "eventlet.semaphore.Semaphore": _PERMITS,
    "eventlet.semaphore.BoundedSemaphore": _PERMITS,
    "eventlet.websocket.WebSocket": _NO_DRAFTS,
    "eventlet.websocket.WebSocketWSGI": Difference(
        "the drafts hixie-75 and hixie-76 are not spoken, `max_frame_length` limits a message as well, and a handler "
        "that raises ends its connection with code 1011",
        "compat/eventlet/test_websocket.py::test_another_error_of_a_handler_reaches_the_application_around_it",
    ),
    "eventlet.websocket.RFC6455WebSocket": Difference(
        "text that is no UTF-8 ends the connection with code 1007, and wait() returns None (eventlet: 1011, and "
        "UnicodeDecodeError)",
        "compat/eventlet/test_websocket.py::test_text_that_is_no_utf8_ends_the_connection_and_is_no_error",
    ),
    "eventlet.pools.Pool": _SHARED,
    "eventlet.pools.TokenPool": _SHARED,
    "eventlet.db_pool.ConnectionPool": _LENT,
    "eventlet.db_pool.TpooledConnectionPool": _LENT,
    "eventlet.db_pool.RawConnectionPool": _LENT,
    "eventlet.db_pool.PooledConnectionWrapper": Difference(
        "every attribute of the connection can be read and set",
        "compat/test_db_connection.py::test_public_attributes_are_read_from_and_set_on_the_connection",
    ),
    "eventlet.Timeout": Difference(
        "if its second argument is no exception (a message, say), it is raised itself when its time is up; eventlet's "
        "then ends no wait",
        "test_timeout.py::test_where_messages_are_taken_it_raises_itself_and_tells_them",
    ),
    "eventlet.green.time": Difference(
        "sleep() of a negative number is a ValueError, as in the stdlib (eventlet.sleep takes it for 0)",
        "patches/test_time.py::test_what_is_no_time_fails_as_the_stdlibs",
    ),
    "eventlet.backdoor.backdoor_server": Difference(
        "clients have to be processes of this user, or of root, on this machine, and exit() ends no more than the "
        "connection",
        "compat/eventlet/test_backdoor.py::test_others_get_no_prompt",
    ),
    "eventlet.greenio.GreenSocket": Difference(
        f"{_CONNECTIONS.note}, O_NONBLOCK is set only with set_nonblocking=True, and the sockets of "
        "eventlet.green.socket are of another class",
        _CONNECTIONS.test,
    ),
    "eventlet.green.os": Difference(
        "read() and write() of a descriptor with O_NONBLOCK do not wait, as in the stdlib; a GreenPipe does",
        "fdio/test_pipe.py::test_a_nonblocking_descriptor_says_so",
    ),
    "eventlet.greenio.GreenPipe": Difference(
        "O_NONBLOCK is not set on the descriptor, which others may share",
        "compat/eventlet/greenio/test_py3.py::test_others_that_share_the_descriptor_find_it_blocking",
    ),
    "eventlet.spawn_n": Difference(
        "it returns a green thread, where eventlet returns a greenlet",
        "core/test_spawn.py::test_arguments_reach_the_function",
    ),
    "eventlet.tpool.Proxy": Difference(
        "it passes for the object in isinstance()",
        "threads/test_proxy.py::test_it_passes_for_the_object",
    ),
    "eventlet.GreenPool": Difference(
        "resize() upwards wakes those that wait in spawn(); imap() reads its input no more than `size` ahead, an error "
        "of the input comes at its end, and a StopIteration that the function returns is a result",
        "compat/eventlet/test_greenpool.py::test_maps_read_size_ahead_and_end_with_the_error_of_their_input",
    ),
    "eventlet.patcher.is_monkey_patched": Difference(
        "it knows modules and their names as well (`threading`, `ssl`), where eventlet knows the names of its flags",
        "compat/eventlet/test_patcher.py::test_modules_are_known_to_be_patched_as_well_as_flags",
    ),
    "eventlet.greenthread.GreenThread.link": Difference(
        "a link that raises does not keep the later ones from being called, and one that is added by another link is "
        "called at once",
        "compat/eventlet/test_greenthread.py::test_links_are_called_also_after_one_that_raises_and_at_once_at_the_end",
    ),
    "eventlet.monkey_patch": Difference(
        "modules are patched in place, poll and epoll stay and are green, names that were imported before are found, "
        "and greening.unpatch() undoes it",
        "test_monkey.py::test_everything_is_patched_and_restored",
    ),
    "eventlet.event.Event": Difference(
        "waiters are woken in order of arrival; poll_exception() returns the exception",
        "sync/test_event.py::test_every_waiter_gets_the_value_that_was_sent_in_order_of_arrival",
    ),
    "eventlet.greenthread.GreenThread": _NO_GREENLET,
    "eventlet.getcurrent": _NO_GREENLET,
    "eventlet.greenthread.getcurrent": _NO_GREENLET,
    "eventlet.green.select": Difference(
        "select() reports every descriptor that is ready, and poll() and epoll() are there",
        "readiness/test_select.py::test_select_reports_every_descriptor_that_is_ready",
    ),
    "eventlet.wrap_ssl": Difference(
        "cert_reqs=CERT_REQUIRED does verify (eventlet ignores it)",
        "net/test_wrap_ssl.py::test_a_server_that_cannot_be_verified_is_refused",
    ),
    "eventlet.debug.hub_prevent_multiple_readers": Difference(
        "several green threads that read one descriptor take turns",
        "net/test_socket.py::test_two_readers_of_one_socket_take_turns",
    ),
    "eventlet.hubs.use_hub": Difference(
        "it chooses the class of what get_hub() gives; greening's own hub goes on scheduling",
        "compat/eventlet/hubs/test_hub.py::test_a_strangers_hub_is_given_with_a_warning_and_schedules_nothing",
    ),
    "eventlet.dagpool.DAGPool": Difference(
        "a green thread that is killed otherwise than by kill(key) has failed, and what depends on it ends",
        "compat/eventlet/test_dagpool.py::test_a_green_thread_that_was_killed_from_outside_has_failed",
    ),
    "eventlet.support.greendns": _LOOK_UPS,
}
