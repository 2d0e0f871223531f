"""What our samplers cost against the host's own KSampler with a noise mask, side by side in one run.

    python benchmarks/cost [--repeats 7] [--size 16]

Every method samples the same masked latent with the demo model, one after the other and all over again `repeats`
times, so that a busy machine slows all alike. A ratio is that of the medians of the time per model evaluation.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "demo"))

import in_process  # noqa: E402

HOST = in_process.start()

import torch  # noqa: E402

from latent_repaint.samplers.blend import Blend  # noqa: E402
from latent_repaint.samplers.host import combine, evaluations  # noqa: E402
from latent_repaint.samplers.match import Match  # noqa: E402
from latent_repaint.samplers.repaint import RePaint  # noqa: E402

STEPS, CFG = 20, 4.0
METHODS = {
    "Blend fixed": Blend(known_noise="fixed"),
    "Blend fresh": Blend(known_noise="fresh"),
    "Blend predicted": Blend(known_noise="predicted"),
    "RePaint 1/2": RePaint(jump_length=1, jump_n_sample=2, known_noise="fresh"),
    "Match 0": Match(inner_steps=0.0),
    "Match 1": Match(inner_steps=1.0),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--size", type=int, default=16, help="height and width of the latent")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    rows = measure(options.repeats, options.size)
    command = f"python benchmarks/cost --repeats {options.repeats} --size {options.size} --threads {options.threads}"
    facts = f"torch {torch.__version__}, latent {options.size}x{options.size}, {STEPS} steps, euler, cfg {CFG:g}"
    text = "\n".join([
        "# Cost against the host's KSampler with noise_mask, demo model",
        "",
        f"`{command}`: {facts}, medians of {options.repeats} runs taken in turn.",
        "",
        "| method | evaluations | ms an evaluation | against the host |",
        "|---|---|---|---|",
        *rows,
        "",
        "Match's extra evaluations are one pass of the network instead of two, so they cost less than the host's.",
        "",
    ])  # fmt: skip
    (ROOT / "benchmarks" / "results" / "cost.md").write_text(text)
    sys.stdout.write(text)


@torch.inference_mode()
def measure(repeats: int, size: int) -> list[str]:
    """Table rows: the host's plain sampler first, then every method."""
    model, clip, _ = HOST.nodes.CheckpointLoaderSimple().load_checkpoint(HOST.demo_checkpoint)
    positive, negative = (HOST.nodes.CLIPTextEncode().encode(clip, text)[0] for text in ("day, lake, house", ""))
    nodes = HOST.custom_sampler
    guider = nodes.CFGGuider.execute(model, positive, negative, CFG)[0]
    noise, sigmas = nodes.RandomNoise.execute(1)[0], nodes.BasicScheduler.execute(model, "karras", STEPS, 1.0)[0]
    plain = nodes.KSamplerSelect.execute("euler")[0]
    latent = torch.randn(1, 4, size, size, generator=torch.Generator().manual_seed(0))
    mask = torch.zeros(1, 1, size, size)
    mask[..., size // 4 : -size // 4, size // 4 : -size // 4] = 1
    samplers = {"host": plain, **{name: combine(plain, method, "cost") for name, method in METHODS.items()}}
    counts = {
        name: len(evaluations(sampler, model.get_model_object("model_sampling"), sigmas, "cost"))
        for name, sampler in samplers.items()
    }

    def run(sampler) -> None:
        nodes.SamplerCustomAdvanced.execute(noise, guider, sampler, sigmas, {"samples": latent, "noise_mask": mask})

    seconds: dict[str, list[float]] = {name: [] for name in samplers}
    for repeat in range(repeats + 1):
        for name, sampler in samplers.items():
            taken = timed(run, sampler)
            if repeat:  # the first round warms up
                seconds[name].append(taken / counts[name])
    medians = {name: statistics.median(taken) for name, taken in seconds.items()}
    return [
        f"| {name} | {counts[name]} | {1000 * median:.2f} | {median / medians['host']:.3f} |"
        for name, median in medians.items()
    ]


def timed(run: Callable, *arguments) -> float:
    start = time.perf_counter()
    run(*arguments)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
