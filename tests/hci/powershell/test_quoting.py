from __future__ import annotations

import pytest

from include.hci.powershell.quoting import quoted


@pytest.mark.parametrize(
    ("text", "literal"),
    [
        ("VM1", "'VM1'"),
        ("Bob's VM", "'Bob''s VM'"),
        # PowerShell takes each of these for a single quote as well.
        ("Bob\u2019s VM", "'Bob\u2019\u2019s VM'"),
        ("\u2018a\u201a\u201b", "'\u2018\u2018a\u201a\u201a\u201b\u201b'"),
        ("x'; Remove-VM *; '", "'x''; Remove-VM *; '''"),
        ('$(calc) "quoted" `n', "'$(calc) \"quoted\" `n'"),
        ("", "''"),
    ],
)
def test_nothing_in_a_name_ends_the_literal_that_a_person_copies(text: str, literal: str):
    assert quoted(text) == literal
