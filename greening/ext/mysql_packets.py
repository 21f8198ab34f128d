"""Whether the answer of a MySQL server has arrived as a whole, told by its bytes.

libmysqlclient and libmariadb read an answer in calls that block, and say nothing of what is still to come. Most answers
are short and there at once: then the calls return without waiting, and need no OS thread of their own.

An answer counts as whole only if that is certain. Under TLS and compression it never is: their bytes say nothing here.

Source: MySQL's documentation of its protocol, "MySQL Packets", "OK_Packet", "EOF_Packet", "Text Resultset".
"""

_OK, _EOF, _ERROR = 0x00, 0xFE, 0xFF
_MORE_RESULTS = 0x0008  # of the status flags
_LARGEST_EOF = 9  # bytes; a row that begins with 0xFE is longer
_HEADER = 4  # bytes: a length of three, and a number
_LENGTHS = {0xFC: 3, 0xFD: 4, 0xFE: 9}  # bytes of an integer of variable length, by its first byte


def is_whole(data: bytes) -> bool:
    """True if `data` is a whole answer to a query, with nothing after it.

    Args:
        data: what has come since the query was sent.
    """
    packets = []
    position = 0
    while position + _HEADER <= len(data):
        end = position + _HEADER + int.from_bytes(data[position : position + 3], "little")
        packets.append((position + _HEADER, end))
        position = end
    if position != len(data) or not packets:
        return False
    first = data[slice(*packets[0])]
    last = data[slice(*packets[-1])]
    if not first or not last:
        return False
    if len(packets) == 1:
        return first[0] == _ERROR or (first[0] == _OK and _is_last(first))
    # The number of columns, as many descriptions, perhaps an EOF, rows, and an EOF.
    columns = first[0]
    if len(packets) <= columns + 2 or columns >= 0xFB:
        return False
    return last[0] == _ERROR or (last[0] == _EOF and len(last) < _LARGEST_EOF and _is_last(last))


def _is_last(packet: bytes) -> bool:
    """Whether an OK packet, or an EOF packet of either kind, announces no further result."""
    if packet[0] == _EOF and len(packet) == 5:  # the old kind: the number of warnings, and the status
        at = 3
    else:
        at = 1
        for _ in range(2):  # affected rows, and the last id
            if at >= len(packet):
                return False
            at += _LENGTHS.get(packet[at], 1)
    status = packet[at : at + 2]
    return len(status) == 2 and not int.from_bytes(status, "little") & _MORE_RESULTS
