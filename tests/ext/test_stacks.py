"""The stacks of green threads, as text."""

import threading

import greening
from greening.ext.stacks import green_stacks


def waits_for(event: greening.Event) -> None:
    event.wait()


def test_each_waiting_green_thread_has_a_stack_that_ends_at_its_wait() -> None:
    event = greening.Event()
    threads = [greening.spawn(waits_for, event) for _ in range(3)]
    greening.sleep(0)
    paragraphs = green_stacks().split("\n\n")
    event.send(None)
    for thread in threads:
        thread.wait()
    mine = [text for text in paragraphs if "waits_for" in text]
    assert [text.partition("\n")[0] for text in mine] == sorted(thread.name for thread in threads)
    assert all(text.rstrip().endswith("event.wait()") for text in mine)


def test_a_green_thread_sees_the_main_greenlet() -> None:
    text = greening.spawn(green_stacks).wait()
    assert text.startswith("main greenlet, ")
    assert "test_a_green_thread_sees_the_main_greenlet" in text


def test_the_hub_of_another_os_thread_is_looked_at_too(run_program) -> None:
    run_program(
        "import greening, threading\n"
        "from greening.ext.stacks import green_stacks\n"
        "there, go = threading.Event(), threading.Event()\n"
        "def deep():\n    there.set()\n    greening.sleep(0)\n    greening.Event().wait(20)\n"
        "def run():\n    thread = greening.spawn(deep)\n    greening.sleep(0.01)\n    go.wait()\n    thread.kill()\n"
        "thread = threading.Thread(target=run)\nthread.start()\nthere.wait()\n"
        "text = ''\n"
        "while 'in deep' not in text: text = green_stacks()\n"
        "go.set()\nthread.join()\n"
    )


def test_a_thread_of_threading_has_its_name_beside(run_program) -> None:
    done = run_program(
        "import greening; greening.monkey_patch()\nimport threading\n"
        "from greening.ext.stacks import green_stacks\n"
        "end = threading.Event()\nthread = threading.Thread(target=end.wait, name='reader')\nthread.start()\n"
        "greening.sleep(0)\nprint(green_stacks())\nend.set()\n"
    )
    assert "reader" in done.stdout.partition("\n")[0]


def test_nobody_waits() -> None:
    assert threading.main_thread() is threading.current_thread()
    assert green_stacks() == "No other green thread waits.\n"
