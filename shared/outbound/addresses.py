"""Which addresses and URLs that a stranger supplied we are willing to call.

`ipaddress` and its `is_global` answer True for NAT64, 6to4, multicast and a cloud's metadata
address, so the lists are explicit. The address is checked when it is about to be dialled: a check
of the resolver's answer alone is bypassed by literals and by rebinding.
"""

import re
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import SplitResult, urlsplit

import msgspec

URL_CHARACTERS_MAX = 2_048
_PORTS = frozenset({None, 443, 8443})
LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})

# IANA special-purpose registries, plus one cloud's host channel that looks public.
_DENIED_V4 = (
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
    "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15",
    "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4", "168.63.129.16/32",
)  # fmt: skip
_DENIED_V6 = ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "2620:4f:8000::/48")
_ALLOWED_V6 = IPv6Network("2000::/3")  # global unicast: no mapped, NAT64, ULA or link-local

# Labels of letters, digits and hyphens; at least two; the last starts with a letter, so no
# spelling of a number (127.1, 0x7f000001, 2130706433) passes. IDNA names come as xn--.
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HOST = re.compile(rf"(?:{_LABEL}\.)+[a-z](?:[a-z0-9-]{{0,61}}[a-z0-9])")
_URL_CHARACTERS = re.compile(r"[\x21-\x7e]+")
_HOST_CHARACTERS_MAX = 253


class AddressPolicy(msgspec.Struct, frozen=True):
    """`denied` adds networks of the deployment's own; `allow_loopback` is for local mode only."""

    allow_loopback: bool = False
    denied: tuple[str, ...] = ()

    def is_public(self, address: str) -> bool:
        """Whether this numeric address may be dialled for a stranger."""
        return _is_public(self, address)


@lru_cache(maxsize=4_096)
def _is_public(policy: AddressPolicy, address: str) -> bool:
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    if policy.allow_loopback and parsed.is_loopback:
        return True
    if any(parsed in ip_network(network) for network in policy.denied):
        return False
    return _is_public_v4(parsed) if isinstance(parsed, IPv4Address) else _is_public_v6(parsed)


def _is_public_v4(address: IPv4Address) -> bool:
    return not any(address in ip_network(network) for network in _DENIED_V4)


def _is_public_v6(address: IPv6Address) -> bool:
    if address.scope_id is not None or address not in _ALLOWED_V6:
        return False
    return not any(address in ip_network(network) for network in _DENIED_V6)


def check_url(url: str, *, allow_http_loopback: bool) -> str | None:
    """Why a stranger's URL is refused, or None. Names are not resolved here."""
    if len(url) > URL_CHARACTERS_MAX:
        return "longer than 2,048 characters"
    if not _URL_CHARACTERS.fullmatch(url) or "\\" in url:  # parsers disagree about backslashes
        return "not a plain ASCII URL"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "not a URL"
    return _check_parts(parts, port, allow_http_loopback=allow_http_loopback)


def _check_parts(parts: SplitResult, port: int | None, *, allow_http_loopback: bool) -> str | None:
    host = parts.hostname or ""
    if "@" in parts.netloc:
        return "user information in the URL"
    if allow_http_loopback and host in LOOPBACK_HOSTS and parts.scheme in {"http", "https"}:
        return None
    if parts.scheme != "https":
        return "not https"
    if port not in _PORTS:
        return "port is not 443 or 8443"
    if len(host) > _HOST_CHARACTERS_MAX or not _HOST.fullmatch(host):
        return "host is not a public name"
    return None


def host_matches(host: str, patterns: tuple[str, ...]) -> bool:
    """Whether the host is one of these names, or below one of these `*.` suffixes."""
    return any(
        host.endswith(pattern[1:]) if pattern.startswith("*.") else host == pattern
        for pattern in patterns
    )
