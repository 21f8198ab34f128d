"""Pipes by number and as files, sendfile and splice into them, and children that send back what they read."""

import greening

greening.monkey_patch()

import os
import subprocess
import sys
import tempfile
import threading

from payload import message

ROUNDS = 30


def read_all(fd):
    parts = []
    while part := os.read(fd, 50_000):
        parts.append(part)
    os.close(fd)
    return b"".join(parts)


def read_all_into(fd):
    found = bytearray()
    first, second = bytearray(100), bytearray(30_000)
    while got := os.readv(fd, [first, second]):
        found += (first + second)[:got]
    os.close(fd)
    return bytes(found)


def read_file(fd):
    with open(fd, "rb") as file:
        return file.read()


def write_all(fd, data):
    assert os.write(fd, data) == len(data)  # a blocking pipe takes all


def write_parts(fd, data):
    third = len(data) // 3
    assert os.writev(fd, [data[:third], data[third : 2 * third], data[2 * third :]]) == len(data)


def write_file(fd, data):
    with open(fd, "wb", closefd=False) as file:
        file.write(data)


def write_unbuffered(fd, data):
    with open(fd, "wb", buffering=0, closefd=False) as file:
        assert file.write(data) == len(data)


def send_file(fd, data):
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.flush()
        done = 0
        while done < len(data):
            done += os.sendfile(fd, file.fileno(), done, len(data) - done)


def splice_file(fd, data):
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.flush()
        done = 0
        while done < len(data):
            done += os.splice(file.fileno(), fd, len(data) - done, offset_src=done)


READERS = [read_all, read_all_into, read_file]
WRITERS = [write_all, write_parts, write_file, write_unbuffered, send_file, splice_file]


def through_a_pipe(number):
    data = message()
    reads, writes = os.pipe()

    def write():
        WRITERS[number % len(WRITERS)](writes, data)
        os.close(writes)

    writer = threading.Thread(target=write)
    writer.start()
    assert READERS[number % len(READERS)](reads) == data
    writer.join()
    finished.append(number)


def through_a_child(number):
    data = message()
    assert subprocess.run(["cat"], input=data, capture_output=True, check=True).stdout == data
    finished.append(number)


finished: list[int] = []
threads = [
    threading.Thread(target=task, args=(number,))
    for number in range(ROUNDS)
    for task in (through_a_pipe, through_a_child)
]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
sys.exit(len(finished) != 2 * ROUNDS)
