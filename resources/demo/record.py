"""Records one answer of the guide, as the first run shows it: replay.json.

python resources/demo/record.py
python resources/demo/record.py --model build/guide/guide.gguf --seed 5
"""

import argparse
import base64
import json
from pathlib import Path

from sfumato.engine.protocol import Committed, Denoised, Generate, Load, Message
from sfumato.engine.session import load
from sfumato.services.generation import step_record
from sfumato.store.recordings import StepRecord, encode_recording

HERE = Path(__file__).resolve().parent
QUESTION = "How does text diffusion work?"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=HERE / "guide.gguf")
    parser.add_argument("--question", default=QUESTION)
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--blocks", type=int, default=3)
    parser.add_argument("--out", type=Path, default=HERE / "replay.json")
    args = parser.parse_args()
    session, loaded = load(Load(path=str(args.model), device="cpu", context=2048))
    request = Generate(
        turn=1, messages=[Message("user", args.question)], seed=args.seed, max_blocks=args.blocks
    )
    blocks: list[str] = []
    steps: list[StepRecord] = []
    for event in session.answer(request, lambda: False):
        if isinstance(event, Denoised):
            steps.append(step_record(event))
        elif isinstance(event, Committed):
            blocks.append(base64.b64encode(encode_recording(steps)).decode())
            print(f"block {event.block}: {event.steps} steps, settled: {event.settled}")
            print(event.text)
            steps = []
    session.close()
    recorded = {"model": loaded.name, "question": args.question, "blocks": blocks}
    args.out.write_text(json.dumps(recorded, indent=0) + "\n", encoding="utf-8")
    print(f"{args.out}: {args.out.stat().st_size} bytes")


if __name__ == "__main__":
    main()
