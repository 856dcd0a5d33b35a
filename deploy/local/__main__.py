"""The local stack's commands: `python -m deploy.local run | demo | stop | clean | status`."""

import argparse
import os
import signal
import sys
import time
from types import FrameType

import httpx

from deploy.local.clients import Client, UnexpectedAnswer
from deploy.local.control import AlreadyRunning, clean, end_leftovers, show_status, stop
from deploy.local.demo import Demo
from deploy.local.environment import api_url, data_folder
from deploy.local.external import ServerUnusable
from deploy.local.handout import print_handout, write_stack_file
from deploy.local.mongod import MongodMissing
from deploy.local.newcomer import DemoApp, Newcomer
from deploy.local.ports import Ports, PortTaken
from deploy.local.processes import StartFailed
from deploy.local.progress import Progress
from deploy.local.rabbitmq import RabbitMqMissing
from deploy.local.stack import PARTS, Stack
from deploy.local.timeline import Timeline

HEAL_SECONDS = 0.5
EXPECTED_FAILURES = (
    AlreadyRunning,
    MongodMissing,
    PortTaken,
    RabbitMqMissing,
    ServerUnusable,
    StartFailed,
    UnexpectedAnswer,
    httpx.HTTPError,
    PermissionError,
    ValueError,
)


def main() -> int:
    options = _parser().parse_args()
    folder = data_folder()
    match options.command:
        case "stop":
            return stop(folder)
        case "clean":
            return clean(folder)
        case "status":
            return show_status(folder, Ports.from_environment())
        case _:
            return run(options.only, stays_up=options.command == "run")


def run(only: list[str], *, stays_up: bool) -> int:
    """Starts the stack, shows the demo, stays up if asked to, ends everything; the exit code."""
    progress = Progress()
    stack: Stack | None = None
    _interrupt_on_signals()
    try:
        end_leftovers(data_folder(), progress)
        stack = Stack(data_folder(), Ports.from_environment(), progress, only)
        stack.start()
        app, failed = _show(stack, progress) if set(only) == set(PARTS) else (None, [])
        if stays_up:
            _stay_up(stack, progress, app)
    except EXPECTED_FAILURES as error:
        progress.problem(str(error))
        return 1
    except KeyboardInterrupt:
        progress.console.print("\nstopping everything; once more ends it at once")
        return 0 if stays_up else 130
    finally:
        if stack is not None:
            _end(stack)
    return 1 if failed else 0


def _show(stack: Stack, progress: Progress) -> tuple[DemoApp, list[str]]:
    """The demo; returns its app and the claims that failed."""
    timeline = Timeline(progress.console)
    with Client(stack.simulator_urls["admin_url"]) as simulators:
        url = api_url(stack.ports)
        newcomer = Newcomer(url, simulators, stack.settings, timeline)
        webhook_url = f"{stack.simulator_urls['receiver_url']}/hooks/demo"
        app = newcomer.set_up(stack.folder / "demo.json", webhook_url)
        write_stack_file(stack, app)
        demo = Demo(url, simulators, app, newcomer, timeline, while_waiting=stack.require_running)
        demo.run()
    timeline.conclude(progress.elapsed_seconds)
    return app, timeline.failed


def _stay_up(stack: Stack, progress: Progress, app: DemoApp | None) -> None:
    if app is not None:
        print_handout(progress.console, stack, app)
    progress.console.print("\n[bold]Ctrl-C stops everything.[/]")
    while True:
        time.sleep(HEAL_SECONDS)
        if stack.heal() and app is not None:
            write_stack_file(stack, app)


def _interrupt_on_signals() -> None:
    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)


def _end(stack: Stack) -> None:
    """Stops the stack; signals that come meanwhile make it quicker, not incomplete."""

    def hurry(_number: int, _frame: FrameType | None) -> None:
        stack.hurry()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, hurry)
    stack.stop()


def _parts(text: str) -> list[str]:
    chosen = text.split(",")
    if unknown := [part for part in chosen if part not in PARTS]:
        raise argparse.ArgumentTypeError(f"unknown: {', '.join(unknown)}")
    return chosen


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m deploy.local", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, words in (
        ("run", "start everything, show the demo, stay up until Ctrl-C"),
        ("demo", "start everything, check the demo, stop; exit 0 or 1"),
    ):
        command = commands.add_parser(name, help=words)
        every = ",".join(PARTS)
        command.add_argument("--only", default=every, type=_parts, help=f"some of: {every}")
    commands.add_parser("stop", help="end what a run left, also after a crash")
    commands.add_parser("clean", help="stop, then delete the stack's data")
    commands.add_parser("status", help="what runs, with its pids")
    return parser


if __name__ == "__main__":
    os.umask(0o077)
    sys.exit(main())
