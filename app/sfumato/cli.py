"""`sfumato` opens the window; `sfumato COMMAND` does without one.

Only what a command needs is imported, so that `--help` answers at once. Every command is a module
with `add_arguments(parser)` and `run(args) -> exit code`.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module

from sfumato import __version__
from sfumato.errors import KnownError

EXIT_ERROR = 2
EXIT_INTERRUPTED = 130  # 128 + SIGINT, as shells do
EXIT_BROKEN_PIPE = 141  # 128 + SIGPIPE

# name → (module, what it does)
COMMANDS = {
    "generate": ("sfumato.cli_generate", "answer one prompt in the terminal"),
    "inspect": ("sfumato.cli_inspect", "show what a model file holds"),
    "models": ("sfumato.cli_models", "list, download and remove models"),
    "doctor": ("sfumato.cli_doctor", "say which device is used, why, and what is missing"),
    "bench": ("sfumato.engine.bench", "measure how fast this machine computes"),
    "verify": ("sfumato.engine.verify", "compare the engine with reference arrays"),
}


def main(argv: Sequence[str] | None = None) -> int:
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        args = _parser(arguments).parse_args(arguments)
        if args.command is None:
            from sfumato.application import run

            return run(args)
        code: int = import_module(COMMANDS[args.command][0]).run(args)
        sys.stdout.flush()
        return code
    except KnownError as error:
        print(f"sfumato: {error}", file=sys.stderr)
        return EXIT_ERROR
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # whoever read our output has gone; Python must not complain about it while it ends
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_BROKEN_PIPE


def _parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    """All commands by name, and the arguments of the one that is asked for."""
    parser = argparse.ArgumentParser(
        prog="sfumato",
        description="Chat with DiffusionGemma on this computer. Without a command: the window.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"Sfumato {__version__}")
    add_model_arguments(parser)
    parser.set_defaults(model=None, device=None)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    asked_for = _command(arguments)
    for name, (module, what) in COMMANDS.items():
        command = commands.add_parser(name, help=what, description=f"Sfumato: {what}.")
        if name == asked_for:
            import_module(module).add_arguments(command)
    return parser


def _command(arguments: Sequence[str]) -> str | None:
    """The first argument that is neither an option nor its value."""
    rest = iter(arguments)
    for argument in rest:
        if argument in ("--model", "--device"):
            next(rest, None)
        elif not argument.startswith("-"):
            return argument
    return None


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    """--model and --device, which may also stand before the command."""
    parser.add_argument(
        "--model",
        metavar="FILE",
        default=argparse.SUPPRESS,
        help="a DiffusionGemma file (GGUF); without it, the built-in guide",
    )
    parser.add_argument(
        "--device",
        metavar="DEVICE",
        default=argparse.SUPPRESS,
        help="auto (the default), cpu, or cuda:0, cuda:1 …",
    )
