"""The host, started once for all benchmarks; whatever imports the pack or ComfyUI imports this first."""

from comfyui_host import in_process

HOST = in_process.start()
