"""`python benchmarks NAME [options]` measures anew what stands in benchmarks/results; without a name it lists them.

It installs what is missing first, as `python tests` does.
"""

import ast
import importlib
import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])  # its folders are packages

from comfyui_host import in_process, install  # noqa: E402

COMMANDS = {  # each is the command.py of the folder of that name
    "exactness": "how far each sampler is from the exact answer",
    "quality": "any checkpoint of yours: seams, and the model's own judgement of pictures",
    "pixels": "what Crop, Stitch and Composite change, and what they cost",
    "painted": "what is painted, against the exact posterior of a Gaussian",
    "cost": "time, memory and waiting beside the host's own sampler",
    "batch": "many pictures: scaling, overhead, a table of a million rows",
}

USAGE = "usage: python benchmarks NAME [--help]\n" + "\n".join(
    f"  {name:18} {purpose}" for name, purpose in COMMANDS.items()
)


def help_of(name: str) -> str:
    """A benchmark's docstring and its options, read off its source: to import it takes a whole ComfyUI."""
    module = ast.parse((Path(__file__).parent / name / "command.py").read_text(encoding="utf-8"))
    lines = [ast.get_docstring(module) or "", ""]
    for call in ast.walk(module):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "add_argument":
            said = [word.value for word in call.keywords if word.arg == "help"]
            words = [word.value for word in (*call.args, *said) if isinstance(word, ast.Constant)]
            lines.append("  " + "  ".join([f"{words[0]:16}", *words[1:]]).rstrip())
    return "\n".join(lines)


def main() -> None:
    if not sys.argv[1:] or {"-h", "--help"} & set(sys.argv):
        print(help_of(sys.argv[1]) if sys.argv[1:] and sys.argv[1] in COMMANDS else USAGE)
        return
    if sys.argv[1] not in COMMANDS:
        sys.exit(f"found {sys.argv[1]}, wanted a NAME\n{USAGE}")
    install.run_under_host(test_tools=True)
    in_process.start()  # so that a benchmark can import it and the pack in any order
    name = sys.argv.pop(1)
    sys.argv[0] = f"python benchmarks {name}"
    sys.exit(importlib.import_module(f"benchmarks.{name}.command").main())


if __name__ == "__main__":
    main()
