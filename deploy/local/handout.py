"""What a running stack hands to people and programs: stack.json, and lines to copy and paste."""

import json

from rich.console import Console
from rich.markup import escape

from deploy.local.environment import api_url, write_private
from deploy.local.newcomer import DemoApp
from deploy.local.stack import Stack

SIMULATORS = ("apns", "fcm", "webpush", "pushy")


def write_stack_file(stack: Stack, app: DemoApp) -> None:
    """stack.json, for programs; readable by its owner only, because it holds secrets."""
    urls = stack.simulator_urls
    admin_url = urls["admin_url"]
    content = {
        "api_url": api_url(stack.ports),
        "app_id": app.app_id,
        "user_id": app.user_id,
        "client_id": app.app_id,
        "client_secret": app.client_secret,
        "webhook_secret": app.webhook_secret,
        "tokens": app.tokens,
        "simulators": {
            name: {"base_url": urls[f"{name}_url"], "admin_url": f"{admin_url}/{name}"}
            for name in SIMULATORS
        },
        "receiver": {"url": urls["receiver_url"], "admin_url": f"{admin_url}/receiver"},
        "mongo_url": stack.settings["FANFARE_MONGO_URL"],
        "amqp_url": stack.settings["FANFARE_AMQP_URL"],
        "ca_file": stack.settings["FANFARE_CA_FILE"],
        "logs": str(stack.folder / "logs"),
        "pids": stack.pids,
    }
    write_private(stack.folder / "stack.json", json.dumps(content, indent=2) + "\n")


def print_handout(console: Console, stack: Stack, app: DemoApp) -> None:
    """URLs, tokens as shell variables, and curl lines that use them."""
    url = api_url(stack.ports)
    urls = stack.simulator_urls
    console.print("\n[bold cyan]── Try it yourself[/]")
    for name, value in (
        ("API", f"{url}   (docs: {url}/docs, OpenAPI: {url}/openapi.json)"),
        ("simulators", f"{urls['admin_url']}/apns/log   (also fcm, webpush, pushy, receiver)"),
        ("MongoDB", stack.settings["FANFARE_MONGO_URL"]),
        ("RabbitMQ", stack.settings["FANFARE_AMQP_URL"]),
        ("logs", str(stack.folder / "logs")),
        ("all of it", f"{stack.folder / 'stack.json'}"),
    ):
        console.print(f"  {name:<11} {escape(value)}")
    console.print("\n[dim]# tokens, valid for 24 hours[/]")
    for name, token in app.tokens.items():
        console.print(f"{name.upper()}={token}", markup=False, highlight=False)
    for comment, line in _curl_lines(url, urls, app):
        console.print(f"\n[dim]# {comment}[/]")
        console.print(line, markup=False, highlight=False)


def _curl_lines(url: str, urls: dict[str, str], app: DemoApp) -> list[tuple[str, str]]:
    body = f'{{"user_id":"{app.user_id}","title":"Hello","body":"From curl"}}'
    as_json = "-H 'content-type: application/json'"
    as_service = '-H "authorization: Bearer $SERVICE"'
    as_admin = '-H "authorization: Bearer $APP_ADMIN"'
    client = f"-d client_id={app.app_id} -d client_secret={app.client_secret}"
    grant = "-d grant_type=client_credentials -d scope=push:send"
    return [
        ("send a notification", f"curl -s {url}/push/send {as_service} {as_json} -d '{body}'"),
        ("what became of it", f"curl -s {url}/push/notifications/NOTIFICATION_ID {as_service}"),
        ("the app's devices", f"curl -s {url}/push/devices/{app.app_id} {as_admin}"),
        ("a service token, as the backend gets it", f"curl -s {url}/auth/token {grant} {client}"),
        ("the receipts that came", f"curl -s {urls['admin_url']}/receiver/receipts"),
    ]
