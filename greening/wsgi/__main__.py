"""`python -m greening.wsgi`: see `command.cli`."""

from greening.wsgi.command.cli import main

if __name__ == "__main__":
    main()
