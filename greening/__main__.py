"""`python -m greening`: see `_cli`."""

from greening._cli import main

main()
