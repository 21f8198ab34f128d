"""The benchmark room behind `scripts/bench`: greening against its peers, by CPU time of the measured process.

    options  __main__      the command line; the run from environment to report
    peers  rows            data: who is measured, what is measured, which ratios are wanted
    environment            the virtual environment of the peers, the compiled C programs, the two cores
    processes              a child process that answers one JSON line per command, and its CPU clock
    families/              one file per kind of row: how a peer is set up and how one sample of it is taken
    measure  report        interleaved rounds; medians, paired ratios, the table and the JSON file
    inside/                what runs inside the measured processes (the adapters of the peers and the loops)
    load.c  load.py        the load generator, and its slow stand-in for machines without a C compiler
    echo.c                 plain C on epoll: as little CPU as an echo server can use

A new row is a line in `rows`; a new kind of row is a file in `families` and one line in its table; a new peer is an
entry in `peers`, and an adapter in `inside` if its API is none of those there.
"""
