"""Webhook addresses that must come to nothing, and some that are good.

`MALFORMED` are refused when they are registered; of them, `NUMBERS` need no DNS. The names in
`RESOLVING` look like any other: they are refused when they are called, whatever the DNS says of
them at that moment.
"""

# fmt: off
NUMBERS: tuple[str, ...] = (
    # in every spelling that getaddrinfo takes
    "https://127.0.0.1/", "https://127.1/", "https://127.0.1/", "https://2130706433/",
    "https://0x7f000001/", "https://0x7f.0.0.1/", "https://0x7f.1/", "https://0177.0.0.1/",
    "https://017700000001/", "https://0/", "https://0.0.0.0/", "https://10.0.0.1/",
    "https://192.168.1.1/", "https://172.16.0.1/", "https://100.64.0.1/", "https://198.18.0.1/",
    "https://169.254.169.254/latest/meta-data/", "https://169.254.43518/", "https://2852039166/",
    "https://0xa9fea9fe/", "https://0251.0376.0251.0376/", "https://168.63.129.16/",
    "https://255.255.255.255/", "https://224.0.0.1/",
    # IPv6
    "https://[::1]/", "https://[::]/", "https://[0:0:0:0:0:0:0:1]/", "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:7f00:1]/", "https://[::127.0.0.1]/", "https://[fe80::1%25eth0]/",
    "https://[fc00::1]/", "https://[fd00:ec2::254]/", "https://[64:ff9b::7f00:1]/",
    "https://[2002:7f00:1::]/", "https://[2001:db8::1]/",
    "https://[::1/", "https://::1/", "https://[::1]:443.example.com/", "https://[v1.x]/",
    "https://[example.com]/",
)
MALFORMED: tuple[str, ...] = (
    *NUMBERS,
    # schemes
    "http://example.com/", "ftp://example.com/", "file:///etc/passwd", "gopher://example.com/_x",
    "javascript:alert(1)", "data:text/plain,x", "ws://example.com/", "wss://example.com/",
    "dict://example.com:11211/stats", "ldap://example.com/", "unix:///run/x.sock", "//example.com/",
    "example.com", "https:example.com/", "https:/example.com/", "https:///example.com/", "https://",
    "https", "", " https://example.com/", "https ://example.com/", "view-source:https://example.com/",
    # ports
    "https://example.com:22/", "https://example.com:80/", "https://example.com:0/",
    "https://example.com:6379/", "https://example.com:27017/", "https://example.com:65536/",
    "https://example.com:-443/", "https://example.com:+443/", "https://example.com:443:80/",
    "https://example.com:4x3/", "https://example.com:\uff14\uff14\uff13/",
    # user information, and what parsers take for it
    "https://user@example.com/", "https://user:pw@example.com/", "https://example.com@127.0.0.1/",
    "https://example.com:443@169.254.169.254/", "https://@example.com/", "https://:@example.com/",
    "https://example.com\\@127.0.0.1/", "https://127.0.0.1\\@example.com/",
    "https://example.com%40127.0.0.1/", "https://a@b@example.com/", "https:\\\\example.com/",
    # numbers behind which there is something, and names that end in numbers
    "https://1.2.3.0x4/", "https://8.8.8.8/", "https://[2606:4700:4700::1111]/",
    "https://00127.0.0.1/", "https://127.0.0.1.:443/", "https://127.0.0.1%00.example.com/",
    # names that are none, or not public
    "https://localhost/", "https://localhost:443/", "https://LOCALHOST/", "https://intranet/",
    "https://metadata/", "https://example.com./", "https://localhost./", "https://.example.com/",
    "https://example..com/", "https://example.com../", "https://-a.example.com/",
    "https://a-.example.com/", "https://a_b.example.com/", "https://*.example.com/",
    "https://example.c/", "https://example.1com/", "https://" + "a" * 64 + ".example.com/",
    "https://" + "a." * 130 + "com/", "https://example.com/" + "a" * 2_048,
    # IDNA: letters, digits and dots in other clothes
    "https://m\u00fcnchen.example/", "https://\uff45\uff58ample.com/", "https://\u24d4xample.com/",
    "https://\u2460\u2461\u2466.\u24ea.\u24ea.\u2460/", "https://127\u30020\u30020\u30021/",
    "https://127\uff0e0\uff0e0\uff0e1/", "https://local\u200bhost.example.com/",
    "https://lo\u212aal.example.com/", "https://\u202eexample.com/", "https://ex\u00adample.com/",
    "https://example\u2044.com/", "https://\U0001d4d5.example.com/", "https://xn--.example.com/",
    # bytes that end a line, a text or a name somewhere
    "https://example.com/ x", "https://exa mple.com/", "https://example.com/\r\nHost: x",
    "https://example.com\t/", "https://example.com/\x00", "https://example.com\x00.evil.com/",
    "https://example.com/\x7f", "https://example.com/\u2028", "https://example.com;127.0.0.1/",
    "https://example.com,127.0.0.1/", "https://example.com%2f127.0.0.1/", "https://%31%32%37.1/",
    "https://exa%6dple.com/", "https://$(id).example.com/", "https://{a,b}.example.com/",
)

# A name, and the addresses that it resolves to. Nothing answers at any of them but what is ours.
RESOLVING: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("127.0.0.1.nip.io", ("127.0.0.1",)),
    ("7f000001.nip.io", ("127.0.0.1",)),
    ("localtest.me", ("127.0.0.1", "::1")),
    ("localhost.localdomain", ("127.0.0.1",)),
    ("www.localhost", ("127.0.0.1",)),
    ("metadata.google.internal", ("169.254.169.254",)),
    ("169-254-169-254.sslip.io", ("169.254.169.254",)),
    ("instance-data.ec2.internal", ("169.254.169.254", "fd00:ec2::254")),
    ("wireserver.example.com", ("168.63.129.16",)),
    ("db.corp.example.com", ("10.1.2.3",)),
    ("printer.home.arpa", ("192.168.0.9",)),
    ("kubernetes.default.svc.cluster.local", ("172.20.0.1",)),
    ("cgnat.example.com", ("100.100.100.200",)),
    ("zero.example.com", ("0.0.0.0",)),
    ("multicast.example.com", ("224.0.0.251",)),
    ("broadcast.example.com", ("255.255.255.255",)),
    ("bench.example.com", ("198.18.0.1",)),
    ("doc.example.com", ("203.0.113.9",)),
    ("six.example.com", ("::1",)),
    ("mapped.example.com", ("::ffff:127.0.0.1",)),
    ("nat64.example.com", ("64:ff9b::7f00:1",)),
    ("sixtofour.example.com", ("2002:7f00:1::",)),
    ("unique.example.com", ("fc00::1",)),
    ("sitelocal.example.com", ("fec0::1",)),
    ("unspecified.example.com", ("::",)),
    ("both.example.com", ("127.0.0.1", "10.0.0.1", "::1")),
)

GOOD: tuple[str, ...] = (
    "https://example.com", "https://example.com/", "https://example.com:443/hook",
    "https://hooks.example.co.uk:8443/a?b=c#d", "https://EXAMPLE.com/", "HTTPS://example.com/",
    "https://a.b.c.d.e.example.com/x", "https://xn--mnchen-3ya.example/x",
    "https://example.xn--p1ai/", "https://1password.com/x", "https://3com.com/",
    "https://x-1.example.com/", "https://api.example.com/hooks/push-receipts?key=a%20b&c=%2F",
    "https://example.com/@user", "https://example.com/a:b", "https://example.com?x=1@2",
    "https://example.com/#127.0.0.1", "https://127.example.com/", "https://10.0.0.1.example.com/",
    "https://deadbeef.example.com/", "https://" + "a" * 63 + ".example.com/",
    "https://example.com/" + "a" * 2_028,
)
# fmt: on
