from __future__ import annotations

import pickle
from dataclasses import replace
from typing import Any

import pytest

from include.hci.powershell.connection import ConnectionSettings, secrets_of
from include.hci.powershell.extras import InvalidConnection
from include.hci.powershell.psrp import PsrpShell
from include.hci.powershell.transport import wsman_arguments
from include.hci.powershell.values import Secret

PASSWORD = "Correct-Horse-9!"


def read(extra: dict[str, Any] | None = None, **more: Any) -> ConnectionSettings:
    fields: dict[str, Any] = {"host": "hci01.contoso.local", "login": "updater", "password": PASSWORD, "port": None}
    return ConnectionSettings.from_connection(**(fields | more), extra=extra or {})


def test_https_with_a_checked_certificate_is_the_default() -> None:
    settings = read()
    assert settings.endpoint == "https://hci01.contoso.local:5986/wsman"
    assert settings.cert_validation
    assert settings.cautions == ()
    assert settings.configuration_name == "Microsoft.PowerShell"


def test_the_providers_extras_are_read_under_their_names() -> None:
    settings = read(
        {
            "auth": "kerberos",
            "cert_validation": False,
            "connection_timeout": 5,
            "locale": "de-DE",
            "read_timeout": 60,
            "reconnection_retries": 2,
            "reconnection_backoff": 0.5,
            "ssl": True,
            "configuration_name": "Hci.Updates",
        }
    )
    assert (settings.auth, settings.cert_validation, settings.connection_timeout) == ("kerberos", False, 5)
    assert (settings.locale, settings.read_timeout, settings.reconnection_retries) == ("de-DE", 60, 2)
    assert (settings.reconnection_backoff, settings.ssl, settings.configuration_name) == (0.5, True, "Hci.Updates")


def test_texts_as_in_a_connection_uri_are_understood() -> None:
    settings = read({"ssl": "False", "port": "15985", "operation_timeout": "5", "reconnection_backoff": "1.5"})
    assert settings.endpoint == "http://hci01.contoso.local:15985/wsman"
    assert (settings.operation_timeout, settings.read_timeout, settings.reconnection_backoff) == (5, 15, 1.5)


@pytest.mark.parametrize(
    ("port", "extra", "expected"),
    [
        (None, {}, 5986),
        (None, {"ssl": False}, 5985),
        (15986, {}, 15986),
        (None, {"port": 15986}, 15986),
        (15986, {"port": 15986}, 15986),
    ],
)
def test_the_port_comes_from_the_connection_or_its_extra(
    port: int | None, extra: dict[str, Any], expected: int
) -> None:
    assert read(extra, port=port).port == expected


@pytest.mark.parametrize("host", ["::1", "[::1]"])
def test_ipv6_addresses_may_stand_in_brackets(host: str) -> None:
    assert read(host=host).endpoint == "https://[::1]:5986/wsman"


def test_cert_validation_may_be_the_file_of_an_authority() -> None:
    assert read({"cert_validation": "/etc/ca.pem"}).ca == "/etc/ca.pem"
    assert wsman_arguments(read({"ca": "/etc/ca.pem"}))["cert_validation"] == "/etc/ca.pem"
    assert wsman_arguments(read())["cert_validation"] is True
    assert read({"cert_validation": "false"}).cert_validation is False


@pytest.mark.parametrize(
    ("extra", "complaint"),
    [
        ({"ssll": True}, "unknown key 'ssll'; the nearest known one is 'ssl'"),
        ({"cert_validaton": True}, "the nearest known one is 'cert_validation'"),
        ({"operation_time_out": 5}, "the nearest known one is 'operation_timeout'"),
        ({"zzz": 1}, "known are auth, ca, cert_validation"),
        ({"ssl": "yes"}, "'ssl' must be true or false, not 'yes' (str)"),
        ({"ssl": 1}, "'ssl' must be true or false, not 1 (int)"),
        ({"port": "high"}, "'port' must be a whole number, not 'high' (str)"),
        ({"port": True}, "'port' must be a whole number"),
        ({"reconnection_backoff": "slow"}, "'reconnection_backoff' must be a number"),
        (
            {"auth": "digest"},
            "'auth' must be one of basic, certificate, credssp, kerberos, negotiate, ntlm, not 'digest'",
        ),
        ({"encryption": "maybe"}, "'encryption' must be one of auto, always, never"),
        ({"configuration_name": ""}, "'configuration_name' must be a text"),
        ({"certificate_key_password": 12345}, "'certificate_key_password' must be a text, not a int"),
        ({"proxy": ["http://user:secret@proxy"]}, "'proxy' must be a text, not a list"),
        ({"port": 70000}, "port 70000"),
        ({"operation_timeout": 40, "read_timeout": 30}, "read_timeout (30 s) must be above operation_timeout (40 s)"),
        ({"connection_timeout": 0}, "connection_timeout must be at least 1"),
        ({"idle_timeout": 30}, "idle_timeout must be at least 60"),
        ({"reconnection_retries": 0, "reconnection_backoff": -1}, "below 0"),
        ({"ssl": False, "auth": "basic"}, "would send everything in the clear"),
        ({"ssl": False, "auth": "certificate"}, "needs HTTPS"),
        ({"auth": "certificate"}, "needs certificate_pem"),
        ({"auth": "basic", "encryption": "always"}, "cannot encrypt messages"),
        ({"ssl": False, "ca": "/etc/ca.pem"}, "ssl is false"),
        ({"cert_validation": False, "ca": "/etc/ca.pem"}, "cert_validation is false"),
        ({"proxy": "http://proxy:3128", "no_proxy": True}, "contradict"),
    ],
)
def test_what_is_wrong_is_named(extra: dict[str, Any], complaint: str) -> None:
    with pytest.raises(InvalidConnection) as caught:
        read(extra)
    assert complaint in str(caught.value)
    assert "hci01.contoso.local" in str(caught.value)
    assert "secret" not in str(caught.value)
    assert "12345" not in str(caught.value)


def test_a_host_with_a_password_in_it_is_refused_without_being_shown() -> None:
    with pytest.raises(InvalidConnection, match="have fields of their own") as caught:
        read({"ssll": True}, host="https://updater:Host-Secret-4@hci01")
    assert "Host-Secret-4" not in str(caught.value)


def test_basic_authentication_takes_only_what_it_can_carry() -> None:
    assert ConnectionSettings(host="hci01", auth="basic", user="jörg", password=Secret("Grüße"))
    with pytest.raises(InvalidConnection, match="cannot carry every character") as caught:
        ConnectionSettings(host="hci01", auth="basic", user="updater", password=Secret("Пароль-1"))
    assert "Пароль" not in str(caught.value)
    assert ConnectionSettings(host="hci01", auth="ntlm", user="updater", password=Secret("Пароль-1"))


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"host": None}, "not a name"),
        ({"host": "https://hci01"}, "leave out https://"),
        ({"host": "hci 01"}, "not a name"),
        ({"port": 1, "extra": {"port": 2}}, "keep one"),
        ({"password": None, "extra": {"auth": "basic"}}, "needs a login and a password"),
        ({"login": None, "extra": {"auth": "credssp"}}, "needs a login and a password"),
    ],
)
def test_wrong_fields_are_named(fields: dict[str, Any], complaint: str) -> None:
    with pytest.raises(InvalidConnection, match=complaint):
        read(**fields)


def test_messages_use_the_name_where_there_is_one() -> None:
    assert read(name="HCI01").node == "HCI01"
    assert read().node == "hci01.contoso.local"
    with pytest.raises(InvalidConnection, match="connection to HCI01"):
        read({"x": 1}, name="HCI01")


def test_sending_in_the_clear_must_be_spelt_out_and_is_warned_about() -> None:
    settings = read({"ssl": False, "auth": "basic", "encryption": "never"})
    (caution,) = settings.cautions
    assert "in the clear" in caution
    assert "not checked" in read({"cert_validation": False}).cautions[0]
    assert read({"ssl": False, "auth": "ntlm"}).cautions == ()


SECRETIVE: dict[str, Any] = {
    "auth": "certificate",
    "certificate_pem": "/c.pem",
    "certificate_key_pem": "/k.pem",
    "certificate_key_password": "Key-Pass-1",
    "proxy": "http://me:Proxy%20Pass-2@proxy:3128",
}


def test_secrets_are_never_shown() -> None:
    settings = read(SECRETIVE)
    shown = f"{settings!r} {settings} {settings.key()} {settings.cautions} {PsrpShell(settings)!r}"
    for secret in (PASSWORD, "Key-Pass-1", "Proxy%20Pass-2", "Proxy Pass-2"):
        assert secret not in shown
        assert secret in secrets_of(settings)


@pytest.mark.parametrize(
    "proxy",
    [
        "http://me:Pass-\u2100-3@proxy:3128",
        "http://me:Pass]-3@proxy:3128",
        "http://me:Pass-3#x@proxy:3128",
        "http://me:12#Pass-3@proxy:3128",
        "http://me:Pass-3/x@proxy:3128",
        "http://me:Pass-3?x@proxy:3128",
        "http://me:Pass-3@proxy:high",
        "http://me:Pass-3@",
    ],
)
def test_a_proxy_that_is_no_url_is_refused_without_showing_its_password(proxy: str) -> None:
    with pytest.raises(InvalidConnection, match="'proxy' is not a URL") as caught:
        read({"proxy": proxy})
    assert "Pass" not in str(caught.value)
    assert caught.value.__context__ is None


@pytest.mark.parametrize("proxy", ["me:Proxy-Pass-2@proxy:3128", "http://me:Proxy-Pass-2@[::1]:3128/"])
def test_the_password_of_a_proxy_is_masked_however_its_address_is_written(proxy: str) -> None:
    assert "Proxy-Pass-2" in secrets_of(read({"proxy": proxy}))


def test_a_login_is_masked_the_way_basic_sends_it() -> None:
    import base64

    assert base64.b64encode(f"updater:{PASSWORD}".encode()).decode() in secrets_of(read())
    assert secrets_of(ConnectionSettings(host="h")) == ()


def test_the_key_tells_connections_apart_by_everything_and_says_nothing() -> None:
    settings = read()
    assert settings.key() == read().key()
    others = [
        replace(settings, password=Secret("other")),
        replace(settings, user="other"),
        replace(settings, port=1),
        replace(settings, locale="de-DE"),
        read(SECRETIVE),
    ]
    assert len({settings.key(), *(other.key() for other in others)}) == 6
    assert settings.key().startswith("updater@hci01.contoso.local:5986/Microsoft.PowerShell#")


def test_settings_survive_pickling() -> None:
    settings = read(SECRETIVE)
    assert pickle.loads(pickle.dumps(settings)) == settings
