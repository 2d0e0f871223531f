"""The models that the templates name: where their files lie, and where they are had. As ComfyUI's own templates say."""

from __future__ import annotations

_HUB = "https://huggingface.co/"


def _file(directory: str, repository: str, path: str) -> dict[str, str]:
    return {"url": f"{_HUB}{repository}/resolve/main/{path}", "directory": directory}


MODELS = {
    "sd_xl_base_1.0.safetensors": _file(
        "checkpoints", "stabilityai/stable-diffusion-xl-base-1.0", "sd_xl_base_1.0.safetensors"
    ),
    "sd3.5_large_fp8_scaled.safetensors": _file(
        "checkpoints", "Comfy-Org/stable-diffusion-3.5-fp8", "sd3.5_large_fp8_scaled.safetensors"
    ),
    "flux1-dev.safetensors": _file("diffusion_models", "Comfy-Org/flux1-dev", "flux1-dev.safetensors"),
    "clip_l.safetensors": _file("text_encoders", "comfyanonymous/flux_text_encoders", "clip_l.safetensors"),
    "t5xxl_fp16.safetensors": _file("text_encoders", "comfyanonymous/flux_text_encoders", "t5xxl_fp16.safetensors"),
    "ae.safetensors": _file("vae", "Comfy-Org/z_image_turbo", "split_files/vae/ae.safetensors"),
    "flux-2-klein-base-4b-fp8.safetensors": _file(
        "diffusion_models", "black-forest-labs/FLUX.2-klein-base-4b-fp8", "flux-2-klein-base-4b-fp8.safetensors"
    ),
    "flux2-vae.safetensors": _file("vae", "Comfy-Org/flux2-dev", "split_files/vae/flux2-vae.safetensors"),
    "qwen_3_4b.safetensors": _file(
        "text_encoders", "Comfy-Org/z_image_turbo", "split_files/text_encoders/qwen_3_4b.safetensors"
    ),
    "z_image_turbo_bf16.safetensors": _file(
        "diffusion_models", "Comfy-Org/z_image_turbo", "split_files/diffusion_models/z_image_turbo_bf16.safetensors"
    ),
    "qwen_image_edit_2509_fp8_e4m3fn.safetensors": _file(
        "diffusion_models",
        "Comfy-Org/Qwen-Image-Edit_ComfyUI",
        "split_files/diffusion_models/qwen_image_edit_2509_fp8_e4m3fn.safetensors",
    ),
    "qwen_2.5_vl_7b_fp8_scaled.safetensors": _file(
        "text_encoders",
        "Comfy-Org/Qwen-Image_ComfyUI",
        "split_files/text_encoders/qwen_2.5_vl_7b_fp8_scaled.safetensors",
    ),
    "qwen_image_vae.safetensors": _file(
        "vae", "Comfy-Org/Qwen-Image_ComfyUI", "split_files/vae/qwen_image_vae.safetensors"
    ),
    "wan2.2_ti2v_5B_fp16.safetensors": _file(
        "diffusion_models",
        "Comfy-Org/Wan_2.2_ComfyUI_Repackaged",
        "split_files/diffusion_models/wan2.2_ti2v_5B_fp16.safetensors",
    ),
    "umt5_xxl_fp8_e4m3fn_scaled.safetensors": _file(
        "text_encoders",
        "Comfy-Org/Wan_2.1_ComfyUI_repackaged",
        "split_files/text_encoders/umt5_xxl_fp8_e4m3fn_scaled.safetensors",
    ),
    "wan2.2_vae.safetensors": _file(
        "vae", "Comfy-Org/Wan_2.2_ComfyUI_Repackaged", "split_files/vae/wan2.2_vae.safetensors"
    ),
}
