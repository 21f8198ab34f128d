"""The one place where wsproto is imported: its decoder of frames (RFC 6455 5). All else is ours."""

try:
    from wsproto.extensions import Extension as Extension
    from wsproto.frame_protocol import CloseReason as CloseReason
    from wsproto.frame_protocol import Frame as Frame
    from wsproto.frame_protocol import FrameDecoder as FrameDecoder
    from wsproto.frame_protocol import Opcode as Opcode
    from wsproto.frame_protocol import ParseFailed as ParseFailed
    from wsproto.frame_protocol import RsvBits as RsvBits
except ImportError:
    raise ImportError(
        "greening.websocket needs wsproto, an extra that is not installed: pip install greening-toolkit[websocket]"
    ) from None
