"""What `python -m gevent.monkey`, which takes only files, runs in the start-up row."""
