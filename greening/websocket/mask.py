"""Masking (RFC 6455 5.3): XOR with four octets, over and over."""

_TABLES = [bytes(octet ^ key for octet in range(256)) for key in range(256)]
_SHORT = 512  # octets: up to here one big integer is faster than four passes of translation


def masked(data: bytes, key: bytes) -> bytes | bytearray:
    """`data` masked, or unmasked. key: four octets."""
    size = len(data)
    if size <= _SHORT:
        keys = (key * (size // 4 + 1))[:size]
        return (int.from_bytes(data, "little") ^ int.from_bytes(keys, "little")).to_bytes(size, "little")
    octets = bytearray(data)
    for at in range(4):
        octets[at::4] = octets[at::4].translate(_TABLES[key[at]])
    return octets
