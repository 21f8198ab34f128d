"""How a connection string becomes attempts."""

import pytest

from greening.ext.libpq_attempts import Parameters, attempts

NAMES = {"db": ["10.0.0.1", "fd00::1"], "spare": ["10.0.0.2"]}


def look_up(name: str) -> list[str]:
    if name not in NAMES:
        raise OSError(f"no {name}")
    return NAMES[name]


def places(found: list[Parameters]) -> list[tuple[str, ...]]:
    return [tuple(one.get(name, "") for name in ("host", "hostaddr", "port")) for one in found]


def of(environment: dict[str, str] | None = None, **params: str) -> list[Parameters]:
    return attempts(params, environment or {}, look_up)


@pytest.mark.parametrize(
    "params", [{}, {"host": "/run/postgresql"}, {"host": "@abstract"}, {"host": "10.1.1.1"}, {"host": "::1"}]
)
def test_what_needs_no_look_up_is_one_attempt_as_it_is(params: dict[str, str]) -> None:
    assert of(**params, dbname="x") == [{**params, "dbname": "x"}]


def test_an_address_that_is_given_is_used_and_no_name_looked_up() -> None:
    assert of(host="unknown", hostaddr="10.1.1.1,10.1.1.2"[:8]) == [{"host": "unknown", "hostaddr": "10.1.1.1"}]


def test_each_address_of_a_name_is_an_attempt() -> None:
    assert places(of(host="db", port="5433")) == [("db", "10.0.0.1", "5433"), ("db", "fd00::1", "5433")]


def test_hosts_have_their_own_ports() -> None:
    found = of(host="spare,10.1.1.1,/run", port="1,2,3")
    assert places(found) == [("spare", "10.0.0.2", "1"), ("10.1.1.1", "", "2"), ("/run", "", "3")]


def test_the_environment_says_what_the_string_does_not() -> None:
    assert places(of({"PGHOST": "spare", "PGPORT": "7"})) == [("spare", "10.0.0.2", "7")]


def test_a_name_that_is_unknown_is_skipped_unless_there_is_no_other() -> None:
    assert places(of(host="nowhere,spare")) == [("spare", "10.0.0.2", "")]
    with pytest.raises(OSError, match='could not translate host name "elsewhere" to address: no elsewhere'):
        of(host="nowhere,elsewhere")


def test_numbers_that_do_not_match_are_refused() -> None:
    with pytest.raises(ValueError, match="2 ports for 3 hosts"):
        of(host="db,db,db", port="1,2")
    with pytest.raises(ValueError, match="2 host names and 1 host addresses"):
        of(host="db,db", hostaddr="10.1.1.1")


def test_all_are_asked_as_standby_first() -> None:
    found = of(host="10.1.1.1,10.1.1.2", target_session_attrs="prefer-standby")
    assert [(one["host"], one["target_session_attrs"]) for one in found] == [
        ("10.1.1.1", "standby"),
        ("10.1.1.2", "standby"),
        ("10.1.1.1", "any"),
        ("10.1.1.2", "any"),
    ]


def test_the_order_may_be_left_to_chance() -> None:
    hosts = ",".join(f"10.1.1.{number}" for number in range(40))
    found = [one["host"] for one in of(host=hosts, load_balance_hosts="random")]
    assert sorted(found) == sorted(hosts.split(","))
    assert found != hosts.split(",")
