"""`sfumato inspect FILE`."""

import argparse
import json

from sfumato.engine import inspect
from sfumato.engine.model_file import ModelFile


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="a model file (GGUF)")
    parser.add_argument("--json", action="store_true", help="everything the header says, as JSON")


def run(args: argparse.Namespace) -> int:
    file = ModelFile.open(args.file)
    if args.json:
        print(json.dumps(inspect.as_json(file), indent=2, ensure_ascii=False))
    else:
        print(inspect.as_text(file), end="")
    return 0
