"""CPython's own test modules as the judge of `monkey_patch()`: what passes unpatched must pass patched.

    plan         which modules, which of them are quick, and how they are cut into units of one process each
    worker       runs inside the interpreter under test: patches first, then runs one unit, telling every step in a file
    interpreter  what there is to know about the interpreter under test
    process      one worker process: its scratch folder, its death with everything that it started
    driver       a unit from start to end: hangs, crashes, new starts for the remaining tests
    results      what a test did, and what it means that it did something else unpatched
    baseline     the unpatched results, kept in .venvs/caches/stdlib
    suite        all units, both ways, and the second and third look at everything that differs
    ledger       tests/stdlib/ledger.toml: what a green thread cannot do, with reasons
    report       the table, the list, the proposal for the ledger
    __main__     the command line

A test that differs is run again, alone in a fresh process, up to twice: it is a regression when it differs each time,
and unsteady otherwise. Unsteady tests are listed and fail nothing.
"""
