"""Many pictures through a saved workflow, on one machine or many: a client of ComfyUI's own API, spread by Ray."""
