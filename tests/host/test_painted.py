"""The fast part of the matrix of the painted part, and that it would tell. See `benchmarks/painted/judge.py`."""

import pytest

from benchmarks.painted import judge as painted
from benchmarks.painted.judge import PREDICTIONS, Cell, cells, judge
from latent_repaint.samplers.solvers import CHOOSES_ITS_STEPS, NOT_FOR_FLOW

STRIDE = 61  # a prime that divides no side of the matrix
FEW = list(cells())[::STRIDE]
MENDED = [
    Cell(method, solver, "normal", prediction, kind)
    for method, solver in (("Match", "uni_pc"), ("Match", "sa_solver"), ("RePaint", "sa_solver_pece"))
    for prediction in PREDICTIONS
    for kind in ("whole", "two stages")
] + [
    Cell("RePaint", "euler_cfg_pp", "normal", "flow", "soft mask"),
    Cell("Blend", "dpmpp_2m_cfg_pp", "normal", "flow", "soft mask"),
    Cell("RePaint", "res_multistep_ancestral", "normal", "eps", "denoise .6"),
    Cell("RePaint", "dpmpp_2s_ancestral_cfg_pp", "normal", "eps", "denoise .6"),
]  # fmt: skip
"""Cells that were wrong: uni_pc stood still in single steps, sa_solver left out the last one of a piece, and the CFG++
solvers drew conclusions about cells that were not free yet from predictions without the kept part. RePaint hid
the kept part of a run that began with old content under noise that was new each time."""


@pytest.mark.parametrize("cell", [*FEW, *MENDED], ids=" ".join)
def test_what_is_painted_has_the_moments_of_the_exact_posterior(cell):
    found = judge(cell)
    assert not found.wrong
    unfit = cell.prediction == "flow" and f"sample_{cell.solver}" in NOT_FOR_FLOW
    assert bool(found.refused) == (cell.solver in CHOOSES_ITS_STEPS or unfit)


@pytest.mark.parametrize("prediction", PREDICTIONS)
def test_the_way_of_the_host_does_not_pass_for_blend_or_match(prediction):
    """Under Euler too, whose cells were once compared with themselves."""
    for method in ("Blend", "Match"):
        cell = Cell(method, "euler", "normal", prediction, "whole")
        plain, host = (painted.moments_of(cell._replace(method=name)) for name in ("plain", "host"))
        assert painted.off(host, cell, plain, host).startswith("pull")
