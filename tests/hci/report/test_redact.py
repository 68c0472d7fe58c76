from __future__ import annotations

import time

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
        (r'{"password": "ge\"he im", "a": 1}', '{"password": ***, "a": 1}'),
        ("<Password>ge heim</Password>", "<Password>***</Password>"),
        ('<S N="Password">ge heim</S>', '<S N="Password">***</S>'),
        ("ConvertTo-SecureString 'ge heim' -AsPlainText", "ConvertTo-SecureString *** -AsPlainText"),
        ("ConvertTo-SecureString -String geheim -Force", "ConvertTo-SecureString -String *** -Force"),
        (r"password: C:\ge, why: \"no\"", r"password: ***, why: \"no\""),
    ],
)
def test_texts_lose_what_looks_like_a_secret_and_keep_the_rest(text: str, clean: str):
    assert Redactor().text(text) == clean


@pytest.mark.parametrize("text", ["-" * 20_000, "a-" * 10_000, "x" * 20_000, "password" * 2_500, "<" * 20_000])
def test_a_very_long_line_is_looked_through_in_no_time(text: str):
    began = time.process_time()
    Redactor().text(f"token {text}")
    assert time.process_time() - began < 5


def test_known_secrets_are_hidden_wherever_they_stand():
    redactor = Redactor(["Str0ng", "Str0ng!Pass", "ab", ""])
    cleaned = redactor.clean(
        {"error": "cannot log on with Str0ng!Pass.", "Str0ng": ["xStr0ngx", 5, None, True], "ab": "ab"}
    )
    assert cleaned == {"error": "cannot log on with ***.", "***": ["x***x", 5, None, True], "ab": "ab"}
    assert "Str0ng" not in repr(redactor)
