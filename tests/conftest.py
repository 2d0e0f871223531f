"""What every tier shares: the pack under the name `latent_repaint`."""

from comfyui_host import in_process

in_process.register_pack()
