"""`sfumato generate PROMPT`: one answer in the terminal, in this process."""

import argparse
import sys
from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from pathlib import Path

import msgspec

from sfumato.cli import EXIT_ERROR, add_model_arguments
from sfumato.cli_watch import CanvasView, printable
from sfumato.engine import session
from sfumato.engine.failure import WORLDLY, failure
from sfumato.engine.protocol import (
    Committed,
    Event,
    Finished,
    Generate,
    Load,
    Message,
    Prefilled,
)
from sfumato.errors import KnownError
from sfumato.paths import built_in_guide


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("prompt", metavar="PROMPT", help="the question; “-” reads it from a pipe")
    add_model_arguments(parser)
    parser.add_argument(
        "--profile",
        choices=("exact", "compact"),
        default="exact",
        help="compact: experts of 8 bits rounded to 5, for less memory",
    )
    parser.add_argument("--seed", type=int, metavar="N", help="the same seed, the same answer")
    parser.add_argument(
        "--max-steps", type=int, metavar="N", help="denoise steps a block may take at most"
    )
    parser.add_argument("--system", metavar="TEXT", help="instructions before the conversation")
    parser.add_argument("--thinking", action="store_true", help="let the model think first")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--watch", action="store_true", help="show the canvas while it is refined")
    how.add_argument("--json", action="store_true", help="print every event as a line of JSON")


def run(args: argparse.Namespace) -> int:
    path = Path(args.model or built_in_guide())
    show = _json_lines if args.json else _watch if args.watch else _text
    try:
        with closing(_events(args, path)) as events:
            show(events)
    except WORLDLY as error:
        failed = failure(error, path=str(path))
        if args.json:
            _print_json(failed)
        print(f"sfumato: {failed.message} {failed.advice}", file=sys.stderr)
        return EXIT_ERROR
    return 0


def _events(args: argparse.Namespace, path: Path) -> Generator[Event]:
    """Load the model, then everything that a session says about the answer."""
    prompt = sys.stdin.read() if args.prompt == "-" else args.prompt
    opened, loaded = session.load(
        Load(path=str(path), device=args.device or "auto", profile=args.profile),
        _loading_progress(),
    )
    yield loaded
    sampler = loaded.sampler
    if args.max_steps is not None:
        try:
            sampler = msgspec.structs.replace(sampler, max_steps=args.max_steps)
        except ValueError as error:
            raise KnownError(f"--max-steps cannot be used ({error}); choose another.") from None
    messages = [Message("system", args.system)] if args.system else []
    messages.append(Message("user", prompt))
    request = Generate(
        turn=0,
        messages=messages,
        thinking=args.thinking,
        sampler=sampler,
        seed=args.seed,
    )
    yield from opened.answer(request)


def _loading_progress() -> Callable[[float], bool]:
    """Large files take a while; people who look at a terminal are told."""
    if not sys.stderr.isatty():
        return lambda _: True
    shown = -1

    def progress(fraction: float) -> bool:
        nonlocal shown
        percent = int(100 * fraction)
        if percent > shown:
            shown = percent
            text = f"Loading the model: {percent} %" if percent < 100 else ""
            print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)
        return True

    return progress


def _print_json(event: Event) -> None:
    print(msgspec.json.encode(event, enc_hook=str).decode(), flush=True)  # sentences in English


def _json_lines(events: Iterable[Event]) -> None:
    for event in events:
        _print_json(event)


def _text(events: Iterable[Event]) -> None:
    """The answer alone, block by block; what is to be said about it goes to standard error."""
    ends_line = False
    for event in events:
        if isinstance(event, Committed):
            text = printable(event.text)
            print(text, end="", flush=True)
            ends_line = text.endswith("\n") if text else ends_line
            if not event.settled:
                _note(_unsettled(event))
        elif isinstance(event, Finished):
            if not ends_line:
                print(flush=True)
            _note_end(event)


def _watch(events: Iterable[Event]) -> None:
    if not sys.stdout.isatty():
        _text(events)
        return
    told: list[Event] = []
    with CanvasView(sys.stdout) as view:
        for event in events:
            view.show(event)
            if isinstance(event, Prefilled | Committed | Finished):
                told.append(event)
    seed = 0
    for event in told:
        match event:
            case Prefilled():
                seed = event.seed
            case Committed(settled=False):
                _note(_unsettled(event))
            case Finished():
                _note_end(event)
                _note(
                    f"{event.tokens} tokens in {event.steps} steps and {event.seconds:.1f} s, "
                    f"{event.tokens_per_second:.1f} a second; seed {seed}"
                )


def _unsettled(event: Committed) -> str:
    return f"block {event.block + 1} did not settle in {event.steps} steps"


def _note_end(event: Finished) -> None:
    if event.reason == "context":
        _note("the context is full, the answer ends here")
    elif event.reason == "length":
        _note("the answer is longer and ends here")
    elif event.tokens == 0:
        _note("the answer is empty; another seed may give one")


def _note(text: str) -> None:
    print(f"({text})", file=sys.stderr, flush=True)
