"""Envelopes open when they are ours in every piece, and else in no way that tells why."""

import json
import time
from typing import Any

import pytest
from joserfc import jwe
from joserfc.jwk import ECKey

from shared.crypto import envelopes
from tests.hostile_envelopes import hostile_envelopes
from tests.sealing import Sealer, jwk_of

PRIVATE = envelopes.generate_key()
KID = f"20260319.{envelopes.thumbprint(PRIVATE)[:16]}"
PUBLIC = envelopes.public_jwk(PRIVATE, KID)
SEALER = Sealer(PUBLIC, KID)
PLAIN = b'{"token":"pushy-device-token","platform":"ANDROID","language":"en"}'
BYTES_MAX = 8_192
HOSTILE = list(hostile_envelopes(SEALER, PLAIN))
CPU_SECONDS_MAX = 0.05


def opened(compact: str, plaintext_bytes_max: int = BYTES_MAX) -> bytes | None:
    """As the service opens it, with its one key."""
    sealed = envelopes.parse(compact, plaintext_bytes_max=plaintext_bytes_max)
    return envelopes.open_sealed(sealed, PRIVATE) if sealed and sealed.kid == KID else None


def test_what_is_sealed_by_hand_opens() -> None:
    assert opened(str(SEALER.seal(PLAIN))) == PLAIN


@pytest.mark.parametrize(
    "members", [{}, {"typ": "JWE"}, {"cty": "json"}, {"cty": "application/json"}]
)
def test_what_is_sealed_by_a_library_opens(members: dict[str, Any]) -> None:
    key = ECKey.import_key(PUBLIC)  # type: ignore[arg-type]  # a JWK's members are texts
    header = {"alg": "ECDH-ES+A256KW", "enc": "A256GCM", "kid": KID} | members

    assert (
        opened(jwe.encrypt_compact(header, PLAIN, key, algorithms=list(header.values()))) == PLAIN
    )


def test_the_envelope_names_its_key() -> None:
    sealed = envelopes.parse(str(SEALER.seal(PLAIN)), plaintext_bytes_max=BYTES_MAX)

    assert sealed is not None
    assert sealed.kid == KID


@pytest.mark.parametrize(
    ("size", "is_open"), [(1, True), (BYTES_MAX, True), (BYTES_MAX + 1, False)]
)
def test_the_size_is_that_of_the_plaintext(size: int, is_open: bool) -> None:
    plain = b"x" * size

    assert opened(str(SEALER.seal(plain))) == (plain if is_open else None)


def test_a_large_envelope_opens() -> None:
    plain = b"x" * 8_388_608

    assert opened(str(SEALER.seal(plain)), len(plain)) == plain


def test_the_corpus_is_large_and_each_fault_is_its_own() -> None:
    names = [name for name, _ in HOSTILE]

    assert len(set(names)) == len(names) > 150


@pytest.mark.parametrize(("name", "compact"), HOSTILE, ids=[name for name, _ in HOSTILE])
def test_a_hostile_envelope_stays_shut_and_costs_little(name: str, compact: str) -> None:
    began = time.process_time()

    assert opened(compact) is None, name
    assert time.process_time() - began < CPU_SECONDS_MAX


def test_another_key_of_ours_does_not_open_it() -> None:
    sealed = envelopes.parse(str(SEALER.seal(PLAIN)), plaintext_bytes_max=BYTES_MAX)

    assert sealed is not None
    assert envelopes.open_sealed(sealed, envelopes.generate_key()) is None


def test_the_public_key_has_no_private_part() -> None:
    private = json.loads(PRIVATE)

    assert PUBLIC.keys() == {"kty", "crv", "x", "y", "kid", "alg", "use"}
    assert private["d"] not in PUBLIC.values()
    assert (PUBLIC["kty"], PUBLIC["crv"], PUBLIC["use"]) == ("EC", "P-256", "enc")


def test_every_key_is_another_one() -> None:
    keys = [envelopes.generate_key() for _ in range(5)]

    assert len({envelopes.thumbprint(key) for key in keys}) == len(keys)
    assert jwk_of(SEALER.ephemeral.public_key())["x"] != PUBLIC["x"]
