"""Secrets at rest open only in their own context, by a key of the ring."""

import pytest

from shared.crypto.keyring import CannotOpen, Keyring

OLD, NEW = b"o" * 32, b"n" * 32
HASH = b"h" * 32


def test_sealed_value_opens_in_its_context_only() -> None:
    ring = Keyring({"k1": OLD}, HASH)
    sealed = ring.seal(b"secret", "app|token")

    assert ring.open(sealed, "app|token") == b"secret"
    assert b"secret" not in sealed
    with pytest.raises(CannotOpen):
        ring.open(sealed, "other|token")


def test_a_new_first_key_seals_and_the_old_one_still_opens() -> None:
    sealed = Keyring({"k1": OLD}, HASH).seal(b"secret", "c")
    rotated = Keyring({"k2": NEW, "k1": OLD}, HASH)

    assert rotated.open(sealed, "c") == b"secret"
    with pytest.raises(CannotOpen, match="not in the ring"):
        Keyring({"k1": OLD}, HASH).open(rotated.seal(b"x", "c"), "c")


@pytest.mark.parametrize("cut", [0, 1, 5, 20])
def test_damaged_values_do_not_open(cut: int) -> None:
    ring = Keyring({"k1": OLD}, HASH)
    sealed = ring.seal(b"secret", "c")

    with pytest.raises(CannotOpen):
        ring.open(sealed[:cut], "c")
    with pytest.raises(CannotOpen):
        ring.open(sealed[:-1] + bytes([sealed[-1] ^ 1]), "c")


def test_lookup_hashes_differ_by_context_and_key() -> None:
    ring = Keyring({"k1": OLD}, HASH)

    assert ring.lookup_hash(b"t", "a") == ring.lookup_hash(b"t", "a")
    assert ring.lookup_hash(b"t", "a") != ring.lookup_hash(b"t", "b")
    assert ring.lookup_hash(b"t", "a") != Keyring({"k1": OLD}, b"x" * 32).lookup_hash(b"t", "a")
