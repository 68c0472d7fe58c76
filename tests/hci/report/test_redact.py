from __future__ import annotations

import pytest

from include.hci.report.redact import Redactor, is_secret_key


@pytest.mark.parametrize(
    "key",
    ["password", "Password", "db_password", "dbPassword", "client_secret", "AccessToken", "token", "api_key", "apiKey",
     "private-key", "Credential", "credentials", "Authorization", "passwd", "connection_string", "PASSWORD"],
)  # fmt: skip
def test_secret_keys_are_known(key: str):
    assert is_secret_key(key)
    assert Redactor().clean({"a": [{key: "geheim"}]}) == {"a": [{key: "***"}]}


@pytest.mark.parametrize("key", ["node", "passes", "install_pass", "max_passes_per_node", "why", "secretary"])
def test_other_keys_keep_their_values(key: str):
    assert not is_secret_key(key)
    assert Redactor().clean({key: "value"}) == {key: "value"}


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("login failed, password=geheim; next", "login failed, password=***; next"),
        ('{"password": "ge heim", "a": 1}', '{"password": ***, "a": 1}'),
        ("New-Thing -Password 'ge heim' -Name x", "New-Thing -Password *** -Name x"),
        ("Authorization: Basic dXNlcjpnZWhlaW0=", "Authorization: ***"),
        ("sent Bearer abcdefghijklmnop.qrst to it", "sent Bearer *** to it"),
        ("psrp://user:geheim@host:5986/x", "psrp://user:***@host:5986/x"),
        ("the password of the node has expired", "the password of the node has expired"),
        ("negotiate failed with basic settings", "negotiate failed with basic settings"),
        ("install pass 2 of 4", "install pass 2 of 4"),
    ],
)
def test_texts_lose_what_looks_like_a_secret_and_keep_the_rest(text: str, clean: str):
    assert Redactor().text(text) == clean


def test_known_secrets_are_hidden_wherever_they_stand():
    redactor = Redactor(["Str0ng", "Str0ng!Pass", "ab", ""])
    cleaned = redactor.clean(
        {"error": "cannot log on with Str0ng!Pass.", "Str0ng": ["xStr0ngx", 5, None, True], "ab": "ab"}
    )
    assert cleaned == {"error": "cannot log on with ***.", "***": ["x***x", 5, None, True], "ab": "ab"}
    assert "Str0ng" not in repr(redactor)
