"""Jobs of mixed settings by two clients at once, some interrupted and queued again: each is what it is alone."""

import io
import json
import random
from concurrent.futures import ThreadPoolExecutor

from PIL import Image

from comfyui_host import install
from comfyui_host.client import Client, PromptError

NAMES = ("blend", "repaint", "match", "ksampler", "two_stages", "soft_mask")
SETTINGS = {
    "steps": (3, 4, 5),
    "cfg": (1.0, 7.0),
    "scheduler": ("karras", "sgm_uniform", "beta"),
    "sampler_name": ("euler", "euler_ancestral", "ddpm", "heun", "dpmpp_2m", "dpmpp_sde", "uni_pc", "res_multistep"),
    "method": ("match", "repaint", "blend"),
    "spatial_method": ("max", "area"),
    "fill": ("diffuse", "noise", "original"),
    "blend": ("feather", "multiband"),
}


def test_mixed_jobs_of_two_clients_with_interrupts_are_what_they_are_alone(server, client, prompt):
    rng, interrupted = random.Random(0), []
    chosen = [{name: rng.choice(values) for name, values in SETTINGS.items()} for _ in range(2 * len(NAMES))]
    jobs = [prompt(NAMES[k % len(NAMES)], seed=k, noise_seed=k, **settings) for k, settings in enumerate(chosen)]
    jobs = [json.loads(json.dumps(job).replace("example_", "small_")) for job in jobs]
    for name in ("image", "mask"):  # a quarter of the pixels, as these are many runs
        content = io.BytesIO()
        Image.open(install.ROOT / "demo" / f"example_{name}.png").resize((128, 128)).save(content, "PNG")
        client.put(f"small_{name}.png", content.getvalue())

    def picture(number, interrupt=False):
        own = Client(server.address)

        def stop(node, value, total):
            nonlocal interrupt
            if interrupt and node == "sample":
                interrupt = False
                own.interrupt()  # whichever of the two is running

        while True:
            try:
                (file,) = own.run(jobs[number], stop).outputs["save"]["images"]
                return own.fetch(file)
            except PromptError as error:
                assert error.kind == "interrupted"
                interrupted.append(number)

    alone = [picture(number) for number in range(len(jobs))]
    assert not interrupted
    order = rng.sample(range(len(jobs)), len(jobs)) + rng.sample(range(len(jobs)), len(jobs))
    with ThreadPoolExecutor(2) as clients:
        together = list(clients.map(picture, order, [k % 3 == 0 for k in range(len(order))]))
    assert interrupted
    assert together == [alone[number] for number in order]
