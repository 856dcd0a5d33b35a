"""Every token that is not exactly right is nobody's."""

import base64
import hashlib
import hmac
import json
from typing import Any

import jwt
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from api.auth.keys import StaticKeys, key_from_secret, keys_from_pem, public_jwk
from api.auth.principals import Admin, Service, User
from api.auth.tokens import CACHED_MAX, Issuer
from tests.unit.api.doubles import (
    APP,
    EDDSA,
    ES256,
    NOW,
    OTHER_ES256,
    RS256,
    SECRET,
    USER,
    MovableClock,
    asymmetric,
    mint,
    service_claims,
    symmetric_issuer,
    trust,
    user_claims,
    verifier,
)

T = int(NOW.timestamp())
PUBLIC_PEM = ES256.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def segment(value: Any) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def signed(header: bytes, payload: bytes) -> str:
    """A good ES256 signature over whatever text."""
    text = f"{segment(header)}.{segment(payload)}"
    signature = jwt.algorithms.ECAlgorithm(jwt.algorithms.ECAlgorithm.SHA256).sign(
        text.encode(), ES256
    )
    return f"{text}.{segment(signature)}"


def hs256_with(secret: bytes) -> str:
    text = f"{segment({'alg': 'HS256', 'typ': 'JWT'})}.{segment(user_claims())}"
    return f"{text}.{segment(hmac.digest(secret, text.encode(), hashlib.sha256))}"


def altered_last_character() -> str:
    """The same signature bytes in another spelling: unused bits of the last character set."""
    token = mint(user_claims())
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return token[:-1] + alphabet[alphabet.index(token[-1]) ^ 1]


GOOD = mint(user_claims())
HEAD, BODY, SIGNATURE = GOOD.split(".")
ES_HEADER = b'{"alg":"ES256","typ":"JWT"}'
GOOD_CLAIMS = json.dumps(user_claims()).encode()

BAD: dict[str, str] = {
    "empty": "",
    "one part": "abc",
    "two parts": f"{HEAD}.{BODY}",
    "four parts": f"{GOOD}.x",
    "encrypted form": f"{GOOD}.x.y",
    "no signature": f"{HEAD}.{BODY}.",
    "padding": f"{HEAD}.{BODY}.{SIGNATURE}==",
    "space": f" {GOOD}",
    "line break": f"{GOOD}\n",
    "not ascii": f"{HEAD}.{BODY}.é",
    "too long": f"{HEAD}.{'A' * 9_000}.{SIGNATURE}",
    "other payload": f"{HEAD}.{segment(user_claims(roles=['admin']))}.{SIGNATURE}",
    "last character altered": altered_last_character(),
    "junk in signature": f"{HEAD}.{BODY}.!{SIGNATURE}",
    "zero signature": f"{HEAD}.{BODY}.{segment(bytes(64))}",
    "alg none": f"{segment({'alg': 'none'})}.{BODY}.",
    "alg none with signature": f"{segment({'alg': 'none'})}.{BODY}.{SIGNATURE}",
    "alg None": f"{segment({'alg': 'nOnE'})}.{BODY}.{SIGNATURE}",
    "alg missing": signed(b'{"typ":"JWT"}', GOOD_CLAIMS),
    "alg a number": signed(b'{"alg":5}', GOOD_CLAIMS),
    "hs256 with the public key": hs256_with(PUBLIC_PEM),
    "hs256 with nothing": hs256_with(b""),
    "es256 named rs256": signed(b'{"alg":"RS256"}', GOOD_CLAIMS),
    "ps256": mint(user_claims(), RS256, "PS256"),
    "rs512": mint(user_claims(), RS256, "RS512"),
    "unknown key": mint(user_claims(), OTHER_ES256),
    "crit": mint(user_claims(), headers={"crit": ["exp"], "exp": 1}),
    "jku": mint(user_claims(), headers={"jku": "https://evil.example/jwks"}),
    "x5u": mint(user_claims(), headers={"x5u": "https://evil.example/x"}),
    "x5c": mint(user_claims(), headers={"x5c": ["MIIB"]}),
    "embedded jwk": mint(user_claims(), OTHER_ES256, headers={"jwk": {"kty": "EC"}}),
    "unencoded payload": signed(b'{"alg":"ES256","b64":true}', GOOD_CLAIMS),
    "kid no text": signed(b'{"alg":"ES256","kid":7}', GOOD_CLAIMS),
    "typ of another kind": mint(user_claims(), headers={"typ": "dpop+jwt"}),
    "header no object": signed(b"[]", GOOD_CLAIMS),
    "header no json": signed(b"{", GOOD_CLAIMS),
    "claims no object": signed(ES_HEADER, b"[1]"),
    "claims no json": signed(ES_HEADER, b"{"),
    "claims no utf-8": signed(ES_HEADER, b'{"sub":"\xff"}'),
    "claims nested": signed(ES_HEADER, b"[" * 3_000),
    "exp missing": mint(user_claims(exp=None)),
    "iat missing": mint(user_claims(iat=None)),
    "sub missing": mint(user_claims(sub=None)),
    "iss missing": mint(user_claims(iss=None)),
    "iss unknown": mint(user_claims(iss="https://evil.example")),
    "iss with slash": mint(user_claims(iss="https://id.example.com/")),
    "iss a list": signed(ES_HEADER, json.dumps(user_claims(iss=["a"])).encode()),
    "expired": mint(user_claims(exp=T - 30)),
    "exp a text": signed(ES_HEADER, json.dumps(user_claims(exp="9999999999")).encode()),
    "exp true": signed(ES_HEADER, json.dumps(user_claims(exp=True)).encode()),
    "exp infinite": signed(ES_HEADER, json.dumps(user_claims(exp=float("inf"))).encode()),
    "exp enormous": signed(ES_HEADER, json.dumps(user_claims(exp=10**400)).encode()),
    "exp negative": mint(user_claims(exp=-1)),
    "iat in the future": mint(user_claims(iat=T + 31)),
    "nbf in the future": mint(user_claims(nbf=T + 31)),
    "nbf a text": signed(ES_HEADER, json.dumps(user_claims(nbf="1")).encode()),
    "sub no uuid": mint(user_claims(sub="me")),
    "sub a number": signed(ES_HEADER, json.dumps(user_claims(sub=5)).encode()),
    "no kind": mint(user_claims(roles=None)),
    "roles a text": mint(user_claims(roles="admin")),
    "roles empty": mint(user_claims(roles=[])),
    "roles unknown": mint(user_claims(roles=["visitor"])),
    "roles of numbers": mint(user_claims(roles=[1])),
    "aud missing": mint(user_claims(aud=None)),
    "aud no app": mint(user_claims(aud="fanfare")),
    "service sub no uuid": mint(service_claims(sub="app")),
    "service scope a list": mint(service_claims(scope=["push:send"])),
    "service by other type": mint(service_claims(token_type="Service")),
}


@pytest.mark.parametrize("name", BAD)
async def test_verify_refuses(name: str) -> None:
    assert await verifier().verify(BAD[name]) is None


@pytest.mark.parametrize(
    ("key", "algorithm"), [(ES256, "ES256"), (RS256, "RS256"), (EDDSA, "EdDSA")]
)
async def test_verify_accepts_each_algorithm(key: Any, algorithm: str) -> None:
    caller = await verifier().verify(mint(user_claims(), key, algorithm))
    assert isinstance(caller, User)
    assert caller.user_id == USER


async def test_verify_accepts_a_shared_secret() -> None:
    token = mint(service_claims(), SECRET, "HS256")
    assert isinstance(await verifier(symmetric_issuer()).verify(token), Service)


async def test_verify_refuses_an_algorithm_that_the_issuer_may_not_use() -> None:
    strict = Issuer(trust(algorithms=("RS256",)), asymmetric())
    assert await verifier(strict).verify(mint(user_claims())) is None


@pytest.mark.parametrize("changes", [{"exp": T - 29}, {"iat": T + 30}, {"nbf": T + 30}])
async def test_verify_has_thirty_seconds_of_leeway(changes: dict[str, int]) -> None:
    assert await verifier().verify(mint(user_claims(**changes))) is not None


async def test_verify_refuses_a_role_beyond_the_issuer() -> None:
    bounded = Issuer(trust(max_role="admin"), asymmetric())
    admin, tenant_admin = user_claims(roles=["admin"]), user_claims(roles=["tenant_admin"])
    assert isinstance(await verifier(bounded).verify(mint(admin)), Admin)
    assert await verifier(bounded).verify(mint(tenant_admin)) is None


async def test_verify_refuses_a_tenant_beyond_the_issuer() -> None:
    bounded = Issuer(trust(max_role="tenant_admin", tenants=("t1",)), asymmetric())
    own = user_claims(roles=["tenant_admin"], tenant_id="t1")
    other = user_claims(roles=["tenant_admin"], tenant_id="t2")
    assert await verifier(bounded).verify(mint(own)) is not None
    assert await verifier(bounded).verify(mint(other)) is None


async def test_verify_requires_the_issuers_audience() -> None:
    picky = Issuer(trust(audience="fanfare"), asymmetric())
    both = user_claims(aud=["fanfare", str(APP)])
    assert await verifier(picky).verify(mint(both)) is not None
    assert await verifier(picky).verify(mint(user_claims())) is None


async def test_verify_remembers_at_most_until_the_token_expires() -> None:
    clock = MovableClock()
    subject = verifier(clock=clock)
    token = mint(user_claims(exp=T + 40))
    assert await subject.verify(token) is not None
    clock.forward(71)
    assert await subject.verify(token) is None


async def test_verify_asks_for_keys_again_after_a_minute() -> None:
    clock = MovableClock()
    keys = asymmetric()
    subject = verifier(Issuer(trust(), keys), clock=clock)
    token = mint(user_claims())
    assert await subject.verify(token) is not None
    keys._keys = []
    clock.forward(59)
    assert await subject.verify(token) is not None
    clock.forward(1)
    assert await subject.verify(token) is None


async def test_verify_remembers_a_bounded_number() -> None:
    subject = verifier()
    caller = await subject.verify(GOOD)
    assert caller is not None
    for i in range(CACHED_MAX + 5):
        subject._remember(i.to_bytes(4), caller, T + 900.0)
    assert len(subject._verified) == CACHED_MAX


def test_keys_must_be_of_a_kind_that_we_use() -> None:
    p384 = ec.generate_private_key(ec.SECP384R1()).public_key()
    with pytest.raises(ValueError, match="P-256"):
        public_jwk(p384)


def test_a_short_shared_secret_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        key_from_secret("s" * 31)


async def test_keys_from_pem_verify() -> None:
    issuer = Issuer(trust(), StaticKeys(keys_from_pem([PUBLIC_PEM.decode()])))
    assert await verifier(issuer).verify(GOOD) is not None


def test_a_tenants_issuer_cannot_be_trusted_with_the_platform() -> None:
    fields = {"issuer": "i", "jwks_url": "https://x", "max_role": "platform_admin"}
    with pytest.raises(msgspec.ValidationError, match="platform admin"):
        msgspec.convert(fields | {"tenants": ["t1"]}, type(trust()))
