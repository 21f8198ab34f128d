"""io: `open` of FIFOs and of descriptors that come and go."""

HEAD = """
import greening
greening.monkey_patch()
import io, os, threading, time
"""


def test_both_ends_of_a_fifo_in_two_threads(run_program) -> None:
    run_program(
        HEAD
        + """
os.mkfifo("fifo")
got = []
def read():
    with open("fifo", encoding="ascii") as file:
        assert file.name == "fifo" and file.mode == "r" and type(file) is io.TextIOWrapper
        got.extend(file)
thread = threading.Thread(target=read)
thread.start()
time.sleep(0)
assert thread.is_alive()
with io.open("fifo", "wb", 0) as file:
    assert file.name == "fifo" and file.mode == "wb"
    file.write(b"one\\n")
    file.write(b"two\\n")
thread.join()
assert got == ["one\\n", "two\\n"], got
"""
    )


def test_reads_of_a_fifo_let_others_run(run_program) -> None:
    run_program(
        HEAD
        + """
os.mkfifo("fifo")
writer = threading.Thread(target=lambda: writing.append(open("fifo", "w")))
writing = []
writer.start()
reader = open("fifo")
writer.join()
greening.spawn_after(0.01, lambda: writing.pop().close())
assert reader.read() == ""
"""
    )


def test_the_descriptor_of_a_pipe(run_program) -> None:
    run_program(
        HEAD
        + """
r, w = os.pipe()
greening.spawn_after(0.01, lambda: open(w, "wb").close())
with open(r, "rb") as file:
    assert file.read() == b""
"""
    )


def test_otherwise_it_is_the_builtin(run_program) -> None:
    run_program(
        """
import builtins, io, pickle, pytest, tokenize
kept = [open]  # where late patching does not reach
import greening
greening.monkey_patch()
real = kept[0]
assert open is io.open is builtins.open is tokenize._builtin_open is not real
assert pickle.loads(pickle.dumps(open)) == open and open.__module__ == real.__module__
class Job:
    opener = open
greening.spawn(greening.sleep, 0)
with Job().opener("file", "x+b", 0) as file:
    assert type(file) is io.FileIO and file.write(b"abc") == 3
with open("file", mode="r", encoding="ascii", opener=lambda path, flags: __import__("os").open(path, flags)) as file:
    assert file.read() == "abc"
for arguments in (("absent",), ("file", "rw"), (3.5,), ("file", "rb", 0, "ascii"), ("nul\\0",)):
    with pytest.raises(Exception) as green:
        open(*arguments)
    with pytest.raises(green.type) as wanted:
        real(*arguments)
    assert str(green.value) == str(wanted.value)
greening.unpatch()
assert open is io.open is builtins.open is tokenize._builtin_open is real
"""
    )


def test_the_warning_about_the_default_encoding_names_the_callers_line(run_program) -> None:
    done = run_program(
        """
import greening
greening.monkey_patch()
open(__file__).close()
""",
        python_args=("-X", "warn_default_encoding"),
    )
    assert "program_0.py:4: EncodingWarning" in done.stderr
    assert "patches" not in done.stderr
