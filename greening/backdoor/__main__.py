"""`python -m greening.backdoor`."""

from greening.backdoor.client import main

if __name__ == "__main__":
    main()
