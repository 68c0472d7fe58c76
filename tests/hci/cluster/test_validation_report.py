from __future__ import annotations

import pytest

from include.hci.cluster.validation_report import TestResult, named, read_flags, read_report


def row(name: str, image: str, words: str = "wie es war") -> str:
    return (
        f'<tr><td><a href="&#xD;&#xA; #{len(name)}">{name}</a></td><td><result><IMG name="{image}"></result></td>'
        f"<td><description>{words}</description></td></tr>"
    )


def page(*rows: str) -> str:
    table = "\r\n".join(rows)
    return f'<html lang="de-DE"><META charset="utf-8"><body><h2>Ergebnisse</h2><table>{table}</table><br></body></html>'


@pytest.mark.parametrize(
    ("image", "outcome"),
    [
        ("SuccessImg", "passed"),
        ("WarningImg", "warned"),
        ("FailedImg", "failed"),
        ("NotRunImg", "not-run"),
        ("CanceledImg", "not-run"),
        ("ErrorImg", "failed"),
        ("SomethingNewImg", "failed"),
    ],
)
def test_a_row_is_read_by_the_name_of_its_image_and_not_by_its_words(image, outcome):
    assert read_report(page(row("Netzwerk &amp; mehr", image, "Erfolg"))) == (TestResult("Netzwerk & mehr", outcome),)


def test_of_two_rows_with_one_name_the_worse_counts():
    found = read_report(
        page(row("A", "WarningImg"), row("A", "SuccessImg"), row("B", "SuccessImg"), row("B", "FailedImg"))
    )
    assert found == (TestResult("A", "warned"), TestResult("B", "failed"))
    assert (named(found, "warned"), named(found, "failed"), named(found, "not-run")) == (("A",), ("B",), ())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<html>",
        "no page at all",
        "<table><tr><td>Success</td></tr></table>",
        '<tr><a href="#1">x</a><IMG name="SuccessImg"></tr>',
    ],
)
def test_what_has_no_row_with_a_result_says_nothing(text):
    assert read_report(text) == ()


@pytest.mark.parametrize(
    ("warnings", "flags"),
    [
        ((), set()),
        (("Network - Validate: The test reported some warnings..",), set()),
        (
            ("\r\nTestergebnis:\r\nHadUnselectedTests, ClusterConditionallyApproved\r\nDie Tests sind fertig.\r\n",),
            {"HadUnselectedTests", "ClusterConditionallyApproved"},
        ),
        (("\r\nTest Result:\r\nClusterNotApproved\r\n", "Danach"), {"ClusterNotApproved"}),
        (("Warnung",), set()),
    ],
)
def test_the_flags_of_the_whole_are_found_in_any_language(warnings, flags):
    assert read_flags(warnings) == flags
