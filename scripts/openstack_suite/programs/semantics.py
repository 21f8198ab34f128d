"""What programs rely on, in small: each check passes on eventlet, and has to on greening."""

import eventlet
from checks import check, run
from eventlet import event, greenthread, hubs, patcher, queue, semaphore, tpool

eventlet.monkey_patch()


@check
def parameters_can_be_named() -> None:
    assert eventlet.spawn(func=lambda x: x, x=1).wait() == 1
    assert eventlet.GreenPool().spawn(function=lambda x: x, x=2).wait() == 2
    assert tpool.execute(meth=lambda x: x, x=3) == 3
    assert eventlet.with_timeout(seconds=5, function=lambda x: x, x=4) == 4


@check
def green_threads_and_events_take_attributes() -> None:
    thread = eventlet.spawn(lambda: None)
    thread.entry = 1
    thread.wait()
    event.Event().note = 1


@check
def without_a_delay_it_has_started_after_the_next_sleep() -> None:
    ran: list[int] = []
    eventlet.spawn_after(0, ran.append, 1)
    eventlet.spawn_after(-1, ran.append, 2)
    eventlet.sleep(0)
    assert sorted(ran) == [1, 2]


@check
def a_hub_can_throw_into_a_green_thread() -> None:
    caught: list[str] = []

    def waits() -> None:
        try:
            eventlet.sleep(30)
        except ValueError as error:
            caught.append(str(error))

    thread = eventlet.spawn(waits)
    eventlet.sleep(0)
    hubs.get_hub().schedule_call_global(0, thread.throw, ValueError("thrown"))
    thread.wait()
    assert caught == ["thrown"]


@check
def a_hub_can_switch_back_to_its_caller() -> None:
    hubs.get_hub().schedule_call_global(0.001, greenthread.getcurrent().switch, "value")
    assert hubs.get_hub().switch() == "value"


@check
def getcurrent_is_of_use() -> None:
    current = eventlet.getcurrent()
    assert current
    assert {current: 1}[eventlet.getcurrent()] == 1
    assert callable(current.throw)
    assert callable(current.switch)
    assert not current.dead


@check
def a_semaphore_takes_what_int_takes() -> None:
    for value in (1e2, "3"):
        assert semaphore.Semaphore(value).acquire()


@check
def a_channel_gives_and_takes() -> None:
    channel: queue.LightQueue = queue.LightQueue(0)
    thread = eventlet.spawn(channel.get)
    eventlet.sleep(0)
    channel.put("item")
    assert thread.wait() == "item"


@check
def modules_say_whether_they_are_patched() -> None:
    import socket

    assert patcher.is_monkey_patched("socket")
    assert patcher.is_monkey_patched(socket)
    assert not patcher.is_monkey_patched("nonsense")
    assert patcher.original("time").sleep is not eventlet.sleep


@check
def submodules_are_attributes() -> None:
    assert eventlet.hubs.get_hub()
    assert eventlet.green.socket.socket
    assert eventlet.greenio.GreenSocket
    assert eventlet.timeout.Timeout is eventlet.Timeout


@check
def two_servers_can_share_a_port() -> None:
    first = eventlet.listen(("127.0.0.1", 0), reuse_port=True)
    second = eventlet.listen(first.getsockname(), reuse_port=True)
    first.close()
    second.close()


@check
def a_server_answers() -> None:
    from eventlet.green.urllib.request import urlopen

    def application(environ: dict, start_response: object) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"hello"]

    listener = eventlet.listen(("127.0.0.1", 0))
    server = eventlet.spawn(eventlet.wsgi.server, listener, application, log_output=False)
    with urlopen(f"http://127.0.0.1:{listener.getsockname()[1]}/", timeout=10) as response:
        assert response.read() == b"hello"
    server.kill()


if __name__ == "__main__":
    import eventlet.wsgi

    run()
