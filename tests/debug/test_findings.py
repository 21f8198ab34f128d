"""How findings are said."""

from greening.debug.findings import Finding, earlier


def test_a_finding_is_a_place_and_beneath_it_what_to_do() -> None:
    finding = Finding("name", "a.b", "the unpatched time.sleep", "look time.sleep up when it is called")
    assert str(finding) == "a.b: the unpatched time.sleep\n    look time.sleep up when it is called"
    assert sorted([finding, Finding("lock", "z", "", "")])[0].kind == "lock"


def test_the_advice_is_to_patch_before_the_innermost_module_of_a_place_is_imported() -> None:
    assert earlier("greening.debug.findings.Finding.kind").endswith("before greening.debug.findings is imported")
    assert earlier("nowhere.at.all").endswith("at the top of the program")
