"""Measurements of the pixel work; the host is started first, so that all parts can import it and the pack."""

from comfyui_host import in_process

host = in_process.start()
