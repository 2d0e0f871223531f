"""What `python demo` shows: a run in a real ComfyUI, the gallery, and the thumbnails of the templates."""
