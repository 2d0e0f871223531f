"""What every tier shares: the pack under the name `latent_repaint`."""

from hypothesis import settings

from comfyui_host import in_process

in_process.register_pack()
settings.register_profile("untimed", deadline=None)  # on a busy machine no test is wrong for being slow
settings.load_profile("untimed")
