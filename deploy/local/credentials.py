"""Provider credentials for the demo: made here, public halves told to the simulators."""

import secrets
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from deploy.local.clients import Client, Json

APNS_TOPIC = "com.example.demo"
FCM_PROJECT = "fanfare-demo"
RSA_BITS = 2048


@dataclass(frozen=True)
class Credentials:
    """What the app's admin gives to the service, per provider, and what the simulators need."""

    apns: Json
    fcm: Json
    webpush: Json
    pushy: Json
    apns_public_key: str
    fcm_public_key: str

    def by_provider(self) -> dict[str, Json]:
        return {"apns": self.apns, "fcm": self.fcm, "webpush": self.webpush, "pushy": self.pushy}

    def tell_simulators(self, simulators: Client) -> None:
        """Registers the public halves, as Apple, Google and Pushy know those of their customers."""
        apns_key = {key: self.apns[key] for key in ("team_id", "key_id")}
        simulators.put(
            "/apns/keys",
            {**apns_key, "public_key_pem": self.apns_public_key, "topics": [APNS_TOPIC]},
            expect=204,
        )
        account = self.fcm["service_account"]
        fcm_key = {key: account[key] for key in ("client_email", "private_key_id")}
        simulators.put(
            f"/fcm/projects/{FCM_PROJECT}",
            {**fcm_key, "public_key_pem": self.fcm_public_key},
            expect=204,
        )
        simulators.put("/pushy/apps", self.pushy, expect=204)


def make_credentials() -> Credentials:
    apns_key = ec.generate_private_key(ec.SECP256R1())
    fcm_key = rsa.generate_private_key(public_exponent=65_537, key_size=RSA_BITS)
    return Credentials(
        apns={
            "team_id": "DEMOTEAM01",
            "key_id": f"DEMO{secrets.token_hex(3).upper()}",
            "private_key": _private_pem(apns_key),
            "topic": APNS_TOPIC,
            "environment": "production",
        },
        fcm={
            "service_account": {
                "type": "service_account",
                "project_id": FCM_PROJECT,
                "client_email": f"push@{FCM_PROJECT}.iam.gserviceaccount.com",
                "private_key": _private_pem(fcm_key),
                "private_key_id": secrets.token_hex(20),
            }
        },
        webpush={"subject": "mailto:ops@example.com"},
        pushy={"api_key": secrets.token_hex(32)},
        apns_public_key=_public_pem(apns_key.public_key()),
        fcm_public_key=_public_pem(fcm_key.public_key()),
    )


def _private_pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def _public_pem(key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey) -> str:
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
