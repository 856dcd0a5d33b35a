"""The worker's settings."""

from typing import Annotated, Literal

from msgspec import Meta

from shared.domain.devices import PROVIDERS, Provider
from shared.settings import CommonSettings, Positive

WorkerRole = Literal["deliver", "hooks", "scheduler"]


class WorkerSettings(CommonSettings, frozen=True, kw_only=True):
    """What a worker reads besides the common settings."""

    worker_roles: Annotated[tuple[WorkerRole, ...], Meta(description="what this process does")] = (
        "deliver",
        "hooks",
        "scheduler",
    )
    worker_providers: Annotated[
        tuple[Provider, ...], Meta(description="providers whose queues it consumes")
    ] = PROVIDERS
    worker_prefetch: Annotated[
        int, Meta(ge=1, le=2000, description="unacknowledged messages per queue")
    ] = 200
    worker_concurrency: Annotated[
        int, Meta(ge=1, description="provider calls in flight per provider")
    ] = 500
    worker_drain_seconds: Annotated[
        Positive, Meta(description="how long SIGTERM waits for work in flight")
    ] = 60
    worker_sweep_after_seconds: Annotated[
        Positive, Meta(description="age at which an unpublished send is published again")
    ] = 60
    worker_park_seconds: Annotated[
        Positive,
        Meta(description="first wait of a delivery without a working credential"),
    ] = 30
    worker_presence_seconds: Annotated[
        int, Meta(ge=1, description="how often Pushy is asked which devices are gone")
    ] = 21_600
    worker_ready_file: Annotated[
        str | None, Meta(description="written once the worker consumes, removed when it stops")
    ] = None
