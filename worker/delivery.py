"""The spine: lease a chunk, load it, guard, send, settle."""

import asyncio
import random
from collections import Counter
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import assert_never

import msgspec

from shared.clock import Clock
from shared.domain.deliveries import Progress
from shared.domain.devices import Provider
from shared.logs import get_logger
from shared.providers.outcomes import Misconfigured, Outcome
from shared.providers.registry import Adapters
from shared.queue import topology
from shared.queue.messages import Pointer
from shared.storage.chunks import DeliveryProgress, Lease
from shared.storage.devices import DeviceRepository
from worker.credential_notes import CredentialNotes
from worker.flow import Slots
from worker.leasing import Done, Held, Leased, Leases
from worker.loading import Loaded, Loader, View
from worker.patience import stored
from worker.plan import Push, asked, due_now, forgotten, guard
from worker.progress import ProgressWriter
from worker.refusals import Refusals, party_of
from worker.retry import AgainNow, Later, RetryPolicy, Settle, Situation, Step
from worker.settlement import ChunkResult, Settlement
from worker.token_safety import TokenSafety

ISOLATE_AFTER = 3  # leases in a row that were never released: its worker died, or failed
BURY_AFTER = 2  # the same, with nothing beside it

log = get_logger(__name__)


class Tools(msgspec.Struct, frozen=True, kw_only=True):
    """What the spine works with."""

    leases: Leases
    loader: Loader
    adapters: Adapters
    slots: dict[Provider, Slots]
    policy: RetryPolicy
    devices: DeviceRepository
    safety: TokenSafety
    progress: ProgressWriter
    settlement: Settlement
    notes: CredentialNotes
    refusals: Refusals
    clock: Clock


class Spine:
    """Works on one pointer at a time; any number of them may run at once."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    async def aclose(self, timeout_seconds: float) -> None:
        """Give outcomes that are on their way to the record the time to get there."""
        await self._tools.progress.aclose(timeout_seconds)

    async def deliver(self, pointer: Pointer, routing_key: str) -> None:
        """Do what a pointer asks for; when this returns, nothing depends on its message any more.

        Args:
            pointer: the chunk, and the attempt asked for.
            routing_key: the queue that it came from; the suspect queue's is SUSPECT_KEY.
        """
        verdict = await self._tools.leases.take(pointer.chunk_id)
        match verdict:
            case Held():
                await self._tools.settlement.come_back(pointer, routing_key)
            case Done():
                return
            case Leased():
                try:
                    await self._deliver(verdict, pointer, routing_key)
                finally:
                    self._tools.leases.forget(verdict.lease)

    async def _deliver(self, leased: Leased, pointer: Pointer, routing_key: str) -> None:
        is_isolated = routing_key == topology.SUSPECT_KEY
        if not is_isolated and leased.chunk.times_left >= ISOLATE_AFTER:
            log.warning("chunk.isolated", chunk_id=leased.chunk.chunk_id)
            await self._tools.settlement.isolate(leased.lease, pointer)
        elif is_isolated and leased.chunk.times_left >= BURY_AFTER:
            log.error("chunk.buried", chunk_id=leased.chunk.chunk_id)
            await self._tools.settlement.finish(await self._buried(leased, pointer, "poison"))
        else:
            await self._work(leased, pointer)

    async def bury(self, pointer: Pointer, *, reason: str) -> bool:
        """Give up on what a pointer asks for; False while somebody else works on it."""
        verdict = await self._tools.leases.take(pointer.chunk_id)
        if isinstance(verdict, Leased):
            try:
                result = await self._buried(verdict, pointer, reason)
                await self._tools.settlement.finish(result)
            finally:
                self._tools.leases.forget(verdict.lease)
        return not isinstance(verdict, Held)

    async def _buried(self, leased: Leased, pointer: Pointer, reason: str) -> ChunkResult:
        chunk = leased.chunk
        loaded = await self._tools.loader.load_what_there_is(chunk)
        step = Settle(state="exhausted", reason=reason, dead_letter=True)
        now = self._tools.clock()
        buried = {
            index: progress_of(step, chunk.attempts_of(index), now)
            for index in asked(chunk, pointer)
            if chunk.is_waiting(index)
        }
        for index, row in buried.items():
            await self._tools.progress.write(
                DeliveryProgress(leased.lease.owner, chunk.chunk_id, index, row)
            )
        return ChunkResult(loaded=loaded, lease=leased.lease, progress=chunk.progress | buried)

    async def _work(self, leased: Leased, pointer: Pointer) -> None:
        """Attempt what is due and settle what came of it; then raise what failed, if anything."""
        chunk = leased.chunk
        loaded = await self._tools.loader.load(chunk)
        due = due_now(chunk, pointer, self._tools.clock())
        view = View(self._tools.loader, loaded, self._tools.clock)
        made = await asyncio.gather(
            *(self._attempt(view, leased.lease, i, attempt) for i, attempt in due.items()),
            return_exceptions=True,
        )
        progress = dict(forgotten(chunk, pointer))
        failures: list[BaseException] = []
        for index, outcome in zip(due, made, strict=True):
            if isinstance(outcome, BaseException):
                failures.append(outcome)
            else:
                progress[index] = outcome
        _note(loaded, progress, due)
        await self._tools.settlement.finish(
            ChunkResult(
                loaded=loaded,
                lease=leased.lease,
                progress=progress,
                keep_lease=bool(failures),
            )
        )
        if failures:
            raise failures[0]

    async def _attempt(self, view: View, lease: Lease, index: int, attempt: int) -> Progress:
        step, attempts, loaded = await self._step(view, index, attempt)
        credential = loaded.sender.credential
        fingerprint = "" if credential is None else credential.fingerprint
        progress = progress_of(step, attempts, self._tools.clock(), fingerprint)
        row = DeliveryProgress(lease.owner, lease.chunk_id, index, progress)
        await asyncio.shield(self._tools.progress.write(row))  # an answer is not forgotten
        await self._remember_environment(loaded, index, step)
        log.debug(
            "delivery.attempted",
            chunk_id=lease.chunk_id,
            device_id=loaded.chunk.targets[index].device_id,
            provider=loaded.chunk.provider,
            attempt=attempt,
            state=progress.state,
            reason=progress.reason,
        )
        return progress

    async def _remember_environment(self, loaded: Loaded, index: int, step: Settle | Later) -> None:
        """The next push goes at once to the host that took this one."""
        device = loaded.devices.get(loaded.chunk.targets[index].device_id)
        environment = step.apns_environment if isinstance(step, Settle) else None
        if device is not None and environment is not None:
            await stored(
                lambda: self._tools.devices.remember_environment(
                    device.app_id, device.device_id, environment, token_hash=device.token_hash
                )
            )

    async def _step(
        self, view: View, index: int, attempt: int
    ) -> tuple[Settle | Later, int, Loaded]:
        """What becomes of a delivery, how many attempts it has had then, and what that rests on."""
        loaded = view.loaded
        before = loaded.chunk.attempts_of(index)
        guarded = guard(loaded, index, self._tools.clock())
        if isinstance(guarded, Settle):
            return guarded, before, loaded
        async with self._tools.slots[loaded.chunk.provider].take(loaded.chunk.lane):
            loaded = await view.of_now()
            guarded = guard(loaded, index, self._tools.clock())
            if isinstance(guarded, Settle):
                return guarded, before, loaded
            step = await self._send(guarded, loaded, attempt)
        spent = isinstance(step, Settle) or step.spends_attempt
        return step, attempt if spent else before, loaded

    async def _send(self, push: Push, loaded: Loaded, attempt: int) -> Settle | Later:
        sent_at = self._tools.clock()
        step = await self._try(push, loaded, attempt, sent_again_at_once=False)
        if isinstance(step, AgainNow):
            step = await self._try(push, loaded, attempt, sent_again_at_once=True)
        credential = loaded.sender.credential
        if isinstance(step, AgainNow):
            raise TypeError("the policy sends again at once only once")
        if isinstance(step, Settle) and credential is not None:
            return await self._tools.safety.apply(
                step, push.device, credential.fingerprint, sent_at
            )
        return step

    async def _try(
        self, push: Push, loaded: Loaded, attempt: int, *, sent_again_at_once: bool
    ) -> Step:
        outcome = await self._outcome(push, loaded)
        situation = Situation(
            attempt=attempt,
            now=self._tools.clock(),
            starts_at=push.notification.starts_at,
            expires_at=push.notification.expires_at,
            is_now_or_never=push.notification.is_now_or_never,
            is_resent_when_unknown=push.notification.content.options.on_unknown == "resend",
            sent_again_at_once=sent_again_at_once,
            spread=random.random(),  # noqa: S311 spreads load, guards nothing
        )
        return self._tools.policy.next_step(outcome, situation)

    async def _outcome(self, push: Push, loaded: Loaded) -> Outcome:
        credential = loaded.sender.credential
        if credential is None:
            return Misconfigured("no_credential")
        party = party_of(push.device, credential)
        refused = self._tools.refusals.standing(party)
        if refused is not None:
            return refused
        provider = loaded.chunk.provider
        outcome = await self._tools.adapters.send(
            provider, push.notification, push.device, credential
        )
        self._tools.notes.note(loaded.chunk.app_id, provider, credential.fingerprint, outcome)
        if self._tools.refusals.note(party, outcome):
            self._tools.notes.recovered(loaded.chunk.app_id, provider)
        return outcome


def _note(loaded: Loaded, progress: dict[int, Progress], due: Collection[int]) -> None:
    states = Counter(progress[index].state for index in due if index in progress)
    reasons = {p.reason for p in progress.values() if p.reason is not None}
    log.info(
        "chunk.attempted",
        app_id=loaded.chunk.app_id,
        chunk_id=loaded.chunk.chunk_id,
        provider=loaded.chunk.provider,
        states=dict(states),
        reasons=sorted(reasons),
    )


def progress_of(
    step: Settle | Later, attempts: int, now: datetime, fingerprint: str = ""
) -> Progress:
    """The step as the record keeps it; `fingerprint` is the credential's, "" for none."""
    match step:
        case Settle():
            return Progress(
                step.state,
                step.reason,
                attempts,
                step.provider_message_id,
                now,
                is_dead_letter=step.dead_letter,
                cut=step.cut,
            )
        case Later():
            due_at = now + timedelta(seconds=step.wait_seconds)
            parked_under = None if step.spends_attempt else fingerprint
            return Progress(
                "accepted", step.reason, attempts, None, now, due_at, parked_under=parked_under
            )
        case _:
            assert_never(step)
