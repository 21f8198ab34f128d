"""The programs behind `scripts/attack`: clients that cost a server more than they should, and what they cost it.

    __main__       the command line; one server process for each attack, the table, and whether the promises hold
    attacks        data: what the attacks are, which servers they are for, and what SECURITY.md promises under each
    attackers      the clients, in a process of their own: python -m attacks.attackers NAME PORT COUNT
    application    what the attacked server serves
    server         the server's process: its memory, its CPU time, and the wait of an honest client

A new attack is a function in `attackers`, a line in its `BY_NAME`, and a line in `attacks`.
"""
