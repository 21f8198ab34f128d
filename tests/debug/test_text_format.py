"""Families of samples as the lines of Prometheus's text format."""

from greening.debug.text_format import braces, families_of, text_of


def test_a_family_is_its_description_its_type_and_its_samples() -> None:
    families = [("a", "gauge", "What a is.", [("", 1), ('{x="y"}', 0.1)]), ("b", "counter", "What b is.", [])]
    assert text_of("p_", families).splitlines() == [
        "# HELP p_a What a is.",
        "# TYPE p_a gauge",
        "p_a 1",
        'p_a{x="y"} 0.1',
        "# HELP p_b What b is.",
        "# TYPE p_b counter",
    ]


def test_values_of_labels_are_escaped() -> None:
    assert braces(one='a"b', two="c\\d\ne") == r'{one="a\"b",two="c\\d\ne"}'


def test_a_row_is_a_family_with_a_sample_for_each_thing() -> None:
    rows = [("real", "gauge", "The real part.", "real"), ("imag", "gauge", "The other.", "imag")]
    assert list(families_of(rows, [('{x="1"}', 1 + 2j), ('{x="2"}', 3 + 4j)])) == [
        ("real", "gauge", "The real part.", [('{x="1"}', 1.0), ('{x="2"}', 3.0)]),
        ("imag", "gauge", "The other.", [('{x="1"}', 2.0), ('{x="2"}', 4.0)]),
    ]
