"""Ids name their send and are ordered by time."""

from datetime import timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import ids
from tests.builders import NOW


@given(index=st.integers(0, 32_767))
def test_parts_name_their_send_and_index(index: int) -> None:
    send_id = ids.new_send_id(NOW)

    notification, chunk = ids.notification_id(send_id, index), ids.chunk_id(send_id, index)

    assert ids.send_id_of(notification) == ids.send_id_of(chunk) == send_id
    assert ids.index_of(notification) == ids.index_of(chunk) == index
    assert notification != chunk


def test_ids_are_valid_uuid7_and_sort_by_time() -> None:
    earlier, later = ids.new_id(NOW), ids.new_send_id(NOW + timedelta(milliseconds=1))

    assert (earlier.version, later.version) == (7, 7)
    assert earlier < later
    assert str(UUID(str(later))) == str(later)


@pytest.mark.parametrize("index", [-1, 32_768])
def test_an_index_out_of_range_is_refused(index: int) -> None:
    with pytest.raises(ValueError, match="out of range"):
        ids.notification_id(ids.new_send_id(NOW), index)


def test_a_delivery_has_one_receipt_id() -> None:
    chunk = ids.chunk_id(ids.new_send_id(NOW), 0)

    assert ids.receipt_id(chunk, 1) == ids.receipt_id(chunk, 1) != ids.receipt_id(chunk, 2)
