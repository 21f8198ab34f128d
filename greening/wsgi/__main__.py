"""`python -m greening.wsgi`: see `cli`."""

from greening.wsgi.cli import main

if __name__ == "__main__":
    main()
