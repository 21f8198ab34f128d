"""Which workers are missing, and which are to leave."""

from typing import Any

from greening.wsgi.command.channel import Child
from greening.wsgi.command.roster import Roster

NOTHING: Any = None  # no worker is spoken to here


def add(roster: Roster, ready: bool = True, template: bool = False) -> Child:
    child = Child(len(tuple(roster)) + 1, NOTHING, roster.generation, template)
    child.ready = ready
    roster.add(child)
    roster.proven = roster.proven or (ready and not template)
    return child


def reload(roster: Roster) -> None:
    roster.generation += 1
    roster.proven = False


def test_the_first_worker_goes_ahead() -> None:
    roster = Roster(3)
    assert not roster
    assert roster.missing()
    first = add(roster, ready=False)
    assert not roster.missing()
    first.ready = roster.proven = True
    assert roster.missing()
    add(roster)
    add(roster)
    assert not roster.missing()
    roster.remove(first)
    assert roster.missing()


def test_a_worker_that_was_told_to_end_is_none() -> None:
    roster = Roster(1)
    only = add(roster)
    only.leaving = True
    assert roster.missing()
    assert roster.present() == []
    assert list(roster) == [only]


def test_a_new_generation_takes_the_place_of_the_old_one_by_one() -> None:
    roster = Roster(2)
    old = [add(roster), add(roster)]
    reload(roster)
    assert roster.missing()
    assert roster.previous() == old
    assert roster.surplus() == []
    add(roster)
    assert roster.surplus() == old[:1]
    old[0].leaving = True
    assert roster.missing()
    add(roster)
    assert roster.surplus() == old[1:]


def test_a_generation_that_fails_leaves_the_old_one() -> None:
    roster = Roster(1)
    old, template = add(roster), add(roster, template=True)
    reload(roster)
    new = add(roster, ready=False)
    new.failed = True
    assert not roster.missing()
    assert roster.keep_previous()
    assert old in roster.present()
    assert roster.template() is template
    assert not Roster(1).keep_previous()


def test_those_that_want_to_leave_have_one_successor_at_a_time() -> None:
    roster = Roster(2)
    first, second = add(roster), add(roster)
    first.retiring = second.retiring = True
    assert roster.missing()
    successor = add(roster, ready=False)
    assert not roster.missing()
    assert roster.surplus() == []
    successor.ready = True
    assert roster.surplus() == [first]
    first.leaving = True
    assert roster.missing()  # the second one's
    add(roster)
    assert roster.surplus() == [second]
    second.leaving = True
    assert not roster.missing()


def test_fewer_workers() -> None:
    roster = Roster(3)
    children = [add(roster) for _ in range(3)]
    children[1].retiring = True
    roster.count = 1
    assert roster.surplus() == [children[1], children[2]]


def test_a_template_serves_nothing() -> None:
    roster = Roster(1)
    template = add(roster, template=True)
    assert roster.missing()
    assert roster.present() == []
    assert roster.template() is template
    reload(roster)
    assert roster.template() is None
    assert roster.templates() == [template]


def test_an_old_worker_comes_again_from_the_old_template_while_the_new_one_loads() -> None:
    roster = Roster(2)
    old_template, old, other = add(roster, template=True), add(roster), add(roster)
    reload(roster)
    new_template = add(roster, ready=False, template=True)
    assert roster.wanted() == 0
    roster.remove(old)
    assert roster.wanted() == 1
    assert roster.template(1) is old_template
    new_template.ready = True
    assert roster.wanted() == 2
    add(roster, ready=False)
    assert roster.wanted() == 1
    roster.remove(old_template)
    assert roster.wanted() == 0
    assert roster.previous() == [other]


def test_what_is_watched() -> None:
    roster = Roster(3)
    loading, failed, aborted, template = (add(roster, ready=False) for _ in range(4))
    failed.failed, aborted.deadline, template.template = True, 1.0, True
    assert roster.watched() == [loading, template]
    template.ready = True
    assert roster.watched() == [loading]
