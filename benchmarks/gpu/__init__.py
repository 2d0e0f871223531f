"""What a GPU does to the samplers' promises; the host is started first, so that all parts can import it."""

from comfyui_host import in_process

HOST = in_process.start()
