"""Values that other parts of the server check: what is let in, and what the user is told otherwise."""

import pytest

from greening.wsgi.command import checked
from greening.wsgi.command.values import Kind


@pytest.mark.parametrize(
    ("text", "value"),
    [("-", "-"), ("a.log", "a.log"), ("off", "off"), ("False", "off"), ("0", "off"), ("on", "-"), ("true", "-")],
)
def test_where_an_access_log_goes(text: str, value: str) -> None:
    assert checked.ACCESS_LOG.parse(text) == value


def test_a_toml_file_may_say_true_and_false_of_an_access_log() -> None:
    assert checked.ACCESS_LOG.of_toml(False) == "off"
    assert checked.ACCESS_LOG.of_toml(True) == "-"
    assert checked.ACCESS_LOG.of_toml("a.log") == "a.log"


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (checked.FORMAT, "%(path)s %({x-id}i)s"),
        (checked.TRUSTED, "10.0.0.0/8,unix"),
        (checked.FORWARDED, "x-forwarded-for,forwarded"),
        (checked.FORWARDED, checked.ALL_FORWARDED),
        (checked.STATSD, "localhost:8125"),
        (checked.STATIC, "/x=."),
        (checked.SNI, "a.org=cert.pem,key.pem"),
        (checked.CERT_REQS, "optional"),
        (checked.CERT_REQS, "2"),
        (checked.TLS_VERSION, "TLSv1.3"),
        (checked.CIPHERS, "ECDHE+AESGCM"),
    ],
)
def test_what_is_right_stays_as_it_is(kind: Kind, text: str) -> None:
    assert kind.parse(text) == text


@pytest.mark.parametrize(
    ("kind", "text", "problem"),
    [
        (checked.ACCESS_LOG, "", "it is empty"),
        (checked.FORMAT, "%(pth)s", "there is no field pth; is path meant"),
        (checked.FORMAT, "%(zzzzzz)s", "there is no field zzzzzz$"),
        (checked.FORMAT, "%s %s", "fields are named"),
        (checked.FORMAT, "%(path", "incomplete"),
        (checked.TRUSTED, "10.0.0.0/99", "no address"),
        (checked.FORWARDED, "x-forwarded-fro", "none of"),
        (checked.STATSD, "a:b", "HOST:PORT"),
        (checked.STATIC, "/x=no-such-folder", "no folder"),
        (checked.STATIC, "x", "/URL=FOLDER"),
        (checked.SNI, "a", "HOST=CERT"),
        (checked.CERT_REQS, "3", "none of none, optional, required"),
        (checked.TLS_VERSION, "1.3", "none of TLSv1.2, TLSv1.3"),
        (checked.CIPHERS, "nonsense", "none of these ciphers"),
    ],
)
def test_what_is_wrong_is_told(kind: Kind, text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        kind.parse(text)
