"""The SAMPLER that the nodes hand out: a KSAMPLER of the host's that runs another one by a method of ours."""

import logging
from collections.abc import Callable
from typing import Any

import comfy.samplers
import torch
from torch import Tensor

from ..checks import check_dimensions, check_run, check_sigmas, naming
from .mathematics.moves import Descend
from .methods import Method
from .run import InpaintingRun
from .solvers import around, check_for_model, check_solver, naming_solver, visited

CELLS = 64 * 64  # of a picture of 512x512 pixels, where no latent is at hand


def combine(
    sampler: Any, method: Method, node: str, kept: Tensor | None = None, note: Callable[[str], None] = logging.info
) -> "InpaintingSampler":
    """The SAMPLER that runs `sampler` under `method`.

    Arguments:
        node: what error messages name.
        kept: the clean latent of the known part, (B, C, ...), for a stage that starts from a noisy one.
        note: called at the end of a run with what the person should know of it, if anything.

    Raises:
        ValueError: if `sampler` is no KSAMPLER, chooses its own steps, or is one of ours already.
    """
    check_solver(sampler, node)
    if isinstance(sampler, InpaintingSampler):
        raise ValueError(
            f"{node}: input sampler: found the output of {sampler.node}, wanted a plain sampler; use KSamplerSelect"
        )
    return InpaintingSampler(sampler, method, node, kept, note)


class InpaintingSampler(comfy.samplers.KSAMPLER):
    """A KSAMPLER made of another one and a method: it respects the known part of the latent, whatever solver it runs.

    Other packs' samplers around a sampler take its `sampler_function` and run it themselves. Ours refuses: run without
    `sample` it could only be the solver alone.
    """

    def __init__(self, sampler: Any, method: Method, node: str, kept: Tensor | None, note: Callable[[str], None]):
        def taken_apart(*args, **kwargs):
            raise ValueError(
                f"{node}: found its output inside another node's sampler, which would leave the method out, wanted it "
                "the other way round; connect that node's sampler to the input of this one"
            )

        super().__init__(taken_apart, sampler.extra_options, sampler.inpaint_options)
        self.sampler, self.method, self.node, self.kept, self.note = sampler, method, node, kept, note

    def sample(
        self, model_wrap, sigmas, extra_args, callback, noise, latent_image=None, denoise_mask=None, disable_pbar=False
    ):
        """As the host's own, with an `InpaintingRun` for the denoiser, and its `sample` for the solver."""
        with naming(self.node):
            check_run(sigmas, noise, latent_image, denoise_mask)
            check_dimensions(latent_image, model_wrap.inner_model.latent_format.latent_dimensions)
        if denoise_mask is None or bool((denoise_mask >= 1).all()):  # nothing is known: the plain sampler
            plain = self.sampler.sample
            return plain(model_wrap, sigmas, extra_args, callback, noise, latent_image, None, disable_pbar)
        if not denoise_mask.any():
            return latent_image
        model_sampling = model_wrap.inner_model.model_sampling
        sigmas = at_least_float32(sigmas)
        x = model_sampling.noise_scaling(sigmas[0], noise, latent_image, self.max_denoise(model_wrap, sigmas))
        if len(sigmas) == 1:  # no step to walk: the latent with the noise of that level, as in the host
            return model_sampling.inverse_noise_scaling(sigmas[0], x)
        with naming(self.node):
            check_for_model(self.sampler, model_sampling)
            x = at_least_float32(x)  # in half precision the host's own sum over the prompts divides by 0
            run = InpaintingRun(
                self.sampler, self.method, model_wrap, sigmas, x, noise, latent_image,
                self.clean_latent(model_wrap, noise, latent_image), denoise_mask, extra_args, callback, disable_pbar,
            )  # fmt: skip
            with run.progress, naming_solver(self.sampler, run.guided):
                sample = around(self.sampler, run.sample)
                extra_args = {**extra_args, "denoise_mask": denoise_mask}
                x = sample(run, x, sigmas.clone(), extra_args=extra_args, callback=None, disable=True)
            if not x.isfinite().all():
                raise ValueError(
                    "found NaN or infinity in what the model and the sampler made, wanted finite numbers; load the "
                    "model in a higher precision (fp32 or bf16), or take a lower cfg or another sampler"
                )
        if run.known.remark:
            self.note(run.known.remark)
        return model_sampling.inverse_noise_scaling(sigmas[-1], run.with_known(x))

    def clean_latent(self, model_wrap, noise: Tensor, latent_image: Tensor) -> Tensor:
        """y: `kept` as the model scales it, else the latent that the run starts from; (B, C, ...).

        Raises:
            ValueError: if `kept` has another shape, or is missing where the latent is noisy already.
        """
        if self.kept is None:
            if not noise.any():
                raise ValueError(
                    "input kept: found nothing, wanted the clean latent, because this stage adds no noise of its own "
                    "and its kept part is noisy already; connect the latent that went into the first stage"
                )
            return latent_image
        if self.kept.shape[1:] != latent_image.shape[1:] or len(latent_image) % len(self.kept):
            raise ValueError(
                f"input kept: found shape {list(self.kept.shape)}, wanted {list(latent_image.shape)}, that of the "
                "latent to sample, or a batch that divides it; connect the latent that went into the first stage"
            )
        y = self.kept.to(latent_image)
        if y.any():  # the host leaves an empty latent alone
            y = model_wrap.inner_model.process_latent_in(y)
        return y.repeat(len(latent_image) // len(y), *[1] * (y.ndim - 1))


def at_least_float32(values: Tensor) -> Tensor:
    return values.to(torch.promote_types(values.dtype, torch.float32))


def evaluations(sampler: Any, model_sampling: Any, sigmas: Tensor, node: str) -> list[float]:
    """The sigma of every model evaluation that `sampler` will make over `sigmas`, in order.

    Of another pack's solver, and of a very long run, it is the sigma of every step (`visited`).

    Raises:
        ValueError: if `sampler` is refused, or does not fit the sigmas.
    """
    check_solver(sampler, node)
    with naming(node):
        check_sigmas(sigmas)
        if not isinstance(sampler, InpaintingSampler):
            return visited(sampler, [Descend(0, len(sigmas) - 1)], sigmas, model_sampling)
        walk = sampler.method.walk(model_sampling, sigmas, CELLS)
        return visited(sampler.sampler, walk.moves, sigmas, model_sampling)
