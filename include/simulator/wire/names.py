"""XML namespaces and resource addresses of WS-Management and the PowerShell remoting protocol."""

from __future__ import annotations

from typing import Final

SOAP: Final = "http://www.w3.org/2003/05/soap-envelope"
ADDRESSING: Final = "http://schemas.xmlsoap.org/ws/2004/08/addressing"
TRANSFER: Final = "http://schemas.xmlsoap.org/ws/2004/09/transfer"
ENUMERATION: Final = "http://schemas.xmlsoap.org/ws/2004/09/enumeration"
WSMAN: Final = "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd"
WSMAN_MICROSOFT: Final = "http://schemas.microsoft.com/wbem/wsman/1/wsman.xsd"
WSMAN_FAULT: Final = "http://schemas.microsoft.com/wbem/wsman/1/wsmanfault"
WSMAN_CONFIG: Final = "http://schemas.microsoft.com/wbem/wsman/1/config"
IDENTITY: Final = "http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd"
SHELL: Final = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell"
POWERSHELL: Final = "http://schemas.microsoft.com/powershell"
XML: Final = "http://www.w3.org/XML/1998/namespace"

ANONYMOUS: Final = f"{ADDRESSING}/role/anonymous"
FAULT_ACTION: Final = "http://schemas.dmtf.org/wbem/wsman/1/wsman/fault"
ADDRESSING_FAULT_ACTION: Final = f"{ADDRESSING}/fault"
FAULT_DETAIL: Final = "http://schemas.dmtf.org/wbem/wsman/1/wsman/faultDetail"
CMD_SHELL: Final = f"{SHELL}/cmd"
POWERSHELL_PREFIX: Final = f"{POWERSHELL}/"


def tag(namespace: str, name: str) -> str:
    """Return ``name`` in ``namespace`` as ElementTree spells it."""
    return f"{{{namespace}}}{name}"
