"""What does the embedded engine say of its memory? Shows it headers with a hole for tensors, and keeps what it logs.

    python benchmarks/engine_memory.py                     ask again for every model of the record, write it anew
    python benchmarks/engine_memory.py NAME ARCH KEYS      add one: KEYS is a JSON object of entries, without the
                                                           architecture in front; the engine is asked which tensors it
                                                           wants, one by one, until it is content or says no more

The record is tests/unit/hardware/engine_log.json; tests hold our memory model against it. Needs the extra `embedded`.
"""

import json
import re
import sys
import tempfile
from datetime import date
from importlib.metadata import version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.integration.hardware.engine import log, said
from tests.unit.hardware.engine_log import LOG, SETUPS, models, tensors, write

TRIES = 5  # an engine that dies may lose the end of its log


def wanted(file, architecture, keys):
    """Ask the engine which tensors it wants: it names one that is missing or of another shape, and so on."""
    shapes, known = {}, {}
    for _ in range(5000):
        write(file, architecture, keys, [(name, shape, kind(name, shape)) for name, shape in shapes.items()])
        text = log(file, {"context_tokens": 512})
        if missing := re.search(r"tensor '([^']+)' not found", text):
            shapes[missing[1]] = known.get(pattern(missing[1]), (1,))
        elif wrong := re.search(r"tensor '([^']+)' has wrong shape; expected\s+([\d, ]+), got", text):
            shape = [int(number) for number in wrong[2].split(",")]
            while len(shape) > 1 and shape[-1] == 1:
                shape.pop()
            shapes[wrong[1]] = known[pattern(wrong[1])] = tuple(shape)
        elif said(text):
            return shapes
        else:
            raise SystemExit(text[-2000:])
    raise SystemExit("the engine wants no end of tensors")


def pattern(name):
    """Return a tensor's name for any block."""
    return re.sub(r"^blk\.\d+\.", "blk.*.", name)


def kind(name, shape):
    """Return the type that the engine computes with: f32 for what is small."""
    small = len(shape) == 1 or re.search(r"norm|ssm|bias|time_mix|shortconv\.conv|sinks|ffn_gate_inp", name)
    return "F32" if small else "F16"


def grouped(shapes):
    """Return tensors as the record keeps them: equal ones of several blocks together."""
    groups = {}
    for name, shape in shapes.items():
        block = re.match(r"blk\.(\d+)\.", name)
        groups.setdefault((pattern(name), shape, kind(name, shape)), []).extend([int(block[1])] if block else [])
    return [[name, list(shape), type_, blocks] for (name, shape, type_), blocks in groups.items()]


def asked(file, model):
    """Return what the engine says of a model, by setup; without those of which it says too little."""
    write(file, model["architecture"], model["keys"], tensors(model))
    answers = {}
    for name, setup in SETUPS.items():
        found = next((one for _ in range(TRIES) if (one := said(log(file, setup)))), None)
        if found:
            answers[name] = found
    return answers


def main():
    """Write the record anew."""
    held = models() if LOG.exists() else {}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.gguf"
        if len(sys.argv) == 4:
            name, architecture, keys = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
            found = grouped(wanted(file, architecture, keys))
            held[name] = {"architecture": architecture, "keys": keys, "tensors": found}
            held[name]["said"] = asked(file, held[name])
        else:
            for name, model in held.items():
                model["said"] = asked(file, model)
                print(name, len(model["said"]))
    record = {"engine": f"xllamacpp {version('xllamacpp')}", "as_of": date.today().isoformat(), "models": held}
    LOG.write_text(json.dumps(record, separators=(",", ":")), "utf-8")


if __name__ == "__main__":
    main()
