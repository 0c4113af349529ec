"""Keeping other people's web pages out.

Whatever page the user's browser shows may send requests to 127.0.0.1, and there is no access control here: a page could
put a model of its own into a bucket and have it loaded, which is running its code. Two things give it away, because no
page can forge them: the Origin of the page, and, where a site's name was pointed at 127.0.0.1 (DNS rebinding), that
name as Host.
"""

import ipaddress
from urllib.parse import urlsplit

from include.local_aws.asgi import Scope, header

_PRIVATE_SUFFIXES = (".localhost", ".internal", ".amazonaws.com", ".amazonaws.com.cn")
"""Names that no stranger can point anywhere."""


def refusal(scope: Scope) -> str | None:
    """The sentence with which a request is refused that a foreign web page sent, or None for any other request."""
    origin = header(scope, "origin")
    if origin is not None and not _is_loopback(_host_of(origin)):
        return (
            f"A web page of {origin} sent this request; the embedded AWS takes those of pages on this machine only. "
            "Use an AWS client, or open the page from 127.0.0.1."
        )
    host = header(scope, "host")
    if host is not None and not _is_private(_host_of(f"//{host}")):
        return (
            f"Expected a Host such as 127.0.0.1, localhost or a name without dots, found {host!r}: a name of the "
            "public DNS may be another site's. Use http://127.0.0.1 and the port as the endpoint URL."
        )
    return None


def _host_of(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").rstrip(".")
    except ValueError:
        return ""


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _is_loopback(host: str) -> bool:
    address = _address(host)
    return address.is_loopback if address else host == "localhost" or host.endswith(".localhost")


def _is_private(host: str) -> bool:
    return _address(host) is not None or (host != "" and "." not in host) or host.endswith(_PRIVATE_SUFFIXES)
