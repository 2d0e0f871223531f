"""Jobs of mixed settings, sent by several clients at once, some of them interrupted on the way and queued again."""

from __future__ import annotations

import hashlib
import json
import queue
import random
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from comfyui_host.client import Client, PromptError
from comfyui_host.install import ROOT
from comfyui_host.server_process import Server

CENSUS = Path(__file__).resolve().parent / "census"
PICTURES = {"LoadImage": "example_image.png", "LoadImageMask": "example_mask.png"}
NAMES = ("plain", "blend", "repaint", "match", "ksampler", "any_size", "crop", "two_stages", "soft_mask")
SETTINGS = {
    "steps": range(2, 6),
    "cfg": (1.0, 3.0, 7.0),
    "scheduler": ("karras", "normal", "sgm_uniform", "beta"),
    "sampler_name": ("euler", "euler_ancestral", "ddpm", "heun", "dpmpp_2m", "dpmpp_sde", "uni_pc", "res_multistep"),
    "known_noise": ("fixed", "fresh", "predicted"),
    "jump_length": (1, 2),
    "jump_n_sample": (2, 3),
    "inner_steps": (0.0, 1.0, 1.5),
    "start_percent": (0.0, 0.2),
    "end_percent": (0.8, 1.0),
    "method": ("match", "repaint", "blend"),
    "evaluations_per_step": (1.0, 2.0, 2.5),
    "mask_expand_cells": (0, 1, 2),
    "spatial_method": ("max", "area"),
    "fill": ("diffuse", "neutral", "noise", "original"),
    "blend": ("feather", "multiband"),
    "mask_blend_pixels": (0, 8, 16),
    "match_colour": (0.0, 1.0),
    "context_from_mask_extend_factor": (1.2, 2.0),
}


@dataclass
class Job:
    """A prompt, what it gave when it ran alone, and how many evaluations that took."""

    prompt: dict[str, Any]
    picture: str = ""
    evaluations: int = 0


class Stock(NamedTuple):
    """What the host's process holds after so many jobs. resident, history, held (by the living tensors): in MB."""

    jobs: int
    resident: float
    history: float
    tensors: int
    held: float

    def row(self) -> list[str]:
        return [str(self.jobs), f"{self.resident:.1f}", f"{self.history:.2f}", str(self.tensors), f"{self.held:.3f}"]

    def __str__(self) -> str:
        return " | ".join(self.row())


@dataclass
class Tally:
    """What was seen. wrong: jobs whose picture or number of evaluations is not what they were alone."""

    done: int = 0
    interrupted: int = 0
    wrong: list[str] = field(default_factory=list)
    memory: list[Stock] = field(default_factory=list)


def mixed_jobs(count: int, rng: random.Random) -> list[Job]:
    """Different jobs, each with a seed of its own, so that the host can take nothing from its cache."""
    jobs = []
    for k in range(count):
        prompt = load(NAMES[k % len(NAMES)])
        chosen = {key: rng.choice(choices) for key, choices in SETTINGS.items()}
        for node in prompt.values():
            inputs = node["inputs"]
            inputs.update({key: value for key, value in chosen.items() if key in inputs})
            inputs.update({key: k for key in ("seed", "noise_seed") if key in inputs})
            if node["class_type"] in PICTURES:
                inputs["image"] = PICTURES[node["class_type"]]
        jobs.append(Job(prompt))
    return jobs


def hosts_own_jobs(count: int) -> list[Job]:
    """Different jobs of the host's nodes alone: KSampler with a noise mask."""
    jobs = []
    for k in range(count):
        prompt = load("plain")
        prompt["masked"] = {
            "class_type": "SetLatentNoiseMask",
            "inputs": {"samples": ["encode", 0], "mask": ["mask", 0]},
        }
        prompt["sample"]["inputs"] |= {"seed": k, "steps": SETTINGS["steps"][k % len(SETTINGS["steps"])]}
        jobs.append(Job(prompt))
    return jobs


def load(name: str) -> dict[str, Any]:
    return json.loads((ROOT / "demo" / "prompts" / f"{name}.json").read_text(encoding="utf-8"))


def run(client: Client, job: Job, interrupt: bool = False) -> tuple[str, int]:
    """One job to its end: the hash of its picture, and its evaluations.

    Raises:
        PromptError: of kind "interrupted", if this or another client interrupted it.
    """

    def stop(node: str, value: int, total: int) -> None:
        nonlocal interrupt
        if interrupt and node == "sample":
            interrupt = False
            client.interrupt()

    done = client.run(job.prompt, stop)
    (file,) = done.outputs["save"]["images"]
    return hashlib.sha256(client.fetch(file)).hexdigest(), done.evaluations("sample")


def endure(
    server: Server, pool: list[Job], rounds: int, jobs: int, clients: int, interrupts: float, forgetful: int = 0
) -> Tally:
    """Run `jobs` jobs in each round after each one of the pool has run once alone.

    Arguments:
        clients: how many send them at once.
        interrupts: the share of jobs that is interrupted in the middle, and queued again.
        forgetful: before each of the first so many rounds the host is told to forget the prompts that it has run.
    """
    rng, tally = random.Random(0), Tally()
    for picture in PICTURES.values():
        Client(server.address).upload(ROOT / "demo" / picture)
    for job in pool:
        job.picture, job.evaluations = run(Client(server.address), job)
    print(take_stock(server, tally))
    for done in range(rounds):
        if done < forgetful:
            Client(server.address).clear_history()
        one_round(server, shuffled(pool, jobs, rng), clients, interrupts, tally, rng)
        print(take_stock(server, tally))
    return tally


def shuffled(pool: Sequence[Job], count: int, rng: random.Random) -> list[Job]:
    """`count` jobs in random order; the whole pool comes before any job comes again, so that the cache has lost it."""
    order: list[Job] = []
    while len(order) < count:
        order += rng.sample(pool, len(pool))
    return order[:count]


def one_round(
    server: Server, order: list[Job], clients: int, interrupts: float, tally: Tally, rng: random.Random
) -> None:
    waiting: queue.Queue[tuple[Job, bool]] = queue.Queue()
    for job in order:
        waiting.put((job, rng.random() < interrupts))
    lock = threading.Lock()

    def work() -> None:
        client = Client(server.address)
        while True:
            try:
                job, interrupt = waiting.get_nowait()
            except queue.Empty:
                return
            try:
                picture, evaluations = run(client, job, interrupt)
            except PromptError as error:
                with lock:
                    if error.kind == "interrupted":
                        tally.interrupted += 1
                        waiting.put((job, False))
                    else:
                        tally.wrong.append(f"{error}: {job.prompt}")
                continue
            with lock:
                tally.done += 1
                # what the cache still has of an interrupted or an equal job is not evaluated again
                if picture != job.picture or evaluations not in (0, job.evaluations):
                    tally.wrong.append(f"{evaluations} evaluations, alone {job.evaluations}: {job.prompt}")

    threads = [threading.Thread(target=work) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def take_stock(server: Server, tally: Tally) -> Stock:
    """Count what the host holds with nothing left in the queue."""
    count = {"census": {"class_type": "TensorCensus", "inputs": {"after": tally.done}}}
    seen = Client(server.address).run(count).outputs["census"]
    resident = psutil.Process(server.process.pid).memory_info().rss / 2**20
    history, held = seen["history"][0] / 2**20, seen["bytes"][0] / 2**20
    tally.memory.append(Stock(tally.done, resident, history, seen["tensors"][0], held))
    return tally.memory[-1]
