"""What a transport has done so far, counted as it goes and told as one value."""

import msgspec

from shared.outbound.interface import NotSent, Timeout, TooLarge, TransportError


class TransportStats(msgspec.Struct, frozen=True, kw_only=True):
    """Totals since the start. The first seven are how requests ended; together they are all."""

    answered: int = 0
    not_sent: int = 0
    timed_out_unsent: int = 0
    timed_out: int = 0  # written, no answer in time
    unknown: int = 0  # written, no complete answer
    too_large: int = 0
    cancelled: int = 0
    in_flight: int = 0  # now
    connections_opened: int = 0  # sockets dialled, whether or not somebody was there
    on_pooled_connection: int = 0  # answered requests that needed no new connection
    met_gone: int = 0  # times that a pooled connection was gone before a first byte was written
    resent: int = 0  # requests written again after their stream was refused

    def __add__(self, other: "TransportStats") -> "TransportStats":
        names = self.__struct_fields__
        return TransportStats(
            **{name: getattr(self, name) + getattr(other, name) for name in names}
        )


class Counts:
    """The same, while it changes."""

    def __init__(self) -> None:
        self.answered = self.cancelled = self.in_flight = 0
        self.connections_opened = self.on_pooled_connection = self.met_gone = self.resent = 0
        self.not_sent = self.timed_out_unsent = self.timed_out = self.unknown = self.too_large = 0

    def count_failure(self, failure: TransportError) -> None:
        match failure:
            case NotSent():
                self.not_sent += 1
            case Timeout(maybe_processed=False):
                self.timed_out_unsent += 1
            case Timeout():
                self.timed_out += 1
            case TooLarge():
                self.too_large += 1
            case _:
                self.unknown += 1

    def snapshot(self) -> TransportStats:
        return TransportStats(**vars(self))
