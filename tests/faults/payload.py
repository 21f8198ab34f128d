"""Bytes that can be told apart, for the programs of this folder. FAULTS_SEED chooses them."""

import os
import random

dice = random.Random(os.environ.get("FAULTS_SEED", "1"))


def message(most: int = 300_000) -> bytes:
    """Small ones are frequent, and one in ten is up to `most` bytes long."""
    size = dice.randrange(1, dice.choice([10, 100, 1000, 5000, 20_000] * 2 + [most]))
    return dice.randbytes(size)
