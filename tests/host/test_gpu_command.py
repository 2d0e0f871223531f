"""`python benchmarks gpu` in the small: its models are what their names say, and a part that fails stops no other."""

import pytest
import torch

from benchmarks.cost import measure, models
from benchmarks.gpu import command, precision
from comfyui_host.tiny import host

FAMILIES = {"sd15": "BaseModel", "sdxl": "SDXL", "flux": "Flux", "wan": "WAN21"}


@pytest.mark.parametrize("name", command.SHAPES)
def test_a_small_network_of_every_shape_is_painted_without_a_wait(name):
    _, latent, cfg = command.SHAPES[name]
    loaded = models.load(name, torch.float32, small=True)
    assert type(loaded[0].model).__name__ == FAMILIES[name]
    case = measure.Case(loaded, latent, steps=2, cfg=cfg)
    samples = case.sample(measure.METHODS["Match 1"])
    assert samples.shape == latent and samples.isfinite().all()
    assert measure.waits(case, measure.METHODS["Match 1"]) == 0


def test_parity_sees_coarse_weights_and_measures_them_by_the_hosts_own_difference(monkeypatch):
    monkeypatch.setattr(precision, "DTYPES", {"float8_e5m2": torch.float8_e5m2})
    monkeypatch.setattr(precision, "SHOWN", ("host", "Blend predicted"))
    monkeypatch.setattr(precision, "SEEDS", range(2))
    table = precision.parity(small=True)
    (_, _, hosts, allowed, kept, _), (_, _, ours, limit, *_rest, within) = table.rows
    assert float(hosts) > precision.FEWEST
    assert float(allowed) == pytest.approx(precision.ALLOWED * float(hosts), abs=2e-4)
    assert float(limit) == pytest.approx(precision.WITH_FEEDBACK["Blend predicted"] * float(hosts), abs=5e-4)
    assert float(kept) <= 1e-5
    assert (within == "yes") == (float(ours) <= float(limit))
    assert "once more differs by 0.0e+00" in table.note


def test_a_part_that_fails_is_named_and_the_page_keeps_the_others(tmp_path, monkeypatch):
    def broken(small):
        raise RuntimeError("no such device\nmore")

    monkeypatch.setattr(
        command, "PARTS", {"tests": broken, "jobs": lambda small: command.Table("Jobs", ["n"], [["8"]])}
    )
    monkeypatch.setattr(command, "RESULTS", tmp_path)
    threads = torch.get_num_threads()
    monkeypatch.setattr("sys.argv", ["gpu"])
    command.main()
    text = (tmp_path / "gpu.md").read_text(encoding="utf-8")
    assert "**Stopped by RuntimeError: no such device**" in text and "| 8 |" in text
    if host.comfy.model_management.get_torch_device().type == "cpu":
        assert "Run on a CPU with small shapes" in text.splitlines()[2]
    monkeypatch.setitem(command.PARTS, "tests", lambda small: command.Table("Tests", ["n"], [["9"]]))
    monkeypatch.setitem(command.PARTS, "jobs", broken)
    monkeypatch.setattr("sys.argv", ["gpu", "tests"])
    command.main()  # the jobs of the run before are kept
    again = (tmp_path / "gpu.md").read_text(encoding="utf-8")
    assert "| 9 |" in again and "| 8 |" in again and "Stopped" not in again
    torch.set_num_threads(threads)


def test_a_part_that_there_is_not_is_named(monkeypatch):
    monkeypatch.setattr("sys.argv", ["gpu", "speed"])
    with pytest.raises(SystemExit, match="found speed, wanted some of: tests, precision"):
        command.main()
