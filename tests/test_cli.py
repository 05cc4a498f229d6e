"""The command line: real processes, a real terminal (a pty), real signals."""

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from fakes import answer_events
from hypothesis import given
from hypothesis import strategies as st
from sfumato import cli, cli_watch
from sfumato.cli_watch import CanvasView, printable, wrap
from sfumato.engine.protocol import Committed
from tiny_model import write_tiny_model

PATIENCE = 60


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("model") / "tiny.gguf"
    return str(write_tiny_model(path, tokenizer=True))


def sfumato(*arguments: str, **options) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "sfumato", *arguments],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        **options,
    )


def generate(model: str, *arguments: str, **options) -> subprocess.CompletedProcess[str]:
    return sfumato("generate", "--model", model, "--seed", "3", *arguments, "hello", **options)


# Arguments


def test_help_names_every_command_without_importing_any():
    script = """if True:
        import sys
        from sfumato.cli import main
        try:
            main(["--help"])
        except SystemExit:
            print(*sys.modules, file=sys.stderr)
    """
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert all(name in done.stdout for name in cli.COMMANDS)
    assert {"numpy", "PySide6", "msgspec", "llama_cpp"}.isdisjoint(done.stderr.split())


@pytest.mark.parametrize("command", ["generate", "inspect", "models", "doctor", "verify"])
def test_every_command_has_help(command):
    done = sfumato(command, "--help")
    assert done.returncode == 0
    assert done.stdout.startswith(f"usage: sfumato {command}")


@pytest.mark.parametrize("arguments", [["nonsense"], ["generate"], ["--nonsense"]])
def test_wrong_usage_ends_with_2(arguments):
    done = sfumato(*arguments)
    assert done.returncode == 2
    assert done.stderr.startswith("usage: sfumato")


def test_the_model_may_stand_before_the_command(model):
    before = sfumato("--model", model, "generate", "--seed", "3", "hello")
    assert before.stdout == generate(model).stdout != ""


def test_the_window_gets_model_and_device(monkeypatch):
    pytest.importorskip("sfumato.application")
    opened = []
    monkeypatch.setattr("sfumato.application.run", lambda args: opened.append(args) or 0)
    assert cli.main(["--model", "m.gguf", "--device", "cpu"]) == 0
    assert (opened[0].model, opened[0].device) == ("m.gguf", "cpu")


# generate


def test_the_same_seed_gives_the_same_answer(model):
    assert generate(model).stdout == generate(model).stdout


def test_json_prints_one_event_a_line(model):
    done = generate(model, "--json", "--max-steps", "3")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    kinds = [event["type"] for event in events]
    assert kinds[:3] == ["Loaded", "Prefilled", "Denoised"]
    assert kinds[-1] == "Finished"
    assert max(event["step"] for event in events if event["type"] == "Denoised") <= 3


def test_text_is_what_the_events_say(model):
    lines = generate(model, "--json").stdout.splitlines()
    committed = [event for line in lines if (event := json.loads(line))["type"] == "Committed"]
    text = printable("".join(event["text"] for event in committed))
    assert generate(model).stdout.rstrip("\n") == text.rstrip("\n")


def test_watch_into_a_pipe_is_plain_text(model):
    assert generate(model, "--watch").stdout == generate(model).stdout
    assert "\x1b" not in generate(model, "--watch").stdout


def test_a_question_is_read_from_a_pipe(model):
    arguments = ["generate", "--model", model, "--seed", "3", "-"]
    assert sfumato(*arguments, input="hello").stdout == generate(model).stdout


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["generate", "--model", "/nowhere/x.gguf", "hello"], "x.gguf does not exist."),
        (["generate", "--model", "MODEL", "--device", "cuda:7", "hello"], "no device “cuda:7”"),
        (["generate", "--model", "MODEL", "--max-steps", "0", "hello"], "must be 1 to 1000"),
        (["inspect", "/nowhere/x.gguf"], "x.gguf does not exist"),
        (["inspect", __file__], "is not a GGUF file"),
    ],
)
def test_an_error_is_one_sentence_and_2(model, arguments, sentence):
    done = sfumato(*(model if argument == "MODEL" else argument for argument in arguments))
    assert done.returncode == 2
    assert sentence in done.stderr
    assert done.stderr.startswith("sfumato: ")
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


def test_an_error_is_an_event_in_json():
    done = sfumato("generate", "--model", "/nowhere/x.gguf", "--json", "hello")
    assert json.loads(done.stdout)["kind"] == "model_gone"
    assert done.returncode == 2


def test_a_reader_that_leaves_is_no_error(model):
    read_end, write_end = os.pipe()
    os.close(read_end)
    process = subprocess.Popen(
        [sys.executable, "-m", "sfumato", "generate", "--model", model, "--json", "hello"],
        stdout=write_end,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(write_end)
    _, said = process.communicate(timeout=PATIENCE)
    assert (process.returncode, said) == (cli.EXIT_BROKEN_PIPE, "")


def test_ctrl_c_ends_cleanly(tmp_path):
    never_settles = {"diffusion.eb_confidence_threshold": np.float32(0.0)}
    path = write_tiny_model(tmp_path / "endless.gguf", tokenizer=True, metadata=never_settles)
    command = ["-m", "sfumato", "generate", "--json", "--max-steps", "1000", "--model"]
    process = subprocess.Popen(
        [sys.executable, *command, str(path), "hello"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    while "Denoised" not in process.stdout.readline():
        pass
    process.send_signal(signal.SIGINT)  # its 1,000 steps cannot all have gone into the pipe
    _, said = process.communicate(timeout=PATIENCE)
    assert (process.returncode, said) == (cli.EXIT_INTERRUPTED, "")


def test_inspect_tells_the_network(model):
    assert "3: 2 with a sliding window of 24" in sfumato("inspect", model).stdout
    assert json.loads(sfumato("inspect", "--json", model).stdout)["config"]["layers"] == 3


# watch


def in_a_terminal(model: str, **environment: str) -> str:
    """Everything that `generate --watch` writes to a terminal."""
    command = ["-m", "sfumato", "generate", "--watch", "--seed", "3", "--max-steps", "4", "--model"]
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, *command, model, "hello"],
        stdout=theirs,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"TERM": "xterm-256color"} | environment,
    )
    os.close(theirs)
    written = b""
    while select.select([ours], [], [], PATIENCE)[0]:
        try:
            portion = os.read(ours, 1 << 16)
        except OSError:  # how Linux says that the other end is closed
            break
        if not portion:
            break
        written += portion
    os.close(ours)
    assert process.wait(PATIENCE) == 0
    return written.decode()


def test_watch_repaints_in_place_and_gives_the_cursor_back(model):
    written = in_a_terminal(model)
    assert written.startswith(cli_watch.HIDE_CURSOR)
    assert written.endswith(cli_watch.SHOW_CURSOR)
    assert cli_watch.DIM in written
    assert written.count(cli_watch.ERASE_BELOW) > 3


def test_no_color_means_no_styles(model):
    written = in_a_terminal(model, NO_COLOR="1")
    assert cli_watch.ERASE_BELOW in written
    assert not re.search(r"\x1b\[\d+m", written)


class Screen:
    """Just enough of a terminal to see what CanvasView leaves on it."""

    TOKEN = re.compile(r"\x1b\[\??(\d*)([A-Za-z])|(\r)|(\n)|(.)", re.S)

    def __init__(self) -> None:
        self.lines: list[str] = [""]
        self.row = self.column = 0

    def write(self, text: str) -> None:
        for number, command, return_, line_feed, character in self.TOKEN.findall(text):
            if command == "A":
                self.row -= int(number)
                assert self.row >= 0
            elif command == "J":
                assert self.column == 0
                del self.lines[self.row :]
                self.lines.append("")
            elif return_:
                self.column = 0
            elif line_feed:
                self.row, self.column = self.row + 1, 0
                while len(self.lines) <= self.row:
                    self.lines.append("")
            elif character:
                line = self.lines[self.row].ljust(self.column)
                self.lines[self.row] = line[: self.column] + character + line[self.column + 1 :]
                self.column += 1


@pytest.mark.parametrize(("columns", "lines"), [(80, 24), (20, 8), (12, 4)])
def test_after_the_last_block_only_the_answer_is_on_the_screen(monkeypatch, columns, lines):
    size = os.terminal_size((columns, lines))
    monkeypatch.setattr("shutil.get_terminal_size", lambda: size)
    text = "An answer over several blocks, and with\na line break of its own. " * 4
    events = answer_events(text.strip(), canvas=8, steps=3)
    stream = StringIO()
    with CanvasView(stream) as view:
        for event in events:
            view.show(event)
    screen = Screen()
    screen.write(stream.getvalue())
    answer = "".join(event.text for event in events if isinstance(event, Committed))
    left = [line.rstrip() for line in screen.lines]
    assert " ".join(" ".join(left).split()) == " ".join(answer.split())
    assert all(len(line) < columns for line in left)


@given(st.text(), st.integers(2, 30))
def test_wrapping_loses_nothing_but_spaces(text, columns):
    lines = wrap(((character, False) for character in text), columns)
    wrapped = "\n".join("".join(character for character, _ in line) for line in lines)
    assert re.sub(r"[ \n]", "", wrapped) == re.sub(r"[ \n]", "", text)
    for line in lines:
        assert sum(cli_watch._width(character) for character, _ in line) <= columns


@given(st.text())
def test_printable_text_cannot_command_a_terminal(text):
    shown = printable(text + "\x1b[2J\x07\x9b31m\u202e")
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", shown)


def test_an_unknown_path_is_no_traceback(tmp_path: Path):
    done = sfumato("inspect", str(tmp_path))
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
