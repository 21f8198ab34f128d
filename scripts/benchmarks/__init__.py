"""The benchmark room behind `scripts/bench`: greening against its peers, by CPU time of the measured process.

    options  __main__      the command line; the run from environment to report
    peers  rows  ext_rows  data: which peers, what is measured of them, which ratios are wanted; those of `--ext`
    environment            the virtual environment of the peers, the compiled C programs, the two cores
    processes              a child process that answers one JSON line per command, and its CPU clock
    families/              one file per kind of row: how a peer is set up and how one sample of it is taken
    measure  report        interleaved rounds; medians, paired ratios, the table and the JSON file
    inside/                what runs inside the measured processes (the adapters of the peers and the loops)
    c/                     load: the load generator (TLS with OpenSSL, handshakes of WebSocket); churn: the same with
                           short connections; echo: the floor, as little CPU as a server can use; http: the clients'
                           server
    load.py                the slow stand-in for load.c on machines without a C compiler, or without OpenSSL for it
    draw                   --plot: the table as a picture

A new row is a line in `rows`; a new kind of row is a file in `families` and one line in its table; a new peer is an
entry in `peers`, and an adapter in `inside` if its API is none of those there.
"""
