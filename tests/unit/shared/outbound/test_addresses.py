"""Addresses and URLs of strangers: what is refused in every spelling."""

import pytest

from shared.outbound.addresses import AddressPolicy, check_url, host_matches

BAD = (
    "0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "127.0.0.1", "127.255.255.255",
    "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.9", "192.0.2.1", "192.88.99.1",
    "192.168.1.1", "198.18.0.1", "198.19.255.255", "198.51.100.7", "203.0.113.7", "224.0.0.1",
    "239.255.255.255", "240.0.0.1", "255.255.255.255", "168.63.129.16",
    "::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::ffff:0:127.0.0.1",
    "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "100::1", "2001::1", "2001:db8::1",
    "2002:7f00:1::", "2620:4f:8000::1", "3fff::1", "5f00::1", "fc00::1", "fd00::1", "fe80::1",
    "fe80::1%eth0", "2600::1%eth0", "fec0::1", "ff02::1",
    "", "localhost", "127.1", "2130706433", "8.8.8.8 ", "8.8.8.8/32",
)  # fmt: skip
GOOD = (
    "1.1.1.1", "8.8.8.8", "17.57.146.20", "100.128.0.1", "172.32.0.1", "223.255.255.255",
    "2600::1", "2606:4700:4700::1111", "2001:4860:4860::8888", "2a00:1450::1",
)  # fmt: skip


@pytest.mark.parametrize("address", BAD)
def test_is_public_denies(address: str) -> None:
    assert not AddressPolicy().is_public(address)


@pytest.mark.parametrize("address", GOOD)
def test_is_public_allows(address: str) -> None:
    assert AddressPolicy().is_public(address)


@pytest.mark.parametrize("address", ["127.0.0.1", "127.9.9.9", "::1"])
def test_is_public_allows_loopback_in_local_mode_only(address: str) -> None:
    assert AddressPolicy(allow_loopback=True).is_public(address)
    assert not AddressPolicy().is_public(address)


@pytest.mark.parametrize("address", ["10.0.0.1", "169.254.169.254", "0.0.0.0", "fe80::1"])
def test_is_public_still_denies_the_rest_in_local_mode(address: str) -> None:
    assert not AddressPolicy(allow_loopback=True).is_public(address)


def test_is_public_denies_the_deployments_own_networks() -> None:
    policy = AddressPolicy(denied=("8.8.8.0/24", "2600::/16"))

    assert not policy.is_public("8.8.8.8")
    assert not policy.is_public("2600::1")
    assert policy.is_public("1.1.1.1")


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/hook",
        "https://example.com:443/",
        "https://hooks.example.co.uk:8443/a?b=c#d",
        "https://xn--mnchen-3ya.example/x",
        "https://1password.com/x",
        "https://EXAMPLE.com/",
        "https://example.xn--p1ai/",
    ],
)
def test_check_url_allows(url: str) -> None:
    assert check_url(url, allow_http_loopback=False) is None


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.com",
        "http://example.com/",
        "ftp://example.com/",
        "https://",
        "https:///x",
        "https://localhost/",
        "https://localhost./",
        "https://intranet/",
        "https://example.com./",
        "https://example.com:80/",
        "https://example.com:0/",
        "https://example.com:99999/",
        "https://example.com:4x3/",
        "https://user@example.com/",
        "https://user:pw@example.com/",
        "https://example.com@127.0.0.1/",
        "https://evil.com\\@127.0.0.1/",
        "https://127.0.0.1/",
        "https://127.1/",
        "https://2130706433/",
        "https://0x7f000001/",
        "https://0x7f.1/",
        "https://0177.0.0.1/",
        "https://169.254.43518/",
        "https://1.2.3.0x4/",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[::1/",
        "https://①②⑦.⓪.⓪.①/",
        "https://127。0。0。1/",
        "https://münchen.example/",
        "https://example.com/ a",
        "https://example.com/\r\nX: y",
        "https://example.com/\x00",
        "https://example.com/\x7f",
        "https://-a.example.com/",
        "https://a-.example.com/",
        "https://a..example.com/",
        "https://a_b.example.com/",
        "https://" + "a." * 130 + "com/",
        "https://example.com/" + "a" * 2_048,
    ],
)
def test_check_url_refuses(url: str) -> None:
    assert check_url(url, allow_http_loopback=False) is not None


@pytest.mark.parametrize(
    "url", ["http://localhost:8080/x", "http://127.0.0.1/x", "https://[::1]:9/x"]
)
def test_check_url_allows_loopback_in_local_mode_only(url: str) -> None:
    assert check_url(url, allow_http_loopback=True) is None
    assert check_url(url, allow_http_loopback=False) is not None


@pytest.mark.parametrize(
    "url",
    ["http://example.com/", "http://10.0.0.1/", "http://localhost.evil.com/", "ftp://localhost/"],
)
def test_check_url_refuses_the_rest_in_local_mode(url: str) -> None:
    assert check_url(url, allow_http_loopback=True) is not None


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("fcm.googleapis.com", True),
        ("x.fcm.googleapis.com", False),
        ("web.push.apple.com", True),
        ("a.b.push.apple.com", True),
        ("push.apple.com", False),
        ("evilpush.apple.com", False),
        ("", False),
    ],
)
def test_host_matches_on_label_boundaries(host: str, *, expected: bool) -> None:
    assert host_matches(host, ("fcm.googleapis.com", "*.push.apple.com")) is expected
