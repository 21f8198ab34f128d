"""`python -m greening.wsgi`: options, the supervisor, and its workers.

| | |
|---|---|
| what the user says | `cli` `options` `values` `checked` `config` `hooks` `application` |
| what is open before a process is forked | `binds` `observed` `logfile` `pidfile` `privileges` |
| the supervisor | `workers` `roster` `channel` `pulse` `deadlines` `backoff` `signals` `systemd` `preload` |
| a worker | `worker` `lifetime` `reload` `console` `last_words` `deadman` |
"""
