"""ssl, patched in place: contexts that existed before make cooperative sockets, and verify."""

import pytest
import trustme


@pytest.mark.slow
def test_a_context_made_before_patching_makes_cooperative_sockets_and_verifies(run_program, tmp_path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(tmp_path / "cert.pem")
    run_program(
        """
import socket, ssl, sys
client_side = ssl.create_default_context(cafile=sys.argv[1])
stranger = ssl.create_default_context()
server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
server_side.load_cert_chain(sys.argv[2])
import greening
greening.monkey_patch()

listener = socket.create_server(("127.0.0.1", 0))
def serve():
    while True:
        raw, _ = listener.accept()
        try:
            with server_side.wrap_socket(raw, server_side=True) as sock:
                sock.sendall(sock.recv(100).upper())
        except ssl.SSLError:
            pass
server = greening.spawn(serve)
with client_side.wrap_socket(socket.create_connection(listener.getsockname()), server_hostname="localhost") as sock:
    assert type(sock) is ssl.SSLSocket
    sock.sendall(b"hello")
    assert sock.recv(100) == b"HELLO"
with socket.create_connection(listener.getsockname()) as raw:
    try:
        stranger.wrap_socket(raw, server_hostname="localhost")
    except ssl.SSLCertVerificationError:
        pass
    else:
        raise AssertionError("not verified")
server.kill()
listener.close()
""",
        str(tmp_path / "ca.pem"),
        str(tmp_path / "cert.pem"),
    )
