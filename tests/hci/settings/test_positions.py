from __future__ import annotations

import pytest

from include.hci.settings.positions import YamlProblem, read_yaml


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: 1:30:00", "1:30:00"),
        ("a: 08:00:00", "08:00:00"),
        ("a: no", "no"),
        ("a: true", True),
        ("a: FALSE", False),
        ("a: 12", 12),
        ("a: -3", -3),
        ("a: 007", "007"),
        ("a: 0x1f", "0x1f"),
        ("a: 1.5", 1.5),
        ("a: 20e2", "20e2"),
        ("a: 2026-11-03", "2026-11-03"),
        ("a: '12'", "12"),
        ("a: \"true\"", "true"),
        ("a:", None),
        ("a: ~", None),
        ("a: [1, b]", [1, "b"]),
        ("a: {b: 1}", {"b": 1}),
        ("a: |\n  x\n", "x\n"),
        ("x: &n [1]\na: *n", [1]),
    ],
)  # fmt: skip
def test_plain_values_are_read_as_the_core_schema_reads_them(text: str, value: object):
    document = read_yaml(text)
    assert isinstance(document.value, dict)
    found = document.value["a"]
    assert (found, type(found)) == (value, type(value))


def test_every_key_and_entry_has_its_line_and_the_missing_one_that_of_its_surroundings():
    document = read_yaml("a:\n  b:\n    - c: 1\n    - d\n\ne: {f: 2}\n")
    assert [document.line(place) for place in [("a",), ("a", "b", 0, "c"), ("a", "b", 1), ("e", "f")]] == [1, 3, 4, 6]
    assert document.line(("a", "b", 0, "missing", "deep")) == 3
    assert document.line(("nowhere",)) == 1


def test_keys_are_texts_and_a_second_one_is_reported_while_the_first_one_stays():
    document = read_yaml("1: a\n1: b\n")
    assert document.value == {"1": "a"}
    assert [(twice.location, twice.line, twice.first_line) for twice in document.duplicates] == [(("1",), 2, 1)]


@pytest.mark.parametrize("text", ["? [a]\n: b\n", "a: !secret x\n", "a: &a {b: *a}\n", "a: [\n", "a: b: c\n"])
def test_what_settings_do_not_use_is_refused_with_a_line(text: str):
    with pytest.raises(YamlProblem) as caught:
        read_yaml(text)
    assert caught.value.line is not None
