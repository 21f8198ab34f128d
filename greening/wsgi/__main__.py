"""`python -m greening.wsgi`: see `cli`."""

from greening.wsgi.command.cli import main

if __name__ == "__main__":
    main()
