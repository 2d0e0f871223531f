"""The fast part of the matrix: every family with every method, every solver, every scheduler. See `cells.py`."""

import dataclasses

import comfy.sample
import pytest
import torch

from benchmarks.matrix.cells import METHODS, SCHEDULERS, SOLVERS, Cell, cells, family, jump_error, run
from comfyui_host.families import FAMILIES
from comfyui_host.tiny import sigmas
from latent_repaint.samplers.mathematics.noise_level import noise_levels
from latent_repaint.samplers.solvers import CHOOSES_ITS_STEPS, NOT_FOR_FLOW

STRIDE = 53  # a prime that divides no side of the matrix, so that every name comes up again and again
FEW = list(cells())[::STRIDE]


def test_the_few_cells_meet_every_family_with_every_method_and_name_every_solver_and_scheduler():
    assert {cell[:2] for cell in FEW} == {(name, method) for name in FAMILIES for method in METHODS}
    assert {cell.solver for cell in FEW} == set(SOLVERS)
    assert {cell.scheduler for cell in FEW} == set(SCHEDULERS)


@pytest.mark.parametrize("cell", FEW, ids=" ".join)
def test_a_cell_keeps_every_promise_or_is_refused_for_its_solver(cell):
    found = run(cell)
    assert not found.wrong
    is_flow = noise_levels(family(cell.family).model.get_model_object("model_sampling"), torch.tensor([0.5]))[0].a < 1
    unfit = is_flow and f"sample_{cell.solver}" in NOT_FOR_FLOW
    assert bool(found.refused) == (cell.solver in CHOOSES_ITS_STEPS or unfit)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_jump_has_the_law_of_the_hosts_own_noising(name):
    model = family(name).model
    sampling, schedule = model.get_model_object("model_sampling"), sigmas(model, 6).tolist()
    assert jump_error(sampling, schedule[4], schedule[1], 200_000) < 5
    assert jump_error(sampling, schedule[2], schedule[0], 200_000, seed=1) < 5


def test_a_wrong_jump_is_noticed():
    """Three per cent too much noise is."""

    @dataclasses.dataclass
    class Louder:
        sampling: object

        def noise_scaling(self, sigma, noise, latent_image, max_denoise=False):
            exact = self.sampling.noise_scaling(sigma, noise, latent_image)
            told = noise.ndim == 1  # asked for its coefficients
            return exact if told else exact + 0.03 * sigma * noise

    model = family("eps").model
    schedule = sigmas(model, 6).tolist()
    assert jump_error(Louder(model.get_model_object("model_sampling")), schedule[4], schedule[1], 200_000) > 5


def test_a_cell_that_breaks_a_promise_is_noticed(monkeypatch):
    """A solver that leaves the known part alone only nearly."""
    exact = comfy.sample.sample_custom
    monkeypatch.setattr(comfy.sample, "sample_custom", lambda *args, **named: exact(*args, **named) + 2e-5)
    assert "kept part" in run(Cell("eps", "Blend", "euler", "normal")).wrong
