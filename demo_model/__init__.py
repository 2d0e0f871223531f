"""The model that comes with this repository: drawn scenes, networks, training, measuring, weights, its plug-in."""
