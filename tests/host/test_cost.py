"""What a run may never cost, whatever the machine: a wait for the GPU at every step, or memory that grows."""

import gc

import pytest
import torch

from benchmarks.cost import measure, models


@pytest.fixture(scope="module")
def instant():
    return models.load("instant")


@pytest.mark.parametrize("method", [name for name in measure.METHODS if name != "host"])
def test_no_step_waits_for_the_gpu(instant, method):
    """But Match once a run, to learn whether it may leave out extra evaluations."""
    waits = 1 if method == "Match" else 0
    for steps in (6, 12):
        assert measure.waits(measure.TimedModel(instant, steps=steps), measure.METHODS[method]) == waits


@pytest.mark.parametrize("method", ["Blend", "RePaint", "Match"])
def test_four_latents_of_memory_more_than_the_host_at_most(instant, method):
    timed = measure.TimedModel(instant, shape=(2, 4, 64, 64), steps=6)
    assert measure.peak_memory(timed, measure.METHODS[method]) <= measure.peak_memory(timed, None) + 4


def test_no_tensor_stays_when_a_run_is_over(instant):
    def alive():
        gc.collect()
        return sum(type(found) is torch.Tensor for found in gc.get_objects())

    timed, counts = measure.TimedModel(instant, steps=4), []
    for _ in range(3):
        for method in measure.METHODS.values():
            timed.sample(method)
        counts.append(alive())
    assert counts[0] == counts[1] == counts[2]
