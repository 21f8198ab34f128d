"""permessage-deflate (RFC 7692): what two sides agree on."""

from dataclasses import dataclass

from greening.websocket.headers import Offer

NAME = "permessage-deflate"
# Base-2 logarithm of the window, in bytes: what we choose or ask for, if nobody says otherwise. A window of 4 KiB
# compresses small messages about as well as one of 32 KiB, and a connection costs a fifth.
OUR_BITS = 12


@dataclass(frozen=True)
class Agreement:
    """How both sides compress. Bits: base-2 logarithm of the window. reset: every message begins with an empty one."""

    server_bits: int = 15
    client_bits: int = 15
    server_reset: bool = False
    client_reset: bool = False


def accept(offers: list[Offer], most_bits: int = OUR_BITS) -> tuple[str, Agreement] | None:
    """The server's part: the first offer that can be met, as field value and agreement; None: do not compress.

    Args:
        most_bits: base-2 logarithm of the largest window, 9 to 15.
    """
    for name, parameters in offers:
        said = _understood(parameters) if name == NAME else None
        if said is None or said.get("server_max_window_bits") is True:
            continue
        # zlib cannot do windows of 256 bytes.
        if 8 in (said.get("server_max_window_bits"), said.get("client_max_window_bits")):
            continue
        server_bits = min(most_bits, int(said.get("server_max_window_bits", 15)))
        answer = [NAME]
        if server_bits < 15 or "server_max_window_bits" in said:
            answer.append(f"server_max_window_bits={server_bits}")
        client_bits = 15
        wish = said.get("client_max_window_bits")
        if wish is not None:
            client_bits = most_bits if wish is True else min(most_bits, wish)
            answer.append(f"client_max_window_bits={client_bits}")
        resets = [side in said for side in ("server_no_context_takeover", "client_no_context_takeover")]
        answer += [
            f"{side}_no_context_takeover" for side, reset in zip(("server", "client"), resets, strict=True) if reset
        ]
        return "; ".join(answer), Agreement(server_bits, client_bits, *resets)
    return None


def offer(most_bits: int = OUR_BITS) -> str:
    """The client's part: the field value. most_bits: as for `accept`."""
    return f"{NAME}; client_max_window_bits; server_max_window_bits={most_bits}, {NAME}; client_max_window_bits"


def conclude(answers: list[Offer]) -> Agreement | None:
    """The client's part: what the server made of `offer`; None: it does not compress.

    Raises:
        ValueError: that cannot be an answer to it.
    """
    if not answers:
        return None
    name, parameters = answers[0]
    said = _understood(parameters)
    if len(answers) > 1 or name != NAME or said is None or True in (said.get(f"{s}_max_window_bits") for s in _SIDES):
        raise ValueError("the server uses an extension in a way that it was not offered")
    client_bits = int(said.get("client_max_window_bits", 15))
    if client_bits == 8:
        raise ValueError("the server wants a window that zlib cannot do")
    return Agreement(
        max(9, int(said.get("server_max_window_bits", 15))),
        min(client_bits, 15),
        "server_no_context_takeover" in said,
        "client_no_context_takeover" in said,
    )


_SIDES = ("server", "client")
_BITS = {str(bits): bits for bits in range(8, 16)}


def _understood(parameters: list[tuple[str, str | None]]) -> dict[str, int | bool] | None:
    """By name; True: no value. None: one of them is unknown, there twice, or has a value that it cannot have."""
    said: dict[str, int | bool] = {}
    for name, value in parameters:
        side, _, what = name.partition("_")
        known = side in _SIDES and what in ("max_window_bits", "no_context_takeover")
        if not known or name in said:
            return None
        if value is None:
            said[name] = True
        elif what == "max_window_bits" and value in _BITS:
            said[name] = _BITS[value]
        else:
            return None
    return said
