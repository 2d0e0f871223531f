"""How far is each inpainting sampler from the exact posterior, at equal numbers of model evaluations?

    python benchmarks exactness                    each at its best setting: hours; resumes where it stopped
    python benchmarks exactness --quick            a minute of that: small samples, small budgets, nothing kept
    python benchmarks exactness --random SEED      twelve mixtures drawn from a seed, each as KSampler runs it
    python benchmarks exactness --random SEED --problems 0-3 --methods match --budgets 10x2,20x2
    python benchmarks exactness --few-steps        large pictures and few steps, each as KSampler runs it; only printed

Of --random, choose on some seeds and report others. A part of it is only printed; the whole becomes results/random.md.
"""

import argparse

import torch

from .as_run import SOLVERS, few_steps, random_mixtures
from .best import best_settings


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--random", type=int, metavar="SEED")
    parser.add_argument("--few-steps", action="store_true")
    parser.add_argument("--problems", default="", help="some of them, for example field,ring; of --random 0-3,7")
    parser.add_argument("--methods", default="", help="some of them, for example match,blend")
    parser.add_argument("--budgets", default="", help="evaluations, 20,40; of --random and --few-steps 10x2,20x2")
    parser.add_argument("--solver", choices=SOLVERS, default="euler", help="of --random and --few-steps")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--report-only", action="store_true", help="write the page from what is there")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.random is not None:
        random_mixtures(options)
    elif options.few_steps:
        few_steps(options)
    else:
        best_settings(options)
