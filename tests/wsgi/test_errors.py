"""The errors of the protocol, and the page that answers them."""

import pytest

from greening.wsgi.errors import BadBody, Refused, page


def test_a_refusal_says_its_status_and_why() -> None:
    error = Refused(431, "head too long")
    assert (error.status, error.why, str(error)) == (431, "head too long", "431: head too long")


def test_a_bad_body_is_an_oserror_with_a_status() -> None:
    error = BadBody(408, "the body comes too slowly")
    assert isinstance(error, OSError)
    assert (error.status, error.why, str(error)) == (408, "the body comes too slowly", "the body comes too slowly")


def test_a_page_says_what_its_status_line_says() -> None:
    assert page(404) == (b"404 Not Found", b"404 Not Found\n")


def test_a_page_may_have_another_text() -> None:
    assert page(500, "Traceback \u20ac \ud800") == (b"500 Internal Server Error", b"Traceback \xe2\x82\xac \\ud800")


def test_what_is_no_status_has_no_page() -> None:
    with pytest.raises(ValueError):
        page(299)
