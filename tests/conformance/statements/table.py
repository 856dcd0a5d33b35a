"""All statements, in the seed's order."""

from tests.conformance.statements.config import GET_CONFIG, INTRODUCTION, PATCH_CONFIG
from tests.conformance.statements.devices import LIST_DEVICES, UNREGISTER
from tests.conformance.statements.errors import ERRORS
from tests.conformance.statements.registrations import REGISTER
from tests.conformance.statements.sends import BATCH, BULK, SEND

SECTIONS = (
    INTRODUCTION,
    PATCH_CONFIG,
    GET_CONFIG,
    LIST_DEVICES,
    REGISTER,
    UNREGISTER,
    SEND,
    BULK,
    BATCH,
    ERRORS,
)
STATEMENTS = {row.id: row for section in SECTIONS for row in section.statements}
