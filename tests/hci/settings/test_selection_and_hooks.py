from __future__ import annotations

import pytest
from pydantic import ValidationError

from include.hci.settings.hooks import HookCommand
from include.hci.settings.selection import UpdateSelection

HOOK = {"when": "node-leaves", "connection": "monitoring", "command": "Set-Maintenance"}


@pytest.mark.parametrize(
    ("given", "article"),
    [("KB5044288", "KB5044288"), ("kb5044288", "KB5044288"), ("5044288", "KB5044288"), (5044288, "KB5044288")],
)
def test_an_article_is_named_in_one_way(given, article):
    assert UpdateSelection.model_validate({"accept_kbs": [given]}).accept_kbs == (article,)


@pytest.mark.parametrize(
    "wrong",
    [
        {"accept_kbs": ["KB12"]},
        {"reject_kbs": ["5044288 or 1"]},
        {"accept_kbs": [True]},
        {"accept_categories": ["Security"]},
        {"reject_titles": ["("]},
        {"reject_titles": [""]},
        {"minimum_age_days": -1},
        {"minimum_age_days": 366},
        {"minimum_age": 5},
    ],
)
def test_rules_that_cannot_be_are_refused(wrong):
    with pytest.raises(ValidationError):
        UpdateSelection.model_validate(wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        {"command": "Set-Maintenance; Restart-Computer"},
        {"command": "{ Get-Process }"},
        {"command": "notify.ps1"},
        {"command": ""},
        {"when": "sometimes"},
        {"parameters": {"Name; x": "y"}},
        {"parameters": {"Name": "{password}"}},
        {"parameters": {"Name": "{}"}},
        {"parameters": {"Name": ["a"]}},
        {"when": "run-begins", "parameters": {"Name": "{node}"}},
        {"parameters": {"Password": "x"}},
        {"parameters": {"AuthToken": "x"}},
        {"parameters": {"ClientSecret": "x"}},
        {"parameters": {"XApiKey": "x"}},
        {"timeout_seconds": 0},
        {"script": "x"},
        {"connection": "no spaces"},
    ],
)
def test_a_hook_is_a_command_with_parameters_and_never_a_script(wrong):
    with pytest.raises(ValidationError):
        HookCommand.model_validate(HOOK | wrong)


def test_values_of_parameters_keep_their_kinds():
    hook = HookCommand.model_validate(HOOK | {"parameters": {"Minutes": 90, "Quiet": True, "Text": "{node} 1"}})
    assert dict(hook.parameters) == {"Minutes": 90, "Quiet": True, "Text": "{node} 1"}
    assert type(hook.parameters["Quiet"]) is bool
