"""A real ComfyUI by pip alone: install it, start it, talk to it, and tiny models of every family for it."""
