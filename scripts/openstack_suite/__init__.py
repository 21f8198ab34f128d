"""What `scripts/openstack` runs: other projects' programs, which stand on eventlet, on eventlet and on greening.

    __main__     the command line
    suites       which suites there are, as data
    places       an environment of their own under .venvs, and the sources that are unpacked there
    running      runs one suite on one side, in processes of its own
    report       compares the sides, test by test, and prints the table
    swift_cluster    a real Swift on both sides in one run: servers and daemons (swift_servers), clients that load it
                     (swift_clients), damage that its daemons mend (swift_damage), signals (swift_signals)
    explained.toml   differences that are known, each with its reason
    requirements/    releases, as they were when the table was made

These run inside the suites' processes:
    recorder, unittest_recorder   write the outcome of each test as soon as it is known
    programs/    gunicorn, Celery, Flask-SocketIO, oslo.messaging over RabbitMQ, eventlet's examples
"""
