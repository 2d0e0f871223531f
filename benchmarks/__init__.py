"""Every figure that the documentation names, with the program that measured it."""

from comfyui_host import in_process

in_process.register_pack()
