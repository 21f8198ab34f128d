"""On a terminal: others run while a line is typed. Tells each prompt what has become of it."""

import os
import sys

if "readline" in sys.argv:
    import readline

import greening

greening.monkey_patch()
import threading

events: list[tuple[object, ...]] = []
sys.addaudithook(lambda name, args: events.append((name, *args)) if name.startswith("builtins.input") else None)


def say(*words: object) -> None:
    print(*words, flush=True)


typed = threading.Event()


def other() -> None:
    """Runs while the main thread waits for the terminal; again and again, for the first time may be too early."""
    while not typed.wait(0.02):
        say("others run")


thread = threading.Thread(target=other)
thread.start()
first = input("first? ")
typed.set()
# What is left of it goes here, by a weakref callback: in there, as in any, Python has no use for a KeyboardInterrupt.
thread.join()
del thread
say("got", repr(first))
say("events", events)
try:
    input("interrupted? ")
except KeyboardInterrupt:
    say("KeyboardInterrupt")
try:
    with greening.Timeout(0.01):
        input("too slow? ")
except greening.Timeout:
    say("Timeout")

# Two threads, one terminal: each gets a line.
lines = []
both = [threading.Thread(target=lambda name=name: lines.append((name, input(f"{name}? ")))) for name in ("A", "B")]
for thread in both:
    thread.start()
for thread in both:
    thread.join()
say("lines", lines)

say("line", repr(sys.stdin.readline()))
try:
    input("end? ")
except EOFError:
    say("EOFError")
if "readline" in sys.argv:
    say("history", [readline.get_history_item(number + 1) for number in range(readline.get_current_history_length())])
say("others", os.ttyname(0) == os.ttyname(1))
